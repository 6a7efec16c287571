"""The layout of all prompts in one row of tokens: [shared prefix][block][block]... Pure.

The beginning that all prompts share is in the row once, or at the start of each block. The rest of
each prompt, its suffix, is put whole into a block, together with others. All blocks have the same
size, so attention is a batch of equal problems. The size is chosen so that few slots are empty.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from ptnl.text.prompts import Tokens

# Sizes of a block that are tried. Smaller ones leave more slots empty, and in larger ones more of
# attention is computed for pairs of tokens that are masked.
SMALLEST, LARGEST = 16, 48
# Where each block has the prefix in it, larger blocks repeat it less often. Their sizes are
# multiples of ALIGNED, because a GPU's attention would copy a mask of any other width first.
LARGEST_WHOLE, ALIGNED = 128, 16


@dataclass(frozen=True)
class Packing:
    """P prefix tokens; K blocks of B slots, filled with the suffixes of C prompts.

    An empty slot has token 0, and sees the prefix and itself. No other token sees it, and its
    result is not used.
    """

    prefix: np.ndarray  # (P) token numbers, at positions 0 to P - 1
    tokens: np.ndarray  # (K, B) token numbers
    positions: np.ndarray  # (K, B) in their prompts
    sees: np.ndarray  # (K, B, P + B), which of the prefix and of its block a token attends to
    ends: np.ndarray  # (K, E) slots of the end tokens in their blocks; 0 if a block has fewer
    counts: np.ndarray  # (K) how many prompts a block holds
    order: np.ndarray  # (C) position of a prompt if prompts are counted block by block


def pack(prompts: Sequence[Tokens], repeats_prefix: bool = False) -> Packing:
    """Lay prompts out; at least the end token of each stays outside the shared prefix.

    If each block repeats the prefix, the layout has no other: P is 0.
    """
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    shared = min(len(list(alike)), min(map(len, prompts)) - 1)
    lengths = [len(prompt) - shared for prompt in prompts]
    longest = max(lengths)
    repeated = shared if repeats_prefix else 0
    if repeats_prefix:
        smallest = -(-(shared + longest) // ALIGNED) * ALIGNED
        sizes = range(smallest - shared, max(smallest, LARGEST_WHOLE) - shared + 1, ALIGNED)
    else:
        sizes = range(max(longest, SMALLEST), max(2 * longest, LARGEST) + 1)
    size = min(sizes, key=lambda size: (len(_fill(lengths, size)) * (repeated + size), size))
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
            sees[number, own, seen] = np.tri(lengths[prompt])
    order = np.argsort(np.concatenate(blocks))
    prefix = np.array(prompts[0][:shared], dtype=np.int64)
    layout = Packing(prefix, tokens, positions, sees, ends, counts, order)
    return _with_prefix_in_blocks(layout) if repeats_prefix else layout


def _with_prefix_in_blocks(layout: Packing) -> Packing:
    """The same layout, in which every block begins with the prefix."""
    blocks, shared = len(layout.tokens), len(layout.prefix)
    causal = np.tri(shared, layout.sees.shape[2], dtype=bool)

    def before(start: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.concatenate([np.broadcast_to(start, (blocks, *start.shape)), rest], axis=1)

    return replace(
        layout,
        prefix=layout.prefix[:0],
        tokens=before(layout.prefix, layout.tokens),
        positions=before(np.arange(shared), layout.positions),
        sees=before(causal, layout.sees),
        ends=layout.ends + shared,
    )


def _fill(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Put items into bins of one size; each bin gets the longest remaining item that still fits."""
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
