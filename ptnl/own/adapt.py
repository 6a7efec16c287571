"""Adapt a model to a folder of images, and write it to an adapted folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.errors import InputError
from ptnl.own.adaptation import TITLES, Adaptation, adapt_features
from ptnl.own.adapted import MARK, MARKED_AS, AdaptedModel, write_adapted
from ptnl.own.card import model_card
from ptnl.own.duplicates import copies
from ptnl.own.encode import Images
from ptnl.own.inputs import UNLABELLED, label_numbers, list_images, read_labels
from ptnl.own.names import DEFAULT_TEMPLATE, Classes, check_template, checked_names, read_classes
from ptnl.own.output import claim
from ptnl.own.prompts import SHOTS
from ptnl.own.session import Session
from ptnl.provenance import made_by

NEARLY_THE_SAME_NAME = 0.9  # cosine similarity of two text embeddings after removing the mean
TINY_CLASS = 4  # labelled images
NAMED = 5  # classes that a warning names


def adapt(
    images: str | Path,
    classes: str | Path | list[str],
    labels: str | Path | None = None,
    out: str | Path | None = None,
    template: str = DEFAULT_TEMPLATE,
    shots: int = SHOTS,
    session: Session | None = None,
) -> AdaptedModel:
    """Adapt a CLIP model to a folder of images.

    Parameters
    ----------
    images : folder of images, which may be in subfolders
    classes : names, or a file of them (see `ptnl.own.names.read_classes`)
    labels : table of image and label, or "folders"; without it, zero-shot predictions are used
    out : folder for the model; without it, nothing is written
    template : hand-crafted prompt, with {} for the class
    shots : images per class that a prompt is tuned on
    session : backbone, device, threads and cache

    Raises
    ------
    InputError
        Something in the input is wrong; the sentence says what.
    """
    session, folder = session or Session(), Path(images)
    check_template(template)
    named = (
        Classes.of(checked_names(list(classes), "classes"))
        if isinstance(classes, list)
        else read_classes(Path(classes))
    )
    if shots < 1:
        raise InputError(f"--shots {shots}: give one or more")
    found = list_images(folder)
    given = read_labels(str(labels), folder, found) if labels else {}
    label_numbers(given, found, named, str(labels))  # before hours of encoding
    target = claim(Path(out), MARK, MARKED_AS, folder) if out else None
    model = adapted_model(session, session.read(folder), named, template, given, shots)
    if target is not None:
        write_adapted(model, target, model_card(model))
    return model


def adapted_model(
    session: Session,
    images: Images,
    classes: Classes,
    template: str,
    labels: dict[str, str],
    shots: int,
) -> AdaptedModel:
    """Adapt a model to encoded images and their labels, if there are any."""
    backbone = session.text()
    readable = set(images.names)
    numbers = label_numbers(
        {image: label for image, label in labels.items() if image in readable},
        images.names,
        classes,
        "labels",
    )
    features = torch.from_numpy(images.features).to(backbone.device)
    adaptation = adapt_features(
        backbone, classes, template, features, numbers, images.digests, shots
    )
    files = session.files
    return AdaptedModel(
        classes=classes,
        template=template,
        class_embeddings=adaptation.class_embeddings.float().cpu(),
        zero_shot_embeddings=adaptation.zero_shot_embeddings.float().cpu(),
        contexts=adaptation.contexts.float().cpu(),
        logit_scale=backbone.logit_scale,
        backbone={
            "name": files.name,
            "model": files.model,
            "tag": files.tag,
            "sha256": files.sha256,
        },
        report=report_of(adaptation, images, classes, numbers),
        counts=adaptation.counts.rename(columns=TITLES),
        made=made_by("torch", "torchvision", "open_clip_torch", template=template, shots=shots),
    )


def report_of(
    adaptation: Adaptation, images: Images, classes: Classes, labels: np.ndarray
) -> dict[str, Any]:
    """What the model card says of an adaptation, in a form that JSON can hold."""
    noise = adaptation.noise and {
        **asdict(adaptation.noise),
        "rate": adaptation.noise.rate,
        "interval": adaptation.noise_interval,
    }
    return {
        "images": len(images.names),
        "unreadable": len(images.unreadable),
        "labelled": adaptation.labelled,
        "classes": len(classes.names),
        "kept": adaptation.kept,
        "tried": adaptation.tried,
        "probe_share": adaptation.probe_share,
        "gain": adaptation.gain,
        "quality": {name: asdict(values) for name, values in adaptation.quality.items()},
        "noise": noise,
        "changed": adaptation.changed,
        "warnings": warnings_of(adaptation, images, classes, labels),
    }


def warnings_of(
    adaptation: Adaptation, images: Images, classes: Classes, labels: np.ndarray
) -> list[str]:
    """Reasons why the model may be worse than its numbers, one sentence each."""
    warnings = []
    never = adaptation.counts["class"][adaptation.counts[adaptation.tried] == 0].tolist()
    if never:
        warnings.append(f"never predicted: {_listed(never)}")
    for first, second, similarity in _alike(adaptation.zero_shot_embeddings):
        warnings.append(
            f"the names {classes.names[first]!r} and {classes.names[second]!r} nearly coincide for "
            f"this backbone (similarity {similarity:.2f} of 1); say more in a prompt column"
        )
    group = copies(images.digests)
    twice = len(group) - len(np.unique(group))
    if twice:
        warnings.append(
            f"{twice} images are copies of others; copies were never split between training and "
            "held-out images"
        )
    if adaptation.labelled:
        counts = np.bincount(labels[labels != UNLABELLED], minlength=len(classes.names))
        if without := [n for n, c in zip(classes.names, counts, strict=True) if not c]:
            warnings.append(f"without a label: {_listed(without)}")
        if tiny := [n for n, c in zip(classes.names, counts, strict=True) if 0 < c < TINY_CLASS]:
            warnings.append(f"fewer than {TINY_CLASS} labelled images: {_listed(tiny)}")
    if images.unreadable:
        image, why = next(iter(images.unreadable.items()))
        warnings.append(
            f"{len(images.unreadable)} images could not be read, such as {image}: {why}"
        )
    return warnings


def _alike(embeddings: Tensor) -> list[tuple[int, int, float]]:
    """Pairs of classes whose embeddings nearly coincide: the most similar, `NAMED` at most.

    The mean of all embeddings is subtracted first. It changes all logits equally, so predictions do
    not depend on it, and its size differs between backbones. With only two classes, what is left
    points in opposite directions, so no pair is found.
    """
    size = len(embeddings)
    own = F.normalize(embeddings - embeddings.mean(dim=0), dim=-1)
    similar = (own @ own.T).triu(diagonal=1).flatten()
    top = similar.topk(min(NAMED, len(similar)))
    return [
        (place // size, place % size, similarity)
        for similarity, place in zip(top.values.tolist(), top.indices.tolist(), strict=True)
        if similarity > NEARLY_THE_SAME_NAME
    ]


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
