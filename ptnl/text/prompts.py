"""Prompts as lists of token numbers, from the start token to the end token. Pure, without torch.

A token of the vocabulary has its number in the vocabulary. Learnable token k, whose embedding a
method trains, has the number -1 - k.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ptnl.errors import InputError

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer

Tokens = list[int]


class Prompt(NamedTuple):
    """The prompt of a class: the tokens before its name, the name's own, and those after it."""

    before: Tokens
    name: Tokens
    after: Tokens

    @property
    def tokens(self) -> Tokens:
        return self.before + self.name + self.after


def spoken(class_name: str) -> str:
    """A class name as it is written in a prompt: with spaces for underscores, as in CoOp."""
    return class_name.replace("_", " ")


def learnable(first: int, count: int) -> Tokens:
    """The numbers of learnable tokens `first` to `first + count - 1`."""
    return [-1 - token for token in range(first, first + count)]


def tokenise(tokenizer: "SimpleTokenizer", text: str) -> Tokens:
    """The tokens of a whole text."""
    return [tokenizer.sot_token_id, *tokenizer.encode(text), tokenizer.eot_token_id]


def class_prompts(
    tokenizer: "SimpleTokenizer", class_names: Sequence[str], template: str
) -> list[Prompt]:
    """Hand-crafted prompts without learnable tokens; {} in the template is the class name.

    CLIP's tokenizer joins adjacent punctuation into one token. If a name ends in punctuation, the
    token that joins it with the template's belongs to the name.
    """
    start = 1 + len(tokenizer.encode(template.split("{}")[0]))
    prompts = []
    for name in map(spoken, class_names):
        tokens = tokenise(tokenizer, template.format(name))
        stop = start + len(tokenizer.encode(name))
        prompts.append(Prompt(tokens[:start], tokens[start:stop], tokens[stop:]))
    return prompts


def context_prompts(
    tokenizer: "SimpleTokenizer", class_names: Sequence[str], length: int, position: str = "end"
) -> list[Prompt]:
    """CoOp's prompts: learnable tokens 0 to `length - 1`, shared by all classes, and the name.

    The `position` of the name is the "end", [context][name][.], the "middle" of the context,
    [first half][name][second half][.], or the "front", [name][context][.].
    """
    halves = {"end": length, "middle": length // 2, "front": 0}
    if position not in halves:
        known = ", ".join(halves)
        raise InputError(f"class token position {position!r} is unknown; choose from {known}")
    half = halves[position]
    return [
        Prompt(
            prompt.before + learnable(0, half),
            prompt.name,
            learnable(half, length - half) + prompt.after,
        )
        for prompt in class_prompts(tokenizer, class_names, "{}.")
    ]


def learn_names(prompts: Sequence[Prompt], first: int) -> tuple[list[Prompt], Tokens]:
    """Replace every token of the names by a learnable token; names share none of them.

    Learnable tokens are numbered from `first` on. Returns the prompts, and the vocabulary tokens
    that were replaced, in the order of the learnable ones.
    """
    replaced: Tokens = []
    learnt = []
    for prompt in prompts:
        name = learnable(first + len(replaced), len(prompt.name))
        learnt.append(prompt._replace(name=name))
        replaced += prompt.name
    return learnt, replaced
