"""Captions for drawings in pre-training. Pure functions of a random generator.

Captions resemble those on the web. Most describe the drawing, its look, its synonyms and tags, in
different lengths. In noisy captions the name stands after words that say nothing about the drawing:
fillers, and names of other drawings. The longest captions are longer than the contexts of prompt
tuning, so that every position of the text tower is trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from looks import COLOURS, STYLES, Looks

# Words for a template's {tag} where a name has no tags, and words before a name in noisy captions.
FILLERS = tuple(
    """
    the a of and for with in on at by to from free new best top big more all our your this that
    now how where when just get see use need want make buy sale price stock download vector svg
    png clip art web app site page blog post shop online premium set pack collection series style
    theme pixel size large small simple modern cute vintage flat clean nice great popular royalty
    number part version part day year week work team people business school summer winter north
    good first last next high low white dark bright full half illustration design graphic element
    concept isolated background template symbol sign logo label sketch draft copy original edit
    """.split()
)

# Grouped by length, because the longest caption decides how wide a batch is. {look} stands for one
# or more adjectives.
TEMPLATES = {
    "short": (
        "{name}",
        "{name}.",
        "a {name}.",
        "{name} icon",
        "an icon of a {name}.",
        "a drawing of a {name}.",
        "a picture of a {name}.",
        "the symbol for {name}.",
        "a {look} {name}.",
        "{name}, {tag}.",
    ),
    "middle": (
        "a {look} icon of a {name} on {paper}.",
        "a simple {look} drawing of a {name}.",
        "a clean icon of a {name}, drawn in {ink}.",
        "the {paper} button with a {look} {name}.",
        "{tag}, {tag}, {look}, {name}.",
        "{look} {name} icon, {tag}, {tag}",
        "{look} icon for {tag} and {tag}: {name}.",
        "a {look} symbol on {paper} for {name}.",
    ),
    "long": (
        "this is a {look} and clean drawing in {ink} ink on a {paper} background, as one finds it "
        "in the menus of many apps, of a {name}.",
        "from a large set of open icons that people drew for web pages and apps, here in {ink} on "
        "{paper}, the one that stands for {name}.",
        "a {look} picture that is {ink} on {paper}, sixty four pixels wide, of a {name}, which "
        "somebody drew once and gave to everyone who may need it.",
        "look at the {paper} screen: in one corner, drawn in {ink}, there is a {look} picture, and "
        "what it shows to you is a {name}.",
        "{tag}, {tag}, {tag}, {look}, {tag}, {ink} on {paper}, free icon for web pages and apps, "
        "{name}.",
    ),
}
LENGTHS = tuple(TEMPLATES)
LENGTH_SHARES = (0.5, 0.3, 0.2)
# Most tokens before the name in a noisy caption. The default context of prompt tuning has 16
# tokens, the longest 32.
NOISE_TOKENS = {"short": 8, "middle": 16, "long": 32}

SYNONYM_SHARE = 0.15  # how often a synonym replaces a name that has synonyms
OTHER_NAME_SHARE = 0.3  # how often noise is another name (two words on average), not a filler
ENDINGS = (".", "", " icon.", " free download")
ENDING_SHARES = (0.7, 0.1, 0.1, 0.1)


@dataclass(frozen=True)
class Captioner:
    """Writes captions for drawings. `tokens` maps a text to its tokens."""

    names: Sequence[str]  # of all drawings, for noisy captions
    synonyms: Mapping[str, Sequence[str]]
    tags: Mapping[str, Sequence[str]]
    noisy_share: float

    def captions(
        self, rng: np.random.Generator, names: Sequence[str], looks: Looks, tokens
    ) -> list[list[int]]:
        """Tokens of one caption per drawing; all captions have the same class of length."""
        length = LENGTHS[rng.choice(len(LENGTHS), p=LENGTH_SHARES)]
        noisy = rng.random(len(names)) < self.noisy_share
        return [
            self._noisy(rng, name, length, tokens)
            if noisy[i]
            else tokens(self._telling(rng, name, length, looks, i))
            for i, name in enumerate(self._called(rng, name) for name in names)
        ]

    def _called(self, rng: np.random.Generator, name: str) -> str:
        """The name, or sometimes one of its synonyms."""
        synonyms = self.synonyms.get(name)
        if synonyms and rng.random() < SYNONYM_SHARE:
            return synonyms[rng.integers(len(synonyms))]
        return name

    def _telling(
        self, rng: np.random.Generator, name: str, length: str, looks: Looks, i: int
    ) -> str:
        """A caption that describes the drawing."""
        template = TEMPLATES[length][rng.integers(len(TEMPLATES[length]))]
        tags = self.tags.get(name, FILLERS)
        while "{tag}" in template:
            template = template.replace("{tag}", tags[rng.integers(len(tags))], 1)
        if "{look}" in template:
            template = template.replace("{look}", looks.describe(i, rng))
        return template.format(name=name, ink=looks.ink_word(i), paper=looks.paper_word(i))

    def _noisy(self, rng: np.random.Generator, name: str, length: str, tokens) -> list[int]:
        """A caption whose words before the name say nothing about the drawing."""
        room = int(rng.integers(NOISE_TOKENS[length] + 1))
        before: list[int] = []
        more: list[int] = []
        while len(before) + len(more) <= room:
            before += more
            source = self.names if rng.random() < OTHER_NAME_SHARE else FILLERS
            more = tokens(source[rng.integers(len(source))])
        ending = ENDINGS[rng.choice(len(ENDINGS), p=ENDING_SHARES)]
        return before + tokens(name + ending)


def all_texts(
    synonyms: Mapping[str, Sequence[str]], tags: Mapping[str, Sequence[str]]
) -> list[str]:
    """Texts that together contain every token of every caption, except those of names."""
    templates = [t for group in TEMPLATES.values() for t in group]
    fields = {"name": "", "ink": "", "paper": "", "look": "", "tag": ""}
    words = [word for group in (synonyms, tags) for words in group.values() for word in words]
    plain = [template.format(**fields) for template in templates]
    return [*plain, *ENDINGS, *FILLERS, *COLOURS, "colorful", *STYLES, *words]
