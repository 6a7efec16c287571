"""Packing prompts into blocks of tokens, after the prefix that all prompts share."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ptnl.text.packing import pack

# Learnable tokens are negative. There are few different tokens, so prompts often have equal parts.
prompts = st.lists(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(lambda tokens: [9, *tokens]),
    min_size=1,
    max_size=30,
)


@given(prompts)
def test_the_end_token_of_a_prompt_sees_that_prompt_and_nothing_else(prompts):
    layout = pack(prompts)
    starts = [0, *layout.counts.cumsum()]
    for number, prompt in enumerate(prompts):
        place = layout.order[number]
        block = next(b for b, last in enumerate(starts[1:]) if place < last)
        end = layout.ends[block, place - starts[block]]
        row = [*layout.prefix, *layout.tokens[block]]
        positions = [*range(len(layout.prefix)), *layout.positions[block]]
        seen = layout.sees[block, end].nonzero()[0]
        assert [row[slot] for slot in seen] == prompt
        assert [positions[slot] for slot in seen] == list(range(len(prompt)))
        for step, slot in enumerate(layout.sees[block, end, len(layout.prefix) :].nonzero()[0]):
            earlier = layout.sees[block, slot].nonzero()[0]
            assert list(earlier) == list(seen[: len(layout.prefix) + step + 1])


@given(prompts)
def test_the_prefix_is_the_longest_that_all_prompts_share(prompts):
    layout = pack(prompts)
    assert all(prompt[: len(layout.prefix)] == list(layout.prefix) for prompt in prompts)
    first_free = len(layout.prefix)
    assert (
        any(len(prompt) == first_free + 1 for prompt in prompts)
        or len({prompt[first_free] for prompt in prompts}) > 1
    )


@given(st.lists(st.integers(3, 9), min_size=20, max_size=200))
def test_few_slots_are_empty(lengths):
    layout = pack([[number, *[1] * (length - 1)] for number, length in enumerate(lengths)])
    assert layout.tokens.size <= 1.06 * sum(lengths) + 4


@given(prompts)
def test_an_empty_slot_sees_the_prefix_and_itself_and_nothing_sees_it(prompts):
    layout = pack(prompts)
    first = len(layout.prefix)
    assert layout.sees[:, :, :first].all()
    for block, (tokens, sees) in enumerate(zip(layout.tokens, layout.sees, strict=True)):
        filled = layout.ends[block].max() + 1
        empty = range(filled, len(tokens))
        assert not tokens[empty].any()
        assert not layout.positions[block, empty].any()
        own = sees[:, first:]
        assert (own[empty] == np.eye(len(tokens), dtype=bool)[empty]).all()
        assert not own[:filled, filled:].any()


@given(prompts)
@example([[1, 9], [2, 9]])  # with an empty prefix
def test_numbers_are_integers_and_views_are_whether(prompts):
    layout = pack(prompts)
    for numbers in (layout.prefix, layout.tokens, layout.positions, layout.ends):
        assert numbers.dtype == np.int64
    assert layout.sees.dtype == bool


@pytest.mark.parametrize(
    ("lengths", "size"),
    [
        ((3,), 16),  # no smaller one is tried
        ((20, 14, 14), 48),  # nothing is left empty
        ((20, 15, 14), 29),  # 58 slots; a block of 49 would leave nothing empty, but is not tried
        (
            (30, 14, 12),
            56,
        ),  # blocks of up to twice the longest are tried where that is more than 48
        ((30, 17, 14), 31),  # 62 slots; 61 is not tried
        ((8, 8, 8, 8), 16),  # of equals the smallest
    ],
)
def test_the_size_is_that_which_leaves_least_empty(lengths, size):
    layout = pack([[number, *[9] * (length - 1)] for number, length in enumerate(lengths)])
    assert len(layout.prefix) == (lengths[0] - 1 if len(lengths) == 1 else 0)
    assert layout.tokens.shape[1] == size
