"""What the drawings are called and how they are painted in pre-training. Pure, seeded.

Captions vary in length up to the context that prompt tuning will use, so that every position of
the text tower is trained, and they speak of the colours that the drawing was given, so that the
words around a name mean something.
"""

from dataclasses import dataclass

import numpy as np

PALETTE = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "red": (214, 40, 40),
    "orange": (244, 140, 6),
    "yellow": (250, 210, 30),
    "green": (40, 160, 70),
    "teal": (20, 150, 150),
    "blue": (40, 90, 210),
    "navy": (20, 30, 90),
    "purple": (120, 50, 170),
    "pink": (240, 120, 170),
    "brown": (120, 75, 40),
}
COLOURS = tuple(PALETTE)
BLACK, WHITE = COLOURS.index("black"), COLOURS.index("white")

# By length, because a batch is as wide as its longest caption.
TEMPLATES = {
    "short": (
        "{name}.",
        "a {name}.",
        "an icon of a {name}.",
        "a drawing of a {name}.",
        "a picture of a {name}.",
        "the symbol for {name}.",
    ),
    "middle": (
        "a small {ink} icon of a {name} on {paper}.",
        "a simple drawing in {ink} of a {name}.",
        "a clean and flat icon of a {name}, drawn in {ink}.",
        "the {paper} button with a {ink} {name}.",
    ),
    "long": (
        "this is a small, simple and clean drawing in {ink} ink on a {paper} background, as one "
        "finds it in the menus of many apps, of a {name}.",
        "from a large set of open icons that people drew for web pages and apps, here in {ink} on "
        "{paper}, the one that stands for {name}.",
        "a picture that is {ink} on {paper}, sixty four pixels wide, of a {name}, which somebody "
        "drew once and gave to everyone who may need it.",
        "look at the {paper} screen: in one corner, drawn in {ink}, there is a small picture, and "
        "what it shows to you is a {name}.",
    ),
}
LENGTHS = tuple(TEMPLATES)
LENGTH_SHARES = (0.65, 0.2, 0.15)


@dataclass(frozen=True)
class Look:
    """How a batch is captioned and painted: one template length, one of each below a drawing."""

    length: str
    template: np.ndarray  # index into TEMPLATES[length]
    ink: np.ndarray  # index into COLOURS
    paper: np.ndarray  # index into COLOURS, never the ink


def draw_look(rng: np.random.Generator, batch_size: int) -> Look:
    """Random captions and colours for a batch; 40 % are black on white, as most icons are."""
    length = LENGTHS[rng.choice(len(LENGTHS), p=LENGTH_SHARES)]
    template = rng.integers(len(TEMPLATES[length]), size=batch_size)
    ink = rng.integers(len(COLOURS), size=batch_size)
    paper = (ink + rng.integers(1, len(COLOURS), size=batch_size)) % len(COLOURS)
    plain = rng.random(batch_size) < 0.4
    return Look(length, template, np.where(plain, BLACK, ink), np.where(plain, WHITE, paper))


def captions(look: Look, names: list[str], coloured: np.ndarray) -> list[str]:
    """One caption per drawing; a drawing with colours of its own is called colourful."""
    return [
        TEMPLATES[look.length][t].format(
            name=name, ink="colorful" if own else COLOURS[i], paper=COLOURS[p]
        )
        for name, own, t, i, p in zip(
            names, coloured, look.template, look.ink, look.paper, strict=True
        )
    ]


def all_words() -> list[str]:
    """Texts that together contain every token of every template and colour."""
    templates = [t for group in TEMPLATES.values() for t in group]
    return [
        template.format(name="", ink=colour, paper=colour)
        for template in templates
        for colour in (*COLOURS, "colorful")
    ]
