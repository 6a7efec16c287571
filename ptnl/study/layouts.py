"""What each table and figure of the paper shows. Pure, without torch: the Snakefile reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ptnl.study.grid import asks_for

FOUR = ("oxford_pets", "food101", "dtd", "ucf101")
SEVEN = (
    "oxford_pets",
    "caltech101",
    "flowers102",
    "food101",
    "fgvc_aircraft",
    "dtd",
    "ucf101",
)
EIGHT = (
    "imagenet",
    "caltech101",
    "oxford_pets",
    "flowers102",
    "food101",
    "fgvc_aircraft",
    "dtd",
    "ucf101",
)

NOISE_TITLES = {
    "symmetric": "Random",
    "confusion": "Confusion",
    "pairflip": "Pair flip",
    "symmetric_global": "Random, global",
    "fp_swap": "Imported",
    "fp_swap_2022": "Imported, 2022",
}


@dataclass(frozen=True)
class Layout:
    """What tables and figures share."""

    title: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]  # those of the paper; other data sets of a study are all shown
    noises: tuple[str, ...] = ("symmetric",)
    bounded: tuple[str, ...] = ()  # methods too costly for all data sets: shown where they ran
    is_papers: bool = True  # whether a study that cannot fill it says so

    def with_random_noise(self, kind: str) -> Self:
        """The layout with a protocol's kind of noise in the place of the paper's random noise."""
        return replace(
            self, noises=tuple(kind if noise == "symmetric" else noise for noise in self.noises)
        )


@dataclass(frozen=True)
class Table(Layout):
    """A table: what its rows (within a data set) and columns are, in the order of the paper."""

    rows: str = "method"  # or backbone, or estimate; empty where a data set is one row
    columns: str = "rate"  # or noise (at the highest rate), or method
    average: bool = False  # whether a last block averages over the data sets


@dataclass(frozen=True)
class Figure(Layout):
    """A figure: what it draws, one panel a data set."""

    kind: str = "accuracy"  # over the noise rate; or gradients, splits, confusion
    labels: Mapping[str, str] = field(default_factory=dict)  # of methods, where not their titles


CLASSIFIERS = ("classifier_r", "classifier_c", "text_finetune", "prompt_ce")
CLASS_NAMES = ("full_prompt", "cls_tuning", "prompt_ce")
# Later and related methods, beside those of the paper that they are measured by.
LATER = (
    *("prompt_ce", "prompt_gce", "prompt_double_softmax", "nlprompt", "tecoprompt", "joapr"),
    *("proda", "cocoop"),
    *("tip_adapter", "tip_adapter_f", "lp_plus_plus", "clap"),
    *("classifier_c", "co_teaching", "early_learning"),
)
BOUNDED = ("proda", "cocoop")
RANKED = 10  # the table whose methods are ranked
LOSSES = ("prompt_gce", "prompt_ce", "linear_probe_gce", "linear_probe")

TABLES = {
    1: Table("Prompt tuning against classifiers and a tuned text encoder", CLASSIFIERS, FOUR),
    2: Table("What of the prompt is learnt", CLASS_NAMES, FOUR),
    3: Table("Prompt tuning with two image encoders", ("prompt_ce",), EIGHT, rows="backbone"),
    4: Table(
        "Random and confusion noise",
        ("linear_probe", "prompt_ce"),
        FOUR,
        noises=("symmetric", "confusion"),
        columns="noise",
    ),
    5: Table(
        "Unsupervised prompt tuning on zero-shot pseudo-labels",
        ("zero_shot", "upl", "robust_upl_ce", "robust_upl_gce"),
        EIGHT,
        noises=(),
        rows="estimate",
        columns="method",
        average=True,
    ),
    6: Table("Prompt tuning against classifiers and a tuned text encoder", CLASSIFIERS, SEVEN),
    7: Table("What of the prompt is learnt", CLASS_NAMES, SEVEN),
    8: Table(
        "Prompts of random context tokens",
        ("random_prompt", "zero_shot"),
        SEVEN,
        noises=(),
        rows="",
        columns="method",
    ),
    9: Table(
        "Random and confusion noise",
        ("linear_probe", "prompt_ce"),
        SEVEN,
        noises=("symmetric", "confusion"),
        columns="noise",
    ),
    10: Table(
        "Later and related methods under random noise",
        LATER,
        SEVEN,
        bounded=BOUNDED,
        is_papers=False,
    ),
    11: Table(
        "Later and related methods under other noise",
        LATER,
        SEVEN,
        noises=("symmetric", "confusion", "pairflip"),
        bounded=BOUNDED,
        is_papers=False,
        columns="noise",
    ),
}

FIGURES = {
    1: Figure(
        "Prompt tuning, linear probe and fine-tuning",
        ("prompt_gce", "prompt_ce", "linear_probe", "finetune"),
        ("dtd", "ucf101"),
    ),
    2: Figure("A robust loss helps prompts and linear probes", LOSSES, FOUR),
    4: Figure(
        "Gradients of wrong labels against those of right ones",
        ("prompt_ce", "linear_probe_sgd"),
        FOUR,
        kind="gradients",
    ),
    5: Figure(
        "Context lengths",
        ("prompt_ctx0", "prompt_ctx4", "prompt_ctx8", "prompt_ce", "prompt_ctx32", "linear_probe"),
        FOUR,
        labels={
            "prompt_ctx0": "Ctx-0",
            "prompt_ctx4": "Ctx-4",
            "prompt_ctx8": "Ctx-8",
            "prompt_ce": "Ctx-16",
            "prompt_ctx32": "Ctx-32",
        },
    ),
    6: Figure(
        "Zero-shot predictions with prompts of random context tokens",
        ("random_prompt",),
        ("oxford_pets", "ucf101"),
        noises=(),
        kind="confusion",
    ),
    8: Figure("A robust loss helps prompts and linear probes", LOSSES, SEVEN),
    9: Figure(
        "Robust losses for prompt tuning",
        ("prompt_gce", "prompt_sce", "prompt_nce_rce", "prompt_ce"),
        SEVEN,
    ),
    10: Figure(
        "Later methods",
        (
            *("nlprompt", "tecoprompt", "joapr", "prompt_double_softmax"),
            *("prompt_gce", "prompt_ce", "clap", "early_learning"),
        ),
        SEVEN,
        is_papers=False,
    ),
    11: Figure(
        "What methods take as rightly labelled",
        ("nlprompt", "tecoprompt", "joapr"),
        SEVEN,
        is_papers=False,
        kind="splits",
    ),
}


def shown(layout: Layout, datasets: Iterable[str]) -> list[str]:
    """The data sets of a study that a layout shows, in its order.

    Those of the paper that the paper shows there, then all that the paper does not know.
    """
    datasets = list(datasets)
    of_paper = [name for name in layout.datasets if name in datasets]
    return of_paper + [name for name in datasets if name not in EIGHT]


def fillable(layouts: Mapping[int, Layout], config: Mapping[str, Any]) -> list[int]:
    """The numbers of the layouts whose methods, noise and data sets the study's grid has."""
    return [number for number, layout in layouts.items() if not lacks(layout, config)]


def left_out(config: Mapping[str, Any]) -> list[str]:
    """A sentence for each of the paper's layouts that the study cannot fill: what it lacks."""
    return [
        f"{kind} {number} is left out: the study has no {lack}"
        for kind, layouts in (("table", TABLES), ("figure", FIGURES))
        for number, layout in layouts.items()
        if layout.is_papers and (lack := lacks(layout, config))
    ]


def lacks(layout: Layout, config: Mapping[str, Any]) -> str:
    """What a study lacks to fill a layout, as it stands behind "no"; empty if nothing."""
    layout = layout.with_random_noise(config["random_noise"])
    primary = config["primary_backbone"]
    datasets = shown(layout, config["datasets"])
    if not datasets:
        return f"data set of {', '.join(layout.datasets)}"
    needed = [method for method in layout.methods if method not in layout.bounded]
    for wanted, there in ((needed, config["methods"]), (layout.noises, config["noise"])):
        missing = [name for name in wanted if name not in there]
        if missing:
            kind = "method" if wanted is needed else "noise"
            return f"{kind} {' or '.join(missing)}"

    def first_gap(backbone: str) -> str:
        return next(
            (
                f"{method} on {dataset} with {backbone}"
                + (f" under {noise} noise" if noise else "")
                for dataset in datasets
                for method in needed
                for noise in layout.noises or ("",)
                if not asks_for(config, dataset, backbone, method, noise or None)
            ),
            "",
        )

    if gap := first_gap(primary):
        return gap
    if isinstance(layout, Table) and layout.rows == "backbone":
        others = [name for name in config["backbones"] if name != primary]
        if all(map(first_gap, others)):
            return f"second backbone that runs {' and '.join(layout.methods)} on all of them"
    return ""
