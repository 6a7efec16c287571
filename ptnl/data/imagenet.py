"""ImageNet (ILSVRC 2012) from the user's copy, as only registered users may download it."""

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
    "imagenet cannot be fetched: register at image-net.org, download it, and name your copy: "
    "dataset_options: {imagenet: {source: FOLDER}}. FOLDER holds train/ and val/ with a folder for "
    f"each wnid, or {TRAIN}, {VAL} and {DEVKIT}"
)


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Link to the user's folders, or unpack the archives (see `ptnl.data.class_folders`).

    Without the option `source`, they are looked for in the folder of files put there by hand.
    """
    given = Path(options.get("source", archives.manual)).resolve()
    # CoOp's layout has a folder `images`; the official one does not.
    source = given / "images" if (given / "images/train").is_dir() else given
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
    """The manifest; labels follow the order of wnids, names are those of CLIP's authors.

    As in CoOp, the official validation images are the test split. (CoOp also validates on them;
    nothing here does.)
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
    """Wnid -> class name, from a file whose lines hold both."""
    lines = [line.partition(" ") for line in read_lines(path)]
    names = {wnid: name.strip() for wnid, _, name in lines}
    wrong = [wnid for wnid, name in names.items() if not (WNID.fullmatch(wnid) and name)]
    if wrong:
        raise InputError(f"{path}: {wrong[0]!r} is not a wnid followed by a class name")
    return names


def _unpack_train(archive: Path, train: Path) -> None:
    """Unpack the archive that holds one archive per class."""
    with tempfile.TemporaryDirectory(dir=train.parent) as temporary:
        classes = Path(temporary) / "classes"
        extract(archive, classes)
        for inner in sorted(classes.glob("n*.tar")):
            extract(inner, train / inner.stem)
            discard(inner)  # not every disk has room for both
    if not train.is_dir():
        raise InputError(f"{archive}: holds no n*.tar")


def _place_val(source: Path, images: Path, archives: Archives) -> None:
    """Sort the validation images into one folder per wnid, as the official archive does not."""
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
    """(validation image, its folder below `val`)."""
    files = sorted(path for path in flat.iterdir() if path.suffix == ".JPEG")
    wnids = _val_wnids(source, archives)
    if len(files) != len(wnids):
        raise InputError(f"{source}: {len(files)} validation images, but {len(wnids)} labels")
    for file, wnid in zip(files, wnids, strict=True):
        folder = val / wnid
        folder.mkdir(parents=True, exist_ok=True)
        yield file, folder


def _val_wnids(source: Path, archives: Archives) -> list[str]:
    """The wnid of every validation image, in the order of their numbers, from the devkit."""
    from scipy.io import loadmat  # slow to import, and only needed for the devkit

    if not (source / DEVKIT).is_file():
        raise InputError(
            f"{source}: its validation images are not in folders named by wnid, and {DEVKIT}, "
            "which says where they belong, is missing"
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
        except Exception as error:  # scipy may raise any exception on a damaged file
            raise InputError(
                f"{source / DEVKIT}: not the devkit of ILSVRC 2012 ({error})"
            ) from error
