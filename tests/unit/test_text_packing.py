"""The row of tokens: every prompt whole in one block, behind what all begin with."""

from hypothesis import given
from hypothesis import strategies as st

from ptnl.text.packing import pack

# Learnable and vocabulary tokens; few of them, so that prompts have much in common.
prompts = st.lists(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(lambda tokens: [9, *tokens]),
    min_size=1,
    max_size=30,
)


@given(prompts)
def test_a_prompt_is_what_its_end_token_sees(prompts):
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
def test_what_all_begin_with_stands_once(prompts):
    layout = pack(prompts)
    assert all(prompt[: len(layout.prefix)] == list(layout.prefix) for prompt in prompts)
    first_free = len(layout.prefix)
    assert (
        any(len(prompt) == first_free + 1 for prompt in prompts)
        or len({prompt[first_free] for prompt in prompts}) > 1
    )


@given(st.lists(st.integers(3, 9), min_size=20, max_size=200))
def test_hardly_a_slot_is_empty(lengths):
    layout = pack([[number, *[1] * (length - 1)] for number, length in enumerate(lengths)])
    assert layout.tokens.size <= 1.06 * sum(lengths) + 4
