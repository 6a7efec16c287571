"""Class embeddings from CLIP's text tower, without the work that cannot change them.

`prompts` says which tokens describe a class, `packing` lays the prompts of all classes out in one
row of tokens, `tower` is open_clip's text tower on such a row, and `encoder` puts them together.
"""

from ptnl.text.encoder import PromptEncoder, encode_texts
from ptnl.text.prompts import class_prompts, context_prompts, learn_names, spoken
from ptnl.text.tower import check_tower, tower_weights

__all__ = [
    "PromptEncoder",
    "check_tower",
    "class_prompts",
    "context_prompts",
    "encode_texts",
    "learn_names",
    "spoken",
    "tower_weights",
]
