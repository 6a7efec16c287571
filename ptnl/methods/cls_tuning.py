"""CLS-Tuning: only the tokens of the class names are learnable, in the fixed hand-crafted prompt.

They start as the embeddings of the names' own tokens (paper, section 4.3, Table 2).
"""

from ptnl.methods.prompt import token_embeddings, train_tokens
from ptnl.text import class_prompts, learn_names
from ptnl.training.tuning import SweepData, TunedRun


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train the name tokens (L, W) of all classes, for each run."""
    hand_crafted = class_prompts(sweep.backbone.tokenizer, sweep.class_names, sweep.template)
    prompts, names = learn_names(hand_crafted, first=0)
    return train_tokens(sweep, sweep.settings, prompts, {"names": token_embeddings(sweep, names)})
