"""An audit's labels in the formats of other tools, with suggestions if a format has them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pandas as pd
from PIL import Image

from ptnl.errors import InputError
from ptnl.io import write_bytes, write_text
from ptnl.own.audit import read_audit
from ptnl.own.names import read_table
from ptnl.provenance import commit


@dataclass(frozen=True)
class Labelled:
    """The labels that are exported."""

    images: Path  # the user's folder
    labels: dict[str, str]  # after corrections, if there were any
    classes: list[str]
    ranking: pd.DataFrame  # by image: suggested, probability_wrong

    def suggestion(self, image: str) -> tuple[str, float] | None:
        """The suggested label and its score, if the given label is unchanged and doubtful."""
        if image not in self.ranking.index:
            return None
        row: Any = self.ranking.loc[image]
        if row.label != self.labels[image] or float(row.probability_wrong) <= 0.5:
            return None
        return row.suggested, float(row.probability_wrong)


def export(kind: str, folder: Path, corrected: Path) -> str:
    """Write an audit's labels in a format of `FORMATS`, below its folder; returns the next step."""
    report, labels, ranking = read_audit(folder)
    images = Path(report["folder"])
    if not images.is_dir():
        raise InputError(f"{images}: the images of {folder} are no longer there")
    if corrected.exists():
        table = read_table(corrected)
        labels = dict(zip(table.image, table.label, strict=True))
    labelled = Labelled(images, labels, report["classes"], ranking.set_index("image"))
    return FORMATS[kind](labelled, folder / kind)


def label_studio(labelled: Labelled, out: Path) -> str:
    """Write Label Studio's tasks with annotations and predictions, and a labelling configuration.

    Images are named as Label Studio's local storage serves them, from the parent of their folder.
    """
    choices = ET.Element("View")
    ET.SubElement(choices, "Image", name="image", value="$image")
    asked = ET.SubElement(choices, "Choices", name="label", toName="image", showInline="true")
    for name in labelled.classes:
        ET.SubElement(asked, "Choice", value=name)

    def result(label: str) -> dict[str, Any]:
        value = {"choices": [label]}
        return {"from_name": "label", "to_name": "image", "type": "choices", "value": value}

    tasks = []
    for image, label in labelled.labels.items():
        served = quote(f"{labelled.images.name}/{image}")
        task = {
            "data": {"image": f"/data/local-files/?d={served}", "name": image},
            "annotations": [{"result": [result(label)]}],
        }
        if (suggested := labelled.suggestion(image)) is not None:
            name, score = suggested
            task["predictions"] = [
                {"model_version": f"ptnl {commit()}", "score": score, "result": [result(name)]}
            ]
        tasks.append(task)
    text = json.dumps(tasks, indent=1, ensure_ascii=False)
    write_text(text + "\n", out / "tasks.json", replaces=True)
    write_text(ET.tostring(choices, encoding="unicode") + "\n", out / "config.xml", replaces=True)
    root = labelled.images.parent
    return (
        f"{out / 'tasks.json'}: import it into a Label Studio project with {out / 'config.xml'}; "
        f"start it with LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={root}"
    )


def cvat(labelled: Labelled, out: Path) -> str:
    """Write "CVAT for images 1.1": annotations with a tag per image, and a link to the images.

    CVAT needs only the annotations, but Datumaro, which reads its format, needs the images, too.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    known = ET.SubElement(task, "labels")
    for name in labelled.classes:
        ET.SubElement(ET.SubElement(known, "label"), "name").text = name
    for number, (image, label) in enumerate(labelled.labels.items()):
        with Image.open(labelled.images / image) as opened:
            width, height = opened.size
        entry = ET.SubElement(
            root, "image", id=str(number), name=image, width=str(width), height=str(height)
        )
        ET.SubElement(entry, "tag", label=label, source="manual")
    ET.indent(root)
    content = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    write_bytes(content, out / "annotations.xml", replaces=True)
    link_folder(out / "images", labelled.images)
    return f"{out / 'annotations.xml'}: upload it to a CVAT task of the images"


def link_folder(link: Path, folder: Path) -> None:
    """Make a link to a folder unless it exists; anything else in its place is an `InputError`."""
    if link.is_symlink() and link.readlink() == folder:
        return
    if link.is_symlink() or link.exists():
        raise InputError(f"{link}: is there, and is no link to {folder}; move it elsewhere")
    link.symlink_to(folder)


def fiftyone(labelled: Labelled, out: Path) -> str:
    """Write FiftyOne's samples, with the label as ground_truth, and with suggestions."""
    samples = []
    for image, label in labelled.labels.items():
        sample = {
            "filepath": str(labelled.images / image),
            "tags": [],
            "ground_truth": {"_cls": "Classification", "label": label},
        }
        if (suggested := labelled.suggestion(image)) is not None:
            name, score = suggested
            sample["tags"] = ["doubted"]
            sample["suggested"] = {"_cls": "Classification", "label": name, "confidence": score}
        samples.append(sample)
    text = json.dumps({"samples": samples}, indent=1, ensure_ascii=False)
    write_text(text + "\n", out / "samples.json", replaces=True)
    return f"{out / 'samples.json'}: fo.Sample.from_dict takes each of its samples"


def image_folder(labelled: Labelled, out: Path) -> str:
    """Make one folder per class, with links to the images."""
    for path in list(out.rglob("*")):
        if path.is_symlink() and path.readlink().is_relative_to(labelled.images):  # an old link
            path.unlink()
    for name in labelled.classes:
        if name in (".", "..") or "/" in name or "\0" in name:
            raise InputError(f"class {name!r} cannot be a folder's name")
    for image, label in labelled.labels.items():
        link = out / label / image.replace("/", "__")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(labelled.images / image)
    return f"{out}: one folder per class, of links to the images"


FORMATS: dict[str, Callable[[Labelled, Path], str]] = {
    "labelstudio": label_studio,
    "cvat": cvat,
    "fiftyone": fiftyone,
    "imagefolder": image_folder,
}
