"""Captions and looks of the drawings that the shipped backbones are pre-trained on."""

import numpy as np
import pytest
from captions import FILLERS, NOISE_TOKENS, TEMPLATES, Captioner, all_texts
from looks import COLOURS, LARGE, LIGHTNESS, SMALL, draw_looks, style_of
from vocabulary import Vocabulary
from words import aliases, categories, emoji_keywords, icon_tags

NAMES = ["bell", "shopping cart", "light bulb"]
SYNONYMS = {"bell": ["chime"]}
TAGS = {"bell": ["alarm", "sound"]}


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary([*NAMES, *all_texts(SYNONYMS, TAGS)], context_length=48)


def captions(vocabulary, noisy_share, name="bell", batches=60):
    """Captions of one name for many random looks, without start and end tokens."""
    captioner = Captioner(NAMES, SYNONYMS, TAGS, noisy_share)
    texts = []
    for seed in range(batches):
        rng = np.random.default_rng(seed)
        looks = draw_looks(rng, np.array([False, True] * 8), np.array(["filled", ""] * 8))
        texts += captioner.captions(rng, [name] * 16, looks, vocabulary.tokens_of)
    word_of = {number: token for token, number in vocabulary.index.items()}
    return [vocabulary.tokenizer.decode([word_of[n] for n in text]).strip() for text in texts]


def test_plain_captions_give_the_name_or_a_synonym_and_the_look(vocabulary):
    texts = captions(vocabulary, 0.0)
    assert all("bell" in text or "chime" in text for text in texts)
    assert 0.05 < np.mean(["chime" in text for text in texts]) < 0.25
    for word in ("filled", "colorful", "small", "large", "inverted", "alarm", "sound"):
        assert any(word in text for text in texts), word


def test_noisy_captions_hide_the_name_among_other_words(vocabulary):
    texts = captions(vocabulary, 1.0, "light bulb")
    allowed = {w for t in (*FILLERS, *NAMES, *SYNONYMS["bell"]) for w in t.split()} | {".", "icon"}
    assert {word for text in texts for word in text.split()} <= allowed
    assert all("light bulb" in text for text in texts)
    before = [len(text.split(" light bulb")[0].split()) for text in texts]
    assert max(NOISE_TOKENS.values()) >= max(before) > 16
    assert any("shopping cart" in text for text in texts)


def test_captions_fit_the_context_and_keep_their_end(vocabulary):
    captioner = Captioner(NAMES, SYNONYMS, TAGS, 0.5)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        looks = draw_looks(rng, np.zeros(8, bool), np.array(["outlined"] * 8))
        texts = captioner.captions(rng, ["light bulb"] * 8, looks, vocabulary.tokens_of)
        padded = vocabulary.pad(texts)
        assert padded.shape[1] <= 48
        assert (padded[:, 0] == vocabulary.start).all()
        assert (padded.max(axis=1) == vocabulary.end).all()
        ends = padded.argmax(axis=1)
        assert [list(row[1:end]) for row, end in zip(padded, ends, strict=True)] == texts


def test_looking_words_up_one_by_one_equals_tokenising_the_whole_text(vocabulary):
    for text in ("a light bulb.", "bell, alarm, sound", "the white button with a bell."):
        whole = [vocabulary.index[token] for token in vocabulary.tokenizer.encode(text)]
        assert vocabulary.tokens_of(text) == whole


def test_words_for_a_look_describe_it_correctly():
    rng = np.random.default_rng(1)
    looks = draw_looks(rng, np.zeros(400, bool), np.array([""] * 400))
    assert (looks.ink != looks.paper).all()
    for i in range(400):
        words = " ".join(looks.describe(i, rng) for _ in range(5)).split()
        lighter = LIGHTNESS[looks.ink[i]] > LIGHTNESS[looks.paper[i]]
        assert set(words) - {"small", "large", "inverted"} <= {COLOURS[looks.ink[i]]}
        assert "inverted" not in words or lighter
        assert "small" not in words or looks.scale[i] < SMALL
        assert "large" not in words or looks.scale[i] > LARGE


@pytest.mark.parametrize(
    ("icon_set", "icon", "style"),
    [
        ("fluent", "alert-24-regular", "outlined"),
        ("ph", "bell-duotone", "two-tone"),
        ("icon-park-solid", "bell", "filled"),
        ("ant-design", "bell-twotone", "two-tone"),
        ("feather", "bell", ""),
    ],
)
def test_styles_come_from_the_names_of_drawings_and_sets(icon_set, icon, style):
    assert style_of(icon_set, icon) == style


def test_synonyms_and_tags_of_an_icon_set_are_read():
    icon_set = {
        "suffixes": {"outline": "Outline"},
        "aliases": {
            "cog": {"parent": "gear"},
            "cog-outline": {"parent": "gear-outline"},
            "bx-gear": {"parent": "gear"},
            "arrow-right": {"parent": "arrow-left", "hFlip": True},
            "wmo4680": {"parent": "fog"},
        },
        "categories": {"InterfaceEssential": ["gear"], "Food & Drink": ["tea-cup"]},
    }
    assert list(aliases(icon_set)) == [("gear", "cog"), ("gear", "cog")]
    assert list(categories(icon_set)) == [
        ("gear", "interface essential"),
        ("tea cup", "food"),
        ("tea cup", "drink"),
    ]


def test_tags_of_the_word_lists_are_read():
    assert list(icon_tags({"arrow-left": ["Back", "<-"]})) == [("arrow left", "back")]
    found = emoji_keywords({"x": ["grinning_face", "happy", ":D", "big_smile"]})
    assert list(found) == [("grinning face", "happy"), ("grinning face", "big smile")]


def test_every_word_of_a_template_is_in_the_vocabulary(vocabulary):
    for template in (t for group in TEMPLATES.values() for t in group):
        text = template.format(name="bell", ink="navy", paper="teal", look="small", tag="alarm")
        assert vocabulary.tokens_of(text)
