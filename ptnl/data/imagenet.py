"""ImageNet (ILSVRC 2012) from the user's own copy: it is given out to registered users only."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives
from ptnl.data.splits import class_folders, manifest_of
from ptnl.errors import InputError
from ptnl.extract import extract

TRAIN, VAL = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
NAMES = "classnames.txt"
WNID = re.compile(r"n\d{8}")

HELP = (
    "imagenet cannot be fetched: register at image-net.org, then point the config at your copy, "
    "dataset_options: {imagenet: {source: FOLDER}}. FOLDER holds train/ and val/ with a folder for "
    f"every wnid, or {TRAIN}, {VAL} and {DEVKIT}"
)


def download(dataset: str, images: Path, options: Mapping[str, Any], archives: Archives) -> dict:
    """Link to the user's folders, or unpack the archives (see `ptnl.data.dtd`).

    Without a `source`, the folder for files dropped by hand is looked into.
    """
    source = Path(options.get("source", archives.manual)).resolve()
    images.mkdir(parents=True)
    if (source / "train").is_dir():
        (images / "train").symlink_to(source / "train")
    elif (source / TRAIN).is_file():
        _unpack_train(source / TRAIN, images / "train")
    else:
        raise InputError(f"{source}: holds neither train/ nor {TRAIN}; {HELP}")
    _place_val(source, images)
    if (source / NAMES).is_file():
        shutil.copyfile(source / NAMES, images / NAMES)
    else:
        archives.place(NAMES, images)
    return {"source": str(source), "splits": "official"}


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
    lines = [line.partition(" ") for line in path.read_text().splitlines() if line.strip()]
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
            inner.unlink()  # both do not fit on every disk
    if not train.is_dir():
        raise InputError(f"{archive}: holds no n*.tar")


def _place_val(source: Path, images: Path) -> None:
    """Make `images/val` hold a folder a wnid, as official archives do not."""
    val = source / "val"
    if not val.is_dir():
        if not (source / VAL).is_file():
            raise InputError(f"{source}: holds neither val/ nor {VAL}; {HELP}")
        val = images / "val-flat"
        extract(source / VAL, val)
    if any(WNID.fullmatch(path.name) for path in val.iterdir() if path.is_dir()):
        (images / "val").symlink_to(val)
        return
    wnids = _val_wnids(source)
    files = sorted(path for path in val.iterdir() if path.suffix == ".JPEG")
    if len(files) != len(wnids):
        raise InputError(f"{source}: {len(files)} validation images, but {len(wnids)} labels")
    for file, wnid in zip(files, wnids, strict=True):
        folder = images / "val" / wnid
        folder.mkdir(parents=True, exist_ok=True)
        if val.is_relative_to(images):
            file.replace(folder / file.name)
        else:
            (folder / file.name).symlink_to(file)
    if val.is_relative_to(images):
        val.rmdir()


def _val_wnids(source: Path) -> list[str]:
    """The wnid of every validation image in the order of their numbers, from the devkit."""
    from scipy.io import loadmat  # takes a while to import; only the devkit needs it

    with tempfile.TemporaryDirectory() as temporary:
        devkit = source / DEVKIT.removesuffix(".tar.gz")
        if not devkit.is_dir():
            if not (source / DEVKIT).is_file():
                raise InputError(
                    f"{source}: its validation images are in no folders by wnid, and there is no "
                    f"{DEVKIT} to sort them by"
                )
            extract(source / DEVKIT, Path(temporary) / "devkit")
            devkit = Path(temporary) / "devkit" / devkit.name
        data = devkit / "data"
        try:
            synsets = loadmat(data / "meta.mat", squeeze_me=True)["synsets"]
            wnids = {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in synsets}
            truth = (data / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
            return [wnids[int(number)] for number in truth]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{data}: not the devkit of ILSVRC 2012 ({error})") from error
