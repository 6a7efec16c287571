"""The review page: one HTML file that contains everything, for a browser without a network."""

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ptnl.features.thumbnails import thumbnail
from ptnl.own.encode import Images
from ptnl.schemas import rows_of

THUMBNAIL_SIDE = 144  # pixels; smaller images are not enlarged
NEAREST = 4  # images shown of the given and of the suggested class
PLACE = "/*DATA*/null"


def review_page(
    images: Images,
    rows: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    ranking: pd.DataFrame,
    report: dict[str, Any],
    count: int,
) -> str:
    """The page of the first `count` labels of a ranking.

    Each is shown with the nearest images of the given and of the suggested class.

    Parameters
    ----------
    rows : (N) positions of the labelled images among all images
    labels : (N), their labels
    names : C class names
    """
    number = {name: position for position, name in enumerate(names)}
    position = {images.names[row]: place for place, row in enumerate(rows)}
    features = images.features[rows].astype(np.float32)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    of_class = [np.flatnonzero(labels == label) for label in range(len(names))]
    pictures = _Pictures(images, rows)
    items = []
    for row in rows_of(ranking.head(count)):
        place = position[row.image]

        def nearest(name: str, place: int = place) -> list[int]:
            members = of_class[number[name]]
            members = members[members != place]
            order = np.argsort(-(unit[members] @ unit[place]), kind="stable")[:NEAREST]
            return [pictures.number(member) for member in members[order]]

        items.append(
            {
                "image": row.image,
                "picture": pictures.number(place),
                "label": number[row.label],
                "suggested": number[row.suggested],
                "wrong": round(row.probability_wrong, 3),
                "duplicate": bool(row.duplicate_disagrees),
                "likeLabel": nearest(row.label),
                "likeSuggested": nearest(row.suggested),
            }
        )
    data = {
        "audit": report["id"],
        "classes": list(names),
        "items": items,
        "pictures": pictures.encoded,
        "labels": report["labels"],
    }
    page = (files("ptnl.own") / "templates/review.html").read_text(encoding="utf-8")
    # A name could hold </script>, so slashes after < are escaped, which JSON allows.
    return page.replace(PLACE, json.dumps(data, ensure_ascii=False).replace("</", "<\\/"), 1)


class _Pictures:
    """Thumbnails as data URLs; each image has only one."""

    def __init__(self, images: Images, rows: np.ndarray):
        self._paths = [images.folder / images.names[row] for row in rows]
        self._numbers: dict[int, int] = {}
        self.encoded: list[str] = []

    def number(self, place: int) -> int:
        """The number of an image's thumbnail; makes the thumbnail at the first call."""
        if place not in self._numbers:
            self._numbers[place] = len(self.encoded)
            self.encoded.append(_data_url(self._paths[place]))
        return self._numbers[place]


def _data_url(path: Path) -> str:
    return "data:image/webp;base64," + base64.b64encode(thumbnail(path, THUMBNAIL_SIDE)).decode()
