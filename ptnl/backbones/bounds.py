"""Limits on a model's configuration, so that building it ends and its outputs mean something.

The largest model of open_clip has an embedding of 1,536 numbers, a width of 1,792 and 56 layers.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ptnl.errors import InputError

# Key of a tower or model -> its least and greatest whole number.
SIZES = {
    "embed_dim": (1, 16_384),
    "width": (1, 16_384),
    "heads": (1, 1024),
    "head_width": (1, 1024),
    "layers": (1, 256),
    "context_length": (1, 4096),
    "vocab_size": (1, 1_000_000),
    "image_size": (1, 4096),
    "patch_size": (1, 1024),
}
RATIOS = {"mlp_ratio": (0.01, 64.0)}
IMAGES = "images that are not square"
INTERPOLATIONS = ("bicubic", "bilinear")
RESIZES = ("shortest", "squash")


def check_sizes(model: Mapping[str, Any]) -> None:
    """Refuse a `model_cfg` that no model can be built from in reasonable time and memory."""
    towers: dict[str, Mapping[str, Any]] = {}
    for name in ("text", "vision"):
        tower = model.get(f"{name}_cfg")
        if not isinstance(tower, Mapping):
            raise InputError(f"its {name}_cfg is {tower!r}, and not a table")
        towers[name] = tower
    for where, said in (("", model), *((f"{name}_cfg.", t) for name, t in towers.items())):
        for key, bounds in (SIZES | RATIOS).items():
            for value in _numbers(said.get(key)):
                is_right = isinstance(value, int) or (key in RATIOS and isinstance(value, float))
                if isinstance(value, bool) or not is_right or not bounds[0] <= value <= bounds[1]:
                    raise InputError(
                        f"its {where}{key} is {value!r}, which is not in {bounds[0]} to {bounds[1]}"
                    )
    size = towers["vision"].get("image_size")
    if isinstance(size, (list, tuple)) and len(set(size)) != 1:
        raise InputError(f"it takes {IMAGES}, {' x '.join(map(str, size))}")
    text = towers["text"]
    if {"width", "heads"} <= text.keys() and text["width"] % text["heads"]:
        raise InputError(f"its text width {text['width']} does not divide by {text['heads']} heads")


def check_preparation(said: Mapping[str, Any]) -> None:
    """Refuse a `preprocess_cfg` by which no image can be prepared."""
    if not isinstance(said, Mapping):
        raise InputError(f"its preprocess_cfg is {said!r}, and not a table")
    for key in ("mean", "std"):
        values = said.get(key, [1.0] * 3)
        is_right = isinstance(values, (list, tuple)) and len(values) == 3
        if not is_right or not all(_is_finite(v) and (key == "mean" or v > 0) for v in values):
            raise InputError(f"its preprocess_cfg.{key} is {values!r}, and not 3 numbers")
    for key, known in (("interpolation", INTERPOLATIONS), ("resize_mode", RESIZES)):
        if said.get(key, known[0]) not in known:
            raise InputError(
                f"its preprocess_cfg.{key} is {said[key]!r}, and not one of {', '.join(known)}"
            )


def _numbers(value: Any) -> Iterator[Any]:
    """A value, or those of a list: ModifiedResNet has layers by stage."""
    if value is not None:
        yield from value if isinstance(value, (list, tuple)) else (value,)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
