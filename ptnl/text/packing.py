"""The layout of all prompts in one row of tokens: [shared prefix][block][block]... Pure.

What all prompts begin with stands in the row once. What is left of each, its suffix, is put into a
block with others, whole; all blocks have one size, so that attention is a batch of equal problems
whose operands are views of the row. The size is chosen so that next to nothing is left empty.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from ptnl.text.prompts import Tokens

# Sizes of a block that are tried. Smaller ones leave more of the row to waste, and larger ones make
# tokens attend to more that they must not see.
SMALLEST, LARGEST = 16, 48


@dataclass(frozen=True)
class Packing:
    """P prefix tokens; K blocks of B slots, filled with the suffixes of C prompts.

    An empty slot has token 0 and sees the prefix and itself; nothing sees it, nobody reads it.
    """

    prefix: np.ndarray  # (P) token numbers, at positions 0 to P - 1
    tokens: np.ndarray  # (K, B) token numbers
    positions: np.ndarray  # (K, B) in their prompts
    sees: np.ndarray  # (K, B, P + B), which of the prefix and of its block a token attends to
    ends: np.ndarray  # (K, E) slots of the end tokens in their blocks, 0 where a block has fewer
    counts: np.ndarray  # (K) prompts of a block
    order: np.ndarray  # (C) where a prompt comes when they are counted block by block


def pack(prompts: Sequence[Tokens]) -> Packing:
    """Lay prompts out; each keeps its end token, at least, outside the shared prefix."""
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    shared = min(len(list(alike)), min(map(len, prompts)) - 1)
    lengths = [len(prompt) - shared for prompt in prompts]
    longest = max(lengths)
    sizes = range(max(longest, SMALLEST), max(2 * longest, LARGEST) + 1)
    size = min(sizes, key=lambda size: (len(_fill(lengths, size)) * size, size))
    blocks = _fill(lengths, size)
    tokens = np.zeros((len(blocks), size), dtype=np.int64)
    positions = np.zeros_like(tokens)
    sees = np.zeros((len(blocks), size, shared + size), dtype=bool)
    sees[:, :, :shared] = True
    sees[:, range(size), range(shared, shared + size)] = True
    counts = np.array([len(block) for block in blocks])
    ends = np.zeros((len(blocks), counts.max()), dtype=np.int64)
    for number, block in enumerate(blocks):
        stops = np.cumsum([lengths[prompt] for prompt in block])
        ends[number, : len(block)] = stops - 1
        for prompt, stop in zip(block, stops, strict=True):
            own = slice(stop - lengths[prompt], stop)
            seen = slice(shared + own.start, shared + stop)
            tokens[number, own] = prompts[prompt][shared:]
            positions[number, own] = np.arange(shared, len(prompts[prompt]))
            sees[number, own, seen] = np.tri(lengths[prompt], dtype=bool)
    order = np.argsort(np.concatenate(blocks))
    prefix = np.array(prompts[0][:shared], dtype=np.int64)
    return Packing(prefix, tokens, positions, sees, ends, counts, order)


def _fill(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Items of some lengths in bins of one size, each filled with the longest that still fit."""
    waiting = sorted(range(len(lengths)), key=lengths.__getitem__)
    sorted_lengths = sorted(lengths)
    bins = []
    while waiting:
        free, filled = size, []
        while fitting := bisect_right(sorted_lengths, free):
            filled.append(waiting.pop(fitting - 1))
            free -= sorted_lengths.pop(fitting - 1)
        bins.append(filled)
    return bins
