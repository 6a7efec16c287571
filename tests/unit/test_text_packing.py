"""Packing prompts into blocks of tokens, after the prefix that all prompts share."""

from hypothesis import given
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
