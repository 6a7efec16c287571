"""The tokens of the prompt that describes a class."""

import pytest

from ptnl.errors import InputError
from ptnl.text.prompts import class_prompts, context_prompts, learn_names, tokenise

NAMES = ["cat", "magnifying_glass"]


def test_the_context_is_before_around_or_after_the_name(tokenizer):
    start, end, stop = tokenizer.sot_token_id, tokenizer.eot_token_id, tokenizer.encode(".")
    cat, glass = tokenizer.encode("cat"), tokenizer.encode("magnifying glass")
    assert [p.tokens for p in context_prompts(tokenizer, NAMES, 3)] == [
        [start, -1, -2, -3, *cat, *stop, end],
        [start, -1, -2, -3, *glass, *stop, end],
    ]
    assert [p.tokens for p in context_prompts(tokenizer, NAMES, 3, "middle")] == [
        [start, -1, *cat, -2, -3, *stop, end],
        [start, -1, *glass, -2, -3, *stop, end],
    ]
    assert [p.tokens for p in context_prompts(tokenizer, NAMES, 2, "front")] == [
        [start, *cat, -1, -2, *stop, end],
        [start, *glass, -1, -2, *stop, end],
    ]
    assert context_prompts(tokenizer, NAMES, 0) == class_prompts(tokenizer, NAMES, "{}.")


def test_another_position_is_refused(tokenizer):
    with pytest.raises(InputError, match="'start' is unknown; choose from end, middle, front"):
        context_prompts(tokenizer, NAMES, 4, "start")


@pytest.mark.parametrize("template", ["an icon of a {}.", "{} texture.", "{}", "a {} (small)"])
@pytest.mark.parametrize("name", ["cat", "747-200", "C-130", "what?", "magnifying_glass"])
def test_only_the_tokens_of_the_name_become_learnable(tokenizer, template, name):
    (prompt,) = class_prompts(tokenizer, [name], template)
    assert prompt.tokens == tokenise(tokenizer, template.format(name.replace("_", " ")))
    (learnt,), replaced = learn_names([prompt], first=5)
    assert learnt.name == [-6 - place for place in range(len(prompt.name))]
    assert replaced == prompt.name
    assert (learnt.before, learnt.after) == (prompt.before, prompt.after)
    spelt = tokenizer.decode(replaced).replace(" ", "")
    assert spelt.rstrip(".") == name.lower().replace("_", "")


def test_learnable_name_tokens_of_classes_differ(tokenizer):
    learnt, replaced = learn_names(class_prompts(tokenizer, NAMES, "a {}."), first=0)
    tokens = [token for prompt in learnt for token in prompt.name]
    assert tokens == [-1 - place for place in range(len(replaced))]
