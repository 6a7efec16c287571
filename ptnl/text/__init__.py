"""Class embeddings from CLIP's text tower, without work that cannot change the result.

`prompts` says which tokens describe a class, `packing` lays the prompts of all classes out in one
row of tokens, `tower` is CLIP's text tower on such a row, `attention` a part of it, and `encoder`
puts them together. None of them imports open_clip.
"""

from ptnl.text.encoder import PromptEncoder, encode_texts
from ptnl.text.prompts import class_prompts, context_prompts, learn_names, spoken
from ptnl.text.tokenizer import clip_tokenizer
from ptnl.text.tower import TextTower

__all__ = [
    "PromptEncoder",
    "TextTower",
    "class_prompts",
    "clip_tokenizer",
    "context_prompts",
    "encode_texts",
    "learn_names",
    "spoken",
]
