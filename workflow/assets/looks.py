"""How drawings look in pre-training: ink, paper, size, style. Pure functions of a generator."""

import math
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
PLAIN_SHARE = 0.4  # black on white, as most icons are
LIGHTNESS = np.array([sum(rgb) for rgb in PALETTE.values()])

# Style of drawings, as captions call it -> what icon sets call it.
STYLE_OF = {
    "outlined": "outline outlined line linear lined stroke regular",
    "thin": "thin light",
    "bold": "bold bolder",
    "filled": "fill filled solid glyph",
    "two-tone": "twotone duotone duo",
    "rounded": "rounded round",
    "sharp": "sharp",
}
STYLE_OF = {word: style for style, words in STYLE_OF.items() for word in words.split()}
SMALL, LARGE = 0.85, 1.02  # scales below and above which captions may call a drawing so
STYLES = (*dict.fromkeys(STYLE_OF.values()), "small", "large", "inverted")
SAID = 0.6  # how often a caption uses an adjective that fits


def style_of(icon_set: str, icon: str) -> str:
    """The style in the name of a drawing or of its set; empty if they name none."""
    for word in (*reversed(icon.split("-")), *reversed(icon_set.split("-"))):
        if word in STYLE_OF:
            return STYLE_OF[word]
    return ""


@dataclass(frozen=True)
class Looks:
    """How the drawings of a batch look."""

    coloured: np.ndarray  # has its own colours
    style: np.ndarray
    ink: np.ndarray  # index into COLOURS
    paper: np.ndarray  # index into COLOURS, never the ink
    affine: np.ndarray  # (batch, 2, 3): maps each output pixel to its place in the drawing
    scale: np.ndarray  # of the drawing; 1 fills the frame

    def ink_word(self, i: int) -> str:
        """What a caption calls the colour of drawing `i`."""
        return "colorful" if self.coloured[i] else COLOURS[self.ink[i]]

    def paper_word(self, i: int) -> str:
        """What a caption calls the colour behind drawing `i`."""
        return COLOURS[self.paper[i]]

    def describe(self, i: int, rng: np.random.Generator) -> str:
        """A random choice of adjectives for drawing `i`; its colour if none is chosen."""
        words = [self.style[i], self.ink_word(i)]
        if self.scale[i] < SMALL:
            words.append("small")
        elif self.scale[i] > LARGE:
            words.append("large")
        if not self.coloured[i] and LIGHTNESS[self.ink[i]] > LIGHTNESS[self.paper[i]]:
            words.append("inverted")
        said = [word for word in words if word and rng.random() < SAID]
        return " ".join(said) or self.ink_word(i)


def draw_looks(rng: np.random.Generator, coloured: np.ndarray, style: np.ndarray) -> Looks:
    """Random colours, small scalings, shifts and turns; no flips, which would change the name."""
    batch = len(coloured)
    ink = rng.integers(len(COLOURS), size=batch)
    paper = (ink + rng.integers(1, len(COLOURS), size=batch)) % len(COLOURS)
    plain = rng.random(batch) < PLAIN_SHARE
    angle = rng.normal(0, math.radians(4), batch)
    scale = rng.uniform(0.75, 1.1, batch)
    aspect = np.exp(rng.normal(0, 0.05, batch))
    shift = rng.uniform(-0.12, 0.12, (2, batch))
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    affine = np.array([[cos * aspect, -sin, shift[0]], [sin, cos / aspect, shift[1]]])
    return Looks(
        coloured,
        style,
        np.where(plain, BLACK, ink),
        np.where(plain, WHITE, paper),
        affine.transpose(2, 0, 1).astype(np.float32),
        scale,
    )
