"""Features of the user's images, from the cache or encoded, with bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from ptnl.errors import InputError
from ptnl.features.encode import ImageEncoder, prepared, stacked
from ptnl.features.images import Item, Result, computed_ahead, read_pixels
from ptnl.own.cache import THUMBNAIL, Cache, Encoded, digest_of

CHUNK = 1024  # images between two commits of the cache; a killed call loses at most so many


@dataclass(frozen=True)
class Part:
    """The readable ones among some consecutive images."""

    rows: np.ndarray  # (n) positions among all images
    digests: list[bytes]  # n
    encoded: list[Encoded]  # n
    unreadable: dict[int, str]  # position -> what is wrong


@dataclass(frozen=True)
class Images:
    """N readable images of a folder."""

    folder: Path
    names: list[str]  # N paths below the folder
    features: np.ndarray  # (N, D) in float16, not normalised
    digests: list[bytes]  # N
    sizes: np.ndarray  # (N, 2) width and height in pixels
    light: np.ndarray  # (N, 2) mean and standard deviation of the prepared image, 0 to 255
    thumbnails: np.ndarray  # (N, THUMBNAIL, THUMBNAIL) in uint8
    unreadable: dict[str, str]  # image -> what is wrong


def parts(
    paths: Sequence[Path], encoder: ImageEncoder, cache: Cache, threads: int
) -> Iterator[Part]:
    """Yield the images in order, part by part; a part is in the cache before it is yielded."""
    with tqdm(total=len(paths), unit=" images", mininterval=1) as progress:
        for first in range(0, len(paths), CHUNK):
            part = paths[first : first + CHUNK]
            yield _part(first, part, encoder, cache, threads)
            progress.update(len(part))


def read_all(
    folder: Path, names: Sequence[str], encoder: ImageEncoder, cache: Cache, threads: int
) -> Images:
    """Read all images of a folder; those that cannot be read are listed with the reason.

    Raises `InputError` if none can be read.
    """
    features = np.empty((len(names), encoder.dimension), np.float16)
    thumbnails = np.empty((len(names), THUMBNAIL, THUMBNAIL), np.uint8)
    sizes, light = np.empty((len(names), 2), np.int64), np.empty((len(names), 2))
    count, digests, rows = 0, [], []
    unreadable: dict[str, str] = {}
    for part in parts([folder / name for name in names], encoder, cache, threads):
        for row, digest, encoded in zip(part.rows, part.digests, part.encoded, strict=True):
            features[count], thumbnails[count] = encoded.feature, encoded.thumbnail
            sizes[count] = encoded.width, encoded.height
            light[count] = encoded.mean, encoded.spread
            digests.append(digest)
            rows.append(row)
            count += 1
        unreadable |= {names[row]: why for row, why in part.unreadable.items()}
    if not count:
        raise InputError(f"{folder}: none of its {len(names)} images can be read")
    return Images(
        folder,
        [names[row] for row in rows],
        features[:count],
        digests,
        sizes[:count],
        light[:count],
        thumbnails[:count],
        unreadable,
    )


def _part(
    first: int, paths: Sequence[Path], encoder: ImageEncoder, cache: Cache, threads: int
) -> Part:
    unreadable: dict[int, str] = {}
    digests: dict[int, bytes] = {}
    for row, digest in enumerate(computed_ahead(_caught(digest_of), paths, threads, CHUNK)):
        if isinstance(digest, InputError):
            unreadable[first + row] = str(digest)
        else:
            digests[row] = digest
    known = cache.find(list(dict.fromkeys(digests.values())))
    new = {digest: row for row, digest in digests.items() if digest not in known}
    known |= _encoded(new, paths, encoder, cache, threads, unreadable, first)
    rows = [row for row, digest in digests.items() if digest in known]
    for row, digest in digests.items():
        if digest not in known and first + row not in unreadable:  # a copy of an unreadable file
            unreadable[first + row] = f"{paths[row]}: not readable as an image"
    return Part(
        np.array([first + row for row in rows], dtype=np.int64),
        [digests[row] for row in rows],
        [known[digests[row]] for row in rows],
        unreadable,
    )


def _encoded(
    new: dict[bytes, int],
    paths: Sequence[Path],
    encoder: ImageEncoder,
    cache: Cache,
    threads: int,
    unreadable: dict[int, str],
    first: int,
) -> dict[bytes, Encoded]:
    """Encode the images that are not in the cache, and add them."""
    size, preprocess = encoder.backbone.image_size, encoder.backbone.preprocess

    def read(path: Path) -> tuple[tuple[int, int], Tensor]:
        pixels = read_pixels(path)
        return (pixels.shape[2], pixels.shape[1]), prepared(pixels, size, preprocess)

    waiting: list[tuple[bytes, tuple[int, int], Tensor]] = []
    done: dict[bytes, Encoded] = {}

    def encode() -> None:
        if not waiting:
            return
        pixels = stacked([image for *_, image in waiting])
        for (digest, sides, image), feature in zip(waiting, encoder(pixels).numpy(), strict=True):
            done[digest] = _described(feature, sides, image)
        waiting.clear()

    read_ahead = computed_ahead(
        _caught(read), [paths[row] for row in new.values()], threads, encoder.ahead
    )
    for (digest, row), result in zip(new.items(), read_ahead, strict=True):
        if isinstance(result, InputError):
            unreadable[first + row] = str(result)
            continue
        waiting.append((digest, *result))
        if len(waiting) == encoder.batch:
            encode()
    encode()
    for digest in [d for d, e in done.items() if not np.isfinite(e.feature).all()]:
        raise InputError(
            f"{paths[new[digest]]}: its features are not finite; encode with --precision float32"
        )
    cache.keep(done)
    return done


def _caught(function: Callable[[Item], Result]) -> Callable[[Item], Result | InputError]:
    """The same function, which returns an `InputError` instead of raising it."""

    def call(item: Item) -> Result | InputError:
        try:
            return function(item)
        except InputError as error:
            return error

    return call


def _described(feature: np.ndarray, sides: tuple[int, int], image: Tensor) -> Encoded:
    grey = image.float().mean(dim=0, keepdim=True)
    small = F.resize(grey, [THUMBNAIL, THUMBNAIL], antialias=True)[0]
    return Encoded(
        feature,
        *sides,
        float(grey.mean()),
        float(grey.std()),
        small.round().clamp(0, 255).to(torch.uint8).numpy(),
    )
