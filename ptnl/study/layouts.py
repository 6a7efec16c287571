"""What each table and figure of the paper shows. Pure, without torch: the Snakefile reads it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ptnl.study.grid import asks_for, methods_on

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

# As tables and figures call kinds of noise; others go by their names (`noise_title`).
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
    extends: int = 0  # the number of the layout that shows the same on fewer data sets
    bounded: tuple[str, ...] = ()  # methods too costly for all data sets: shown where they ran
    is_papers: bool = True  # whether a study that cannot fill it says so

    @property
    def needs_wrong_labels(self) -> bool:
        """Whether it shows what wrong labels do, and not accuracies at each rate."""
        return False

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

    @property
    def needs_wrong_labels(self) -> bool:
        return self.columns == "noise"


@dataclass(frozen=True)
class Figure(Layout):
    """A figure: what it draws, one panel per data set."""

    kind: str = "accuracy"  # over the noise rate; or gradients, splits, confusion
    labels: Mapping[str, str] = field(default_factory=dict)  # of methods, where not their titles

    @property
    def needs_wrong_labels(self) -> bool:
        return self.kind in ("gradients", "splits")


WITH_CE = {"prompt_ce": "Prompt tuning (CE)", "linear_probe": "Linear probe (CE)"}
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
    6: Table(
        "Prompt tuning against classifiers and a tuned text encoder",
        CLASSIFIERS,
        SEVEN,
        extends=1,
    ),
    7: Table("What of the prompt is learnt", CLASS_NAMES, SEVEN, extends=2),
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
        extends=4,
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
        labels=WITH_CE,
    ),
    2: Figure(
        "Prompt tuning and linear probe, each with the CE and the GCE", LOSSES, FOUR, labels=WITH_CE
    ),
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
    8: Figure(
        "Prompt tuning and linear probe, each with the CE and the GCE",
        LOSSES,
        SEVEN,
        labels=WITH_CE,
        extends=2,
    ),
    9: Figure(
        "Robust losses for prompt tuning",
        ("prompt_gce", "prompt_sce", "prompt_nce_rce", "prompt_ce"),
        SEVEN,
        labels=WITH_CE,
    ),
    10: Figure(
        "Later methods",
        (
            *("nlprompt", "tecoprompt", "joapr", "prompt_double_softmax"),
            *("prompt_gce", "prompt_ce", "tip_adapter_f", "clap", "early_learning"),
        ),
        SEVEN,
        labels=WITH_CE,
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


def noise_title(kind: str) -> str:
    """How tables and figures call a kind of noise."""
    return NOISE_TITLES.get(kind, kind.replace("_", " ").capitalize())


def labels_in_words(kind: str, rate: float) -> str:
    """The labels of a training: how many were made wrong (percent), and how."""
    if not rate:
        return "labels as they are"
    return f"{noise_title(kind).lower()} noise, {rate:g} % wrong labels"


def lacking(layouts: Mapping[int, Layout], number: int, config: Mapping[str, Any]) -> str:
    """What a study would need to fill a layout, in words; empty where it fills it.

    A layout that shows the same as another on more data sets is filled where the study has some of
    these.
    """
    layout = layouts[number].with_random_noise(config["random_noise"])
    datasets = shown(layout, config["datasets"])
    if not datasets:
        return f"one of the data sets {', '.join(layout.datasets)}"
    if _repeats(layouts, layout, config):
        return f"more data sets than {type(layout).__name__} {layout.extends} shows"

    def missing(backbone: str) -> list[str]:
        lacks = [
            _missing_run(config, dataset, backbone, method, noise)
            for dataset in datasets
            for method in layout.methods
            for noise in layout.noises or (None,)
            if method not in layout.bounded
            and not asks_for(config, dataset, backbone, method, noise)
        ]
        return list(dict.fromkeys(lacks))

    primary = config["primary_backbone"]
    if lacks := [*missing(primary), *_missing_rates(layout, config)]:
        return ", ".join(lacks)
    if isinstance(layout, Table) and layout.rows == "backbone":
        others = [name for name in config["backbones"] if name != primary and not missing(name)]
        if not others:
            return f"{', '.join(layout.methods)} with a second backbone"
    return ""


def _repeats(layouts: Mapping[int, Layout], layout: Layout, config: Mapping[str, Any]) -> bool:
    """Whether a layout would show the same data sets as the shorter layout that it extends."""
    datasets = config["datasets"]
    return bool(layout.extends) and (
        shown(layout, datasets) == shown(layouts[layout.extends], datasets)
    )


def _missing_rates(layout: Layout, config: Mapping[str, Any]) -> Iterator[str]:
    """The rates that a layout compares, or the wrong labels that it looks at, and a study lacks."""
    for noise in layout.noises:
        fps = config["noise"].get(noise, {}).get("fps", [])
        if isinstance(layout, Figure) and layout.kind == "accuracy" and len(fps) == 1:
            yield f"a second rate of {noise} noise"
        elif layout.needs_wrong_labels and fps and not max(fps):
            yield f"wrong labels by {noise} noise"


def _missing_run(
    config: Mapping[str, Any], dataset: str, backbone: str, method: str, noise: str | None
) -> str:
    """The part of a run that the study lacks: its method, its backbone, or its noise."""
    if method not in config["methods"]:
        return method
    if method not in methods_on(config, dataset, backbone):
        return f"{method} with {backbone} on {dataset}"
    return f"{method} under {noise} noise"


def fillable(layouts: Mapping[int, Layout], config: Mapping[str, Any]) -> list[int]:
    """The numbers of the layouts that the study fills."""
    return [number for number in layouts if not lacking(layouts, number, config)]


def unfilled(config: Mapping[str, Any]) -> list[str]:
    """A sentence for each table and figure of the paper that a study does not fill.

    Layouts that would only repeat a shorter one are left out.
    """
    return [
        f"{kind} {number} needs {lacks}."
        for kind, layouts in (("Table", TABLES), ("Figure", FIGURES))
        for number, layout in layouts.items()
        if layout.is_papers and not _repeats(layouts, layout, config)
        if (lacks := lacking(layouts, number, config))
    ]
