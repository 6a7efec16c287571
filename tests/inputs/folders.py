"""Folders of images, as users may bring them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.inputs.indexing import Indexed
from tests.inputs.rows import Row, classes, images, png, read, refused, write

TEMPLATE = "a photo of a {}."
CLASSES = ("cat", "dog")


def folder(make: Callable[[Path], object]) -> Callable[[Path], dict]:
    """The options of a data set whose folder `make` fills; `make` may return further options."""

    def made(place: Path) -> dict:
        root = place / "own"
        root.mkdir()
        options = make(root)
        more = options if isinstance(options, dict) else {}
        return {"folder": str(root), "template": TEMPLATE, **more}

    return made


def splits(root: Path, *names: str, inside: tuple[str, ...] = CLASSES) -> None:
    for number, name in enumerate(names):
        classes(root / name, *inside, count=2, first=100 * number)


def has(**wanted) -> Callable[[Indexed], None]:
    """A check of a data set: its class names, its sizes, words of its notes."""

    def check(found: Indexed) -> None:
        for key, value in wanted.items():
            if key == "said":
                assert value in found.notes, found.notes
            elif key == "silent":
                assert found.notes == ""
            else:
                assert getattr(found, key) == value

    return check


def with_extra(*names: str, content: bytes = b"odd") -> Callable[[Path], None]:
    def make(root: Path) -> None:
        classes(root, *CLASSES)
        for name in names:
            write(root / name, content)

    return make


def linked(root: Path) -> None:
    classes(root.parent / "elsewhere", *CLASSES)
    for name in CLASSES:
        (root / name).symlink_to(root.parent / "elsewhere" / name)


def looped(root: Path) -> None:
    classes(root, *CLASSES)
    (root / "cat/again").symlink_to(root / "cat")
    (root / "dog/up").symlink_to(root)


def broken_link(root: Path) -> None:
    classes(root, *CLASSES)
    (root / "cat/gone.png").symlink_to(root / "nowhere.png")


def pipe(root: Path) -> None:
    classes(root, *CLASSES)
    os.mkfifo(root / "cat/pipe.png")


def no_utf8(root: Path) -> None:
    classes(root, *CLASSES)
    (root / "cat").rename(root / os.fsdecode(b"caf\xe9"))


def numbered(root: Path) -> None:
    classes(root, *map(str, range(12)))


def named(text: str) -> Callable[[Path], dict]:
    def make(root: Path) -> dict:
        classes(root, "0", "1")
        return {"names": str(write(root.parent / "names.csv", text))}

    return make


def equal(first: str, second: str) -> Callable[[Path], None]:
    """Write the same image at two paths."""

    def make(root: Path) -> None:
        classes(root, *CLASSES) if first.count("/") == 1 else splits(root, "train", "test")
        for name in (first, second):
            write(root / name, png(999))

    return make


def twins(root: Path) -> None:
    """Write every image of one class twice."""
    classes(root, *CLASSES, count=10)
    for image in sorted((root / "cat").iterdir()):
        shutil.copy(image, image.with_name(f"copy-{image.name}"))


def together(found: Indexed) -> None:
    cats = found.manifest[found.manifest.class_name == "cat"].copy()
    assert len(cats) == 20
    cats["number"] = cats.image.str.extract(r"(\d+)", expand=False)
    assert (cats.groupby("number").split.nunique() == 1).all()


def without_train(root: Path) -> None:
    splits(root, "train", "test")
    classes(root / "test", "bird", first=900)


def all_damaged(root: Path) -> dict:
    splits(root, "train", "test")
    for image in (root / "train/cat").iterdir():
        image.write_bytes(png()[:30])
    return {"on_bad_image": "skip"}


def damaged(root: Path) -> dict:
    classes(root, *CLASSES)
    write(root / "cat/0.png", png()[:40])
    return {"on_bad_image": "skip"}


EIGHT = {"train": 4, "val": 2, "test": 2}
FOUND = has(names=["cat", "dog"], sizes=EIGHT)
GIVEN = has(names=["cat", "dog"], sizes={"train": 4, "val": 0, "test": 4})
THREE = has(names=["cat", "dog"], sizes={"train": 4, "val": 4, "test": 4})

ROWS: list[Row] = [
    read("class folders", folder(lambda r: classes(r, *CLASSES)), "split at random", FOUND),
    read(
        "images below class folders, at any depth",
        folder(lambda r: images(r, [f"{c}/a/b{i}/{i}.png" for c in CLASSES for i in range(4)])),
        "split at random",
        FOUND,
    ),
    *(
        read(
            f"folders {', '.join(names)} with class folders",
            folder(lambda r, names=names: splits(r, *names)),
            "the given splits",
            GIVEN if len(names) == 2 else THREE,
        )
        for names in (
            ("train", "test"),
            ("Train", "TEST"),
            ("train", "val", "test"),
            ("train", "valid", "test"),
            ("training", "validation", "testing"),
        )
    ),
    read(
        "classes that are called train and car",
        folder(lambda r: classes(r, "train", "car")),
        "split at random, because no class folder lies in train",
        has(names=["car", "train"], sizes=EIGHT),
    ),
    refused(
        "splits, and another folder beside them",
        folder(lambda r: splits(r, "train", "test", "extra")),
        "own/extra: lies beside folders of splits (test, train); move it elsewhere",
    ),
    refused(
        "two folders of one split",
        folder(lambda r: splits(r, "train", "val", "valid", "test")),
        "val and valid are both folders of val",
    ),
    refused(
        "train alone",
        folder(lambda r: splits(r, "train")),
        "holds train, but no folder test; add one, or split the images in train at random",
    ),
    refused(
        "train and val without test",
        folder(lambda r: splits(r, "train", "val")),
        "holds train and val, but no folder test",
    ),
    refused(
        "test without train", folder(lambda r: splits(r, "test")), "holds test, but no folder train"
    ),
    refused(
        "images in train itself",
        folder(lambda r: (splits(r, "train", "test"), write(r / "train/a.png", png(77)))),
        "own/train/a.png: lies in no class folder",
    ),
    refused(
        "an image beside the class folders",
        folder(with_extra("a.png")),
        "own/a.png: lies in no class folder",
    ),
    refused(
        "a class with images in test and none in train",
        folder(without_train),
        "class 'bird' has no train images, but 4 test",
    ),
    refused(
        "a class whose train images are all damaged, with `on_bad_image: skip`",
        folder(all_damaged),
        "class 'cat' has no train images, but 2 test: the others were skipped as unreadable",
    ),
    read(
        "a damaged image, with `on_bad_image: skip`",
        folder(damaged),
        "left out, and named in the log",
        has(skipped=["cat/0.png"], said="cat/0.png: not readable as an image"),
    ),
    refused(
        "no folder at all",
        lambda place: {"folder": str(place / "no"), "template": TEMPLATE},
        "no such folder",
    ),
    refused("an empty folder", folder(lambda r: None), "holds no class folders"),
    refused(
        "only one class",
        folder(lambda r: classes(r, "cat")),
        "holds only one class, 'cat'",
    ),
    refused(
        "a folder around the folder that was meant",
        folder(lambda r: classes(r / "flowers", *CLASSES)),
        "holds only one class, 'flowers'; did you mean",
    ),
    refused(
        "an empty class folder",
        folder(lambda r: (classes(r, *CLASSES), (r / "eel").mkdir())),
        "class 'eel' has 0 images, too few to split",
    ),
    refused(
        "a class of one image",
        folder(lambda r: (classes(r, *CLASSES), classes(r, "eel", count=1, first=50))),
        "class 'eel' has 1 image, too few to split",
    ),
    read(
        "a class of two images",
        folder(lambda r: (classes(r, *CLASSES), classes(r, "eel", count=2, first=50))),
        "one goes to train, one to test",
        has(sizes={"train": 5, "val": 2, "test": 3}),
    ),
    *(
        read(
            f"`{name}` among the images",
            folder(with_extra(name)),
            "skipped, and counted",
            has(names=["cat", "dog"], sizes=EIGHT, said="1 files of systems and editors skipped"),
        )
        for name in (
            "cat/.ipynb_checkpoints/0-checkpoint.png",
            ".ipynb_checkpoints/0-checkpoint.png",
            "cat/._1.jpg",
            "cat/.DS_Store",
            "__MACOSX/cat/._1.png",
            "dog/Thumbs.db",
            "desktop.ini",
            "cat/@eaDir/0.png/thumb.jpg",
            "cat/0.png~",
        )
    ),
    read(
        "other files among the images",
        folder(with_extra("cat/a.txt", "cat/b.TXT", "dog/README")),
        "skipped, and counted by their endings",
        has(sizes=EIGHT, said="2 .txt skipped (cat/a.txt, cat/b.TXT)"),
    ),
    read(
        "images whose endings are unknown or missing",
        folder(lambda r: (classes(r, *CLASSES), images(r, ["cat/a.odd", "dog/a"], 50))),
        "read if Pillow can open them",
        has(sizes={"train": 4, "val": 2, "test": 4}, silent=True),
    ),
    read(
        "endings in mixed case",
        folder(
            lambda r: images(
                r,
                [
                    f"{c}/{i}.{e}"
                    for c in CLASSES
                    for i, e in enumerate(("PNG", "Png", "JPeG", "JFIF"))
                ],
            )
        ),
        "read",
        FOUND,
    ),
    read("class folders that are links", folder(linked), "followed", FOUND),
    read(
        "links in a circle",
        folder(looped),
        "followed once, then skipped",
        has(
            names=["cat", "dog"],
            said="2 links to folders that were read already skipped (cat/again, dog/up)",
        ),
    ),
    refused(
        "a link to nothing that is called an image",
        folder(broken_link),
        "nowhere.png: missing; the link",
    ),
    read(
        "a pipe that is called an image",
        folder(pipe),
        "skipped",
        has(sizes=EIGHT, said="1 pipes, devices or sockets skipped (cat/pipe.png)"),
    ),
    refused(
        "a folder whose name is not UTF-8", folder(no_utf8), "its name is not UTF-8; rename it"
    ),
    read(
        "names with quotes, line breaks, `$()`, semicolons",
        folder(
            lambda r: images(r, [f"{c} $(x); '\"\n/{i} `y`.png" for c in CLASSES for i in range(4)])
        ),
        "read",
        has(sizes=EIGHT),
    ),
    read(
        "folders 0 to 11",
        folder(numbered),
        "read in numeric order, with a note that these names carry no words",
        has(
            names=[str(i) for i in range(12)],
            said="class names such as 0, 1, 2, ... carry no words",
        ),
    ),
    read(
        "folders 0 and 1 with `names: names.csv`",
        folder(named("folder,class_name\n1,dog\n0,cat\n")),
        "named as in the table, in the order of the folders",
        has(names=["cat", "dog"], silent=True),
    ),
    refused(
        "`names` without one of the folders",
        folder(named("folder,class_name\n0,cat\n")),
        "has no name for the folder '1'",
    ),
    refused(
        "`names` with a folder that is not there",
        folder(named("folder,class_name\n0,cat\n1,dog\n2,eel\n")),
        "names a folder '2' that is not there",
    ),
    refused(
        "`names` without its columns",
        folder(named("a,b\n0,cat\n1,dog\n")),
        "needs the columns folder and class_name",
    ),
    refused(
        "`names` with one folder twice",
        folder(named("folder,class_name\n0,cat\n1,dog\n1,eel\n")),
        "rows 2 and 3 both name '1'",
    ),
    *(
        refused(
            f"classes {first!a} and {second!a}",
            folder(lambda r, first=first, second=second: classes(r, first, second)),
            "have the same name in a prompt; rename or join them",
        )
        for first, second in (
            ("Cat", "cat"),
            ("big_dog", "big dog"),
            ("café", "cafe\u0301"),
            ("t-shirt", "t - shirt"),
        )
    ),
    refused(
        "a class that is called `_`",
        folder(lambda r: classes(r, "_", "cat")),
        "class '_': nothing is left of its name in a prompt",
    ),
    read(
        "equal images in two classes",
        folder(equal("cat/a.png", "dog/b.png")),
        "put into one split, and noted with both paths",
        has(said="cat/a.png and dog/b.png are equal, but in two classes: 'cat' and 'dog'"),
    ),
    read(
        "equal images in two given splits",
        folder(equal("train/cat/a.png", "test/cat/b.png")),
        "kept, and noted with both paths",
        has(said="train/cat/a.png and test/cat/b.png are equal, but in two splits: train and test"),
    ),
    read("equal images in a class", folder(twins), "never split apart at random", together),
]
