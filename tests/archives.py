"""Writes small archives of the paper's eight data sets in their official layouts.

Names, layouts, lists and the order of classes are the official ones. The pictures are made up: each
class has its own colour and stripes, and each image its own noise. Tests read these archives, and a
rehearsal of the whole paper study runs on them:

    python -m tests.archives FOLDER --url http://127.0.0.1:8000
    python -m http.server 8000 --bind 127.0.0.1 --directory FOLDER
    snakemake --configfile workflow/studies/paper.yaml FOLDER/study.yaml ...
"""

import argparse
import colorsys
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from scipy.io import savemat

GOLDEN = json.loads((Path(__file__).parent / "golden/coop_classes.json").read_text())
IMAGENET = {
    "n01440764": "tench",
    "n01443537": "goldfish",
    "n01484850": "great white shark",
    "n01491361": "tiger shark",
    "n01494475": "hammerhead shark",
    "n01496331": "electric ray",
    "n01498041": "stingray",
    "n01514668": "rooster",
    "n01514859": "hen",
    "n01518878": "ostrich",
    "n03773504": "missile",
    "n04008634": "missile",  # CLIP's list of names has this one twice
}
SIDE = 40  # pixels
Split = dict[str, list[tuple[str, int, str]]]  # as in CoOp's JSON: image, label, class name


@dataclass(frozen=True)
class Small:
    """The size of the made-up data sets: the largest number of classes, and images per class."""

    classes: int = 1000
    images: int = 40

    def names(self, dataset: str, key: str = "classes") -> list[str]:
        return GOLDEN[dataset][key][: self.classes]


def picture(dataset: str, label: int, number: int) -> bytes:
    """A JPEG with the colour and stripes of the class and the noise of the image."""
    seed = hashlib.sha256(f"{dataset}/{label}".encode()).digest()
    hue, angle, width = seed[0] / 256, np.pi * seed[1] / 256, 3 + seed[2] % 8
    rng = np.random.default_rng([label, number])
    y, x = np.mgrid[:SIDE, :SIDE]
    stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * np.pi / width + rng.random() * 6)
    colour = np.array(colorsys.hsv_to_rgb(hue, 0.7, 0.9))
    pixels = 255 * colour * (0.75 + 0.25 * stripes[..., None])
    pixels += rng.normal(0, 12, pixels.shape)
    data = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(data, "jpeg", quality=80)
    return data.getvalue()


def tar_bytes(members: Mapping[str, bytes], compressed: bool) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz" if compressed else "w") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return data.getvalue()


def class_folders(folder: Path, names: Sequence[str], count: int, suffix: str = ".jpg") -> Path:
    """Write `count` pictures of each class into a folder with its name; returns `folder`."""
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}{suffix}").write_bytes(picture("own", label, number))
    return folder


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar_bytes(members, compressed=path.suffix in (".gz", ".tgz")))


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def lines(rows: Iterator[str] | list[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def tenths(number: int) -> str:
    """The split of an image, by its number: 50 % train, 20 % val, 30 % test."""
    return "train" if number % 10 < 5 else "val" if number % 10 < 7 else "test"


def half_official(number: int) -> str:
    """The split of an image where the official one is trainval and test, of equal size.

    CoOp divides trainval further: 40 % of all images are train, 10 % val.
    """
    return "test" if number % 2 else "val" if number % 10 == 8 else "train"


def sizes_of(split: Split) -> dict[str, int]:
    return {name: len(rows) for name, rows in split.items()}


def new_split() -> Split:
    return {"train": [], "val": [], "test": []}


def write_split(path: Path, split: Split) -> dict[str, int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(split))
    return sizes_of(split)


def oxford_pets(folder: Path, small: Small) -> dict[str, int]:
    images, lists, split = {}, {"trainval": [], "test": []}, new_split()
    for label, first in enumerate(small.names("oxford_pets", "images")):
        breed = first.rsplit("_", 1)[0]
        for number in range(small.images):
            name, part = f"{breed}_{number + 1}", half_official(number)
            images[f"images/{name}.jpg"] = picture("oxford_pets", label, number)
            species = 1 if breed[0].isupper() else 2
            lists["test" if part == "test" else "trainval"].append(
                f"{name} {label + 1} {species} 1"
            )
            split[part].append((f"{name}.jpg", label, breed.lower()))
    write_tar(folder / "images.tar.gz", images)
    annotations = {f"annotations/{name}.txt": lines(rows) for name, rows in lists.items()}
    write_tar(folder / "annotations.tar.gz", annotations)
    return write_split(folder / "split_zhou_OxfordPets.json", split)


def folders(dataset: str, root: str, names: list[str], small: Small) -> tuple[dict, Split]:
    """Images, in one folder per class, and their split."""
    images, split = {}, new_split()
    for label, name in enumerate(names):
        for number in range(small.images):
            image = f"{name}/{name}_{number + 1:04d}.jpg"
            images[f"{root}/{image}"] = picture(dataset, label, number)
            split[tenths(number)].append((image, label, name))
    return images, split


def food101(folder: Path, small: Small) -> dict[str, int]:
    names = small.names("food101")
    images, split = folders("food101", "food-101/images", names, small)
    images["food-101/meta/classes.txt"] = lines(names)
    write_tar(folder / "food-101.tar.gz", images)
    return write_split(folder / "split_zhou_Food101.json", split)


def dtd(folder: Path, small: Small) -> dict[str, int]:
    images, split = folders("dtd", "dtd/images", small.names("dtd"), small)
    images["dtd/labels/train1.txt"] = b"unused\n"
    write_tar(folder / "dtd-r1.0.1.tar.gz", images)
    return write_split(folder / "split_zhou_DescribableTextures.json", split)


def caltech101(folder: Path, small: Small) -> dict[str, int]:
    root, images, split = "101_ObjectCategories", {}, new_split()
    names = small.names("caltech101")
    for label, name in enumerate(small.names("caltech101", "folders")):
        for number in range(small.images):
            image = f"{name}/image_{number + 1:04d}.jpg"
            images[f"{root}/{image}"] = picture("caltech101", label, number)
            split[tenths(number)].append((image, label, names[label]))
    for name in ("BACKGROUND_Google", "Faces_easy"):
        images[f"{root}/{name}/image_0001.jpg"] = picture("caltech101", 0, 0)
    write_zip(
        folder / "caltech-101.zip",
        {
            "caltech-101/101_ObjectCategories.tar.gz": tar_bytes(images, compressed=True),
            "caltech-101/Annotations.tar": tar_bytes({}, compressed=True),
            "__MACOSX/caltech-101/._101_ObjectCategories.tar.gz": b"",
        },
    )
    return write_split(folder / "split_zhou_Caltech101.json", split)


def flowers102(folder: Path, small: Small) -> dict[str, int]:
    names = small.names("flowers102")
    order = [label for label in GOLDEN["flowers102"]["order"] if label < len(names)]
    images, labels, split = {}, [], new_split()
    for label in order:
        for number in range(small.images):
            labels.append(label + 1)
            name = f"image_{len(labels):05d}.jpg"
            images[f"jpg/{name}"] = picture("flowers102", label, number)
            split[tenths(number)].append((name, label, names[label]))
    write_tar(folder / "102flowers.tgz", images)
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], np.uint8)})
    named = {str(label + 1): name for label, name in enumerate(names)}
    (folder / "cat_to_name.json").write_text(json.dumps(named))
    return write_split(folder / "split_zhou_OxfordFlowers.json", split)


def fgvc_aircraft(folder: Path, small: Small) -> dict[str, int]:
    root, names = "fgvc-aircraft-2013b/data", small.names("fgvc_aircraft")
    files, rows = {f"{root}/variants.txt": lines(names)}, new_split()
    for label, name in enumerate(names):
        for number in range(small.images):
            image = f"{1 + number * len(names) + label:07d}"
            files[f"{root}/images/{image}.jpg"] = picture("fgvc_aircraft", label, number)
            rows[tenths(number)].append((image, label, name))
    for split, listed in rows.items():
        files[f"{root}/images_variant_{split}.txt"] = lines(f"{i} {name}" for i, _, name in listed)
    write_tar(folder / "fgvc-aircraft-2013b.tar.gz", files)
    return sizes_of(rows)


def ucf101_lists(small: Small) -> Iterator[tuple[int, int, str, str, str]]:
    """Label, number, class name, action and video of every video."""
    for label, name in enumerate(small.names("ucf101")):
        action = name.replace("_", "")
        spelt = {"HandstandPushups": "HandStandPushups"}.get(action, action)
        for number in range(small.images):
            video = f"v_{spelt}_g{number // 4 + 1:02d}_c{number % 4 + 1:02d}"
            yield label, number, name, action, video


def ucf101(folder: Path, small: Small) -> dict[str, int]:
    frames, listed, split = {}, {"trainlist01": [], "testlist01": []}, new_split()
    actions = {}
    for label, number, name, action, video in ucf101_lists(small):
        actions[action] = label + 1
        part = half_official(number)
        frames[f"UCF-101-midframes/{name}/{video}.jpg"] = picture("ucf101", label, number)
        split[part].append((f"{name}/{video}.jpg", label, name))
        if part == "test":
            listed["testlist01"].append(f"{action}/{video}.avi")
        else:
            listed["trainlist01"].append(f"{action}/{video}.avi {label + 1}")
    write_zip(folder / "UCF-101-midframes.zip", frames)
    lists = {f"ucfTrainTestlist/{name}.txt": lines(rows) for name, rows in listed.items()}
    lists["ucfTrainTestlist/classInd.txt"] = lines(f"{i} {action}" for action, i in actions.items())
    write_zip(folder / "UCF101TrainTestSplits-RecognitionTask.zip", lists)
    return write_split(folder / "split_zhou_UCF101.json", split)


def video(label: int, number: int, frames: int = 5) -> bytes:
    """An AVI whose middle frame is the picture that `ucf101` writes; the others are black."""
    import av

    data = io.BytesIO()
    with av.open(data, "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for frame in range(frames):
            image = Image.new("RGB", (SIDE, SIDE))
            if frame == frames // 2:
                image = Image.open(io.BytesIO(picture("ucf101", label, number)))
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return data.getvalue()


def ucf101_videos(folder: Path, small: Small) -> None:
    """The videos whose middle frames `ucf101` writes."""
    videos = {
        f"UCF101/{action}/{name}.avi": video(label, number)
        for label, number, _, action, name in ucf101_lists(small)
    }
    write_zip(folder / "UCF101_videos.zip", videos)


def imagenet(folder: Path, small: Small) -> dict[str, int]:
    wnids = list(IMAGENET)[: small.classes]
    train, val, truth = {}, {}, []
    # The devkit does not number the classes in the order of their wnids.
    ids = {wnid: len(wnids) - label for label, wnid in enumerate(wnids)}
    for label, wnid in enumerate(wnids):
        images = {
            f"{wnid}_{number + 1}.JPEG": picture("imagenet", label, number)
            for number in range(small.images)
        }
        train[f"{wnid}.tar"] = tar_bytes(images, compressed=False)
    for number in range(10):
        for label, wnid in enumerate(wnids):
            truth.append(ids[wnid])
            name = f"ILSVRC2012_val_{len(truth):08d}.JPEG"
            val[name] = picture("imagenet", label, small.images + number)
    meta = io.BytesIO()
    kinds = [("ILSVRC2012_ID", "f8"), ("WNID", "O"), ("words", "O")]
    synsets = np.array([(ids[w], w, IMAGENET[w]) for w in wnids], dtype=kinds)
    savemat(meta, {"synsets": synsets.reshape(-1, 1)})
    write_tar(folder / "ILSVRC2012_img_train.tar", train)
    write_tar(folder / "ILSVRC2012_img_val.tar", val)
    data = "ILSVRC2012_devkit_t12/data"
    write_tar(
        folder / "ILSVRC2012_devkit_t12.tar.gz",
        {
            f"{data}/meta.mat": meta.getvalue(),
            f"{data}/ILSVRC2012_validation_ground_truth.txt": lines(map(str, truth)),
        },
    )
    (folder / "classnames.txt").write_bytes(lines(f"{w} {IMAGENET[w]}" for w in IMAGENET))
    return {"train": len(wnids) * small.images, "val": 0, "test": len(truth)}


BUILDERS = {
    "imagenet": imagenet,
    "caltech101": caltech101,
    "oxford_pets": oxford_pets,
    "flowers102": flowers102,
    "food101": food101,
    "fgvc_aircraft": fgvc_aircraft,
    "dtd": dtd,
    "ucf101": ucf101,
}


def write_sources(folder: Path, url: str = "") -> Path:
    """Write a table of sources for the files below `folder`; returns its path.

    Without a URL, the table asks the user to fetch the files by hand.
    """
    table = {}
    for dataset in BUILDERS:
        files = {}
        for path in sorted((folder / dataset).glob("*")):
            data = path.read_bytes()
            files[path.name] = {
                "urls": [f"{url}/{dataset}/{path.name}"] if url else [],
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
            }
        if files:
            table[dataset] = {"files": files}
    overlay = folder / "sources.yaml"
    overlay.write_text(yaml.safe_dump(table))
    return overlay


def build(folder: Path, small: Small, url: str) -> Path:
    """Write all archives, `sources.yaml` and the config overlay `study.yaml`; returns its path."""
    folder = folder.resolve()
    options = {}
    for dataset, builder in BUILDERS.items():
        (folder / dataset).mkdir(parents=True, exist_ok=True)
        options[dataset] = {"sizes": builder(folder / dataset, small)}
    options["imagenet"]["source"] = str(folder / "imagenet")
    study = folder / "study.yaml"
    study.write_text(
        yaml.safe_dump(
            {
                "data_root": str(folder / "data"),
                "sources": [str(write_sources(folder, url))],
                "dataset_options": options,
            }
        )
    )
    return study


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--classes", type=int, default=5, help="at most, per data set")
    arguments.add_argument("--images-per-class", type=int, default=40, help="a multiple of 10")
    arguments.add_argument("--url", default="http://127.0.0.1:8000", help="serves the folder")
    args = arguments.parse_args()
    print(build(args.folder, Small(args.classes, args.images_per_class), args.url))


if __name__ == "__main__":
    main()
