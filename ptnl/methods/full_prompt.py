"""Full-Prompt-Tuning: the shared context and the tokens of every class name are learnable.

Name tokens start as the names' own, the context at random (paper, section 4.3, Table 2).
"""

from ptnl.methods.prompt import initial_context, sweep_prompts, token_embeddings, train_tokens
from ptnl.text import learn_names
from ptnl.training.tuning import SweepData, TunedRun


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one context (M, W) and the name tokens (L, W) of all classes, for each run."""
    prompts, names = learn_names(sweep_prompts(sweep), first=sweep.settings["context_length"])
    start = {"context": initial_context(sweep), "names": token_embeddings(sweep, names)}
    return train_tokens(sweep, sweep.settings, prompts, start)
