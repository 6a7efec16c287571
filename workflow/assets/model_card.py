"""Tables of the model card: Markdown from measured values. Pure functions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from aims import Measured

KEPT = (35, 70)  # aim: percent of zero-shot accuracy that random prompts keep
GAIN = 5  # aim: points of clean prompt tuning above zero-shot on one data set

Found = Mapping[tuple[str, str], Measured]  # (data set, backbone) -> values


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a Markdown table."""
    head = list(head)
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def published_kept(published: pd.DataFrame) -> str:
    """The share of zero-shot accuracy that random prompts keep in the paper, over its data sets."""
    zero_shot = published[(published.table == 5) & (published.method == "zero_shot")]
    random = published[published.table == 8].set_index("dataset")["mean"]
    kept = (100 * random / zero_shot.set_index("dataset")["mean"]).dropna()
    return f"{kept.min():.0f} to {kept.max():.0f} %, mean {kept.mean():.0f} % (RN50, Tables 5, 8)"


def aim_table(
    found: Found,
    backbones: list[str],
    before: Mapping[str, Mapping[str, Mapping[str, float]]],
    published: pd.DataFrame,
    constants: Iterable[tuple[str, str, str, list[str]]],
) -> list[str]:
    """Properties of the backbones, their aims, and CLIP's values.

    Parameters
    ----------
    found : values on validation images
    before : data set -> backbone -> zero_shot, probe: accuracies on the same images of the
        backbones that shipped before
    constants : rows (property, CLIP's value, aim, values) that do not depend on a data set
    """

    def least(dataset: str, key: str) -> str:
        return "at least " + ", ".join(f"{before[dataset][b][key]:.1f}" for b in backbones)

    properties: list[tuple[str, str, Callable[[str], str], Callable[[Measured], str]]] = [
        (
            "random prompts keep of zero-shot",
            published_kept(published),
            lambda dataset: f"{KEPT[0]} to {KEPT[1]} %",
            lambda m: f"{m.kept:.0f} %",
        ),
        (
            "zero-shot",
            "",
            lambda dataset: least(dataset, "zero_shot"),
            lambda m: f"{m.zero_shot:.1f}",
        ),
        (
            "linear probe, 16 clean shots",
            "",
            lambda dataset: least(dataset, "probe"),
            lambda m: str(m.probe),
        ),
        (
            "prompt tuning, 16 clean shots",
            "20 above zero-shot on DTD",
            lambda dataset: f"above zero-shot, by {GAIN} on one data set",
            lambda m: f"{m.prompt} ({m.prompt.mean - m.zero_shot:+.1f})",
        ),
        (
            "norm of image features",
            "not published",
            lambda dataset: "1 on average",
            lambda m: f"{m.norm.mean:.2f} ± {m.norm.sd:.2f}",
        ),
    ]
    datasets = list(dict.fromkeys(dataset for dataset, _ in found))
    rows = [[title, clip, "", aim, *values] for title, clip, aim, values in constants]
    rows += [
        [title, clip, dataset, aim(dataset), *(show(found[dataset, b]) for b in backbones)]
        for title, clip, aim, show in properties
        for dataset in datasets
    ]
    return markdown_table(["property", "CLIP", "data set", "aim", *backbones], rows)


def test_table(found: Found) -> list[str]:
    """Accuracies on test images."""
    columns = "data set, classes, images, backbone"
    methods = "zero-shot, random prompts, linear probe, prompt tuning"
    rows = [
        [
            dataset,
            f"{m.classes}",
            f"{m.images:,}",
            backbone,
            f"{m.zero_shot:.1f}",
            f"{m.random}",
            f"{m.probe}",
            f"{m.prompt}",
        ]
        for (dataset, backbone), m in found.items()
    ]
    return markdown_table(f"{columns}, {methods}".split(", "), rows)


def recipe_table(config: Mapping[str, Any], trained: Mapping[str, Mapping[str, str]]) -> list[str]:
    """How every part was trained; `trained` gives the device and the version of torch."""
    recipes = [
        (f"{name}-images", "contrastive", config["pretraining"])
        for name in config["backbones"]
        if name not in config["distillation"]
    ]
    recipes += [
        (f"{name}-images", f"taught by {hp['teacher']}", hp)
        for name, hp in config["distillation"].items()
    ]
    share = config["noisy_captions"]
    recipes += [
        (f"{name}-text-{share}", "contrastive, image tower frozen", config["text_pretraining"])
        for name in config["backbones"]
        if name not in config["distillation"]
    ]
    rows = [
        [
            part,
            how,
            f"{hp['samples']:,}",
            f"{hp['batch_size']:,}",
            f"{hp['seed']}",
            trained[part]["device"],
            trained[part]["torch"],
        ]
        for part, how, hp in recipes
    ]
    return markdown_table(
        ["part", "training", "drawings seen", "batch", "seed", "device", "torch"], rows
    )
