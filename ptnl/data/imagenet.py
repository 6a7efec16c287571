"""ImageNet (ILSVRC 2012) from the user's own copy: it is given out to registered users only."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives
from ptnl.data.splits import class_folders, manifest_of, read_lines
from ptnl.errors import InputError
from ptnl.fetch.extract import extract
from ptnl.fetch.ownership import discard, move

TRAIN, VAL = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
NAMES = "classnames.txt"
WNID = re.compile(r"n\d{8}")

HELP = (
    "imagenet cannot be fetched: register at image-net.org, then point the config at your copy, "
    "dataset_options: {imagenet: {source: FOLDER}}. FOLDER holds train/ and val/ with a folder for "
    f"every wnid, or {TRAIN}, {VAL} and {DEVKIT}"
)


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Link to the user's folders, or unpack the archives (see `ptnl.data.class_folders`).

    Without a `source`, the folder for files dropped by hand is looked into.
    """
    given = Path(options.get("source", archives.manual)).resolve()
    source = given / "images" if (given / "images/train").is_dir() else given  # CoOp's, or the rest
    images.mkdir(parents=True)
    if (source / "train").is_dir():
        (images / "train").symlink_to(source / "train")
    elif (source / TRAIN).is_file():
        _unpack_train(archives.given(source / TRAIN), images / "train")
    else:
        raise InputError(f"{source}: holds neither train/ nor {TRAIN}; {HELP}")
    _place_val(source, images, archives)
    if (given / NAMES).is_file():
        shutil.copyfile(given / NAMES, images / NAMES)
    else:
        archives.place(NAMES, images)
    return {"folder": str(given)}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; labels are the wnids in order, names those of CLIP's authors.

    The official validation images are the test split: as in CoOp, which validates on them too, and
    nothing here does.
    """
    names = _names(images / NAMES)
    train = dict(class_folders(images, "train"))
    unnamed = [wnid for wnid in train if wnid not in names]
    if unnamed:
        raise InputError(f"{images / NAMES}: has no name for {unnamed[0]}")
    test = dict(class_folders(images, "val"))
    if test.keys() != train.keys():
        odd = sorted(test.keys() ^ train.keys())[0]
        raise InputError(f"{images.resolve()}: {odd} is in one of train and val only")
    return manifest_of(
        {
            split: [
                (path, label, names[wnid])
                for label, (wnid, paths) in enumerate(folders.items())
                for path in paths
            ]
            for split, folders in (("train", train), ("test", test))
        }
    )


def _names(path: Path) -> dict[str, str]:
    """Class names by wnid, from lines of both."""
    lines = [line.partition(" ") for line in read_lines(path)]
    names = {wnid: name.strip() for wnid, _, name in lines}
    wrong = [wnid for wnid, name in names.items() if not (WNID.fullmatch(wnid) and name)]
    if wrong:
        raise InputError(f"{path}: {wrong[0]!r} is not a wnid with a class name behind it")
    return names


def _unpack_train(archive: Path, train: Path) -> None:
    """Unpack the archive of one archive a class."""
    with tempfile.TemporaryDirectory(dir=train.parent) as temporary:
        classes = Path(temporary) / "classes"
        extract(archive, classes)
        for inner in sorted(classes.glob("n*.tar")):
            extract(inner, train / inner.stem)
            discard(inner)  # both do not fit on every disk
    if not train.is_dir():
        raise InputError(f"{archive}: holds no n*.tar")


def _place_val(source: Path, images: Path, archives: Archives) -> None:
    """Make `images/val` hold a folder per wnid, as the official archive does not."""
    val = source / "val"
    if val.is_dir():
        if any(WNID.fullmatch(path.name) for path in val.iterdir()):
            (images / "val").symlink_to(val)
        else:
            for file, folder in _by_wnid(val, images / "val", source, archives):
                (folder / file.name).symlink_to(file)
    elif (source / VAL).is_file():
        flat = images / "flat"
        extract(archives.given(source / VAL), flat)
        for file, folder in _by_wnid(flat, images / "val", source, archives):
            move(file, folder / file.name)
        discard(flat)
    else:
        raise InputError(f"{source}: holds neither val/ nor {VAL}; {HELP}")


def _by_wnid(
    flat: Path, val: Path, source: Path, archives: Archives
) -> Iterator[tuple[Path, Path]]:
    """Each validation image, and the folder below `val` that it belongs into."""
    files = sorted(path for path in flat.iterdir() if path.suffix == ".JPEG")
    wnids = _val_wnids(source, archives)
    if len(files) != len(wnids):
        raise InputError(f"{source}: {len(files)} validation images, but {len(wnids)} labels")
    for file, wnid in zip(files, wnids, strict=True):
        folder = val / wnid
        folder.mkdir(parents=True, exist_ok=True)
        yield file, folder


def _val_wnids(source: Path, archives: Archives) -> list[str]:
    """The wnid of every validation image in the order of their numbers, from the devkit."""
    from scipy.io import loadmat  # takes a while to import; only the devkit needs it

    if not (source / DEVKIT).is_file():
        raise InputError(
            f"{source}: its validation images are in no folders by wnid, and there is no {DEVKIT} "
            "to sort them by"
        )
    with tempfile.TemporaryDirectory() as temporary:
        devkit = Path(temporary) / "devkit"
        extract(archives.given(source / DEVKIT), devkit)
        data = devkit / DEVKIT.removesuffix(".tar.gz") / "data"
        try:
            synsets = loadmat(data / "meta.mat", squeeze_me=True)["synsets"]
            wnids = {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in synsets}
            truth = (data / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
            return [wnids[int(number)] for number in truth]
        except Exception as error:  # scipy raises whatever its parser stumbles over
            raise InputError(
                f"{source / DEVKIT}: not the devkit of ILSVRC 2012 ({error})"
            ) from error
