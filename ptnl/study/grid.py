"""The grid of runs: the only place where a study's config is expanded. Pure, without torch."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ptnl.backbones.registry import (
    BACKBONES,
    IMAGE_ENCODERS,
    SOURCE_KEYS,
    Shipped,
    backbones_of,
)
from ptnl.data import datasets_of
from ptnl.errors import InputError, unknown
from ptnl.labels.noise import NOISES
from ptnl.labels.pseudo_labels import SELECTIONS
from ptnl.methods import METHODS
from ptnl.training.run import Run

Config = Mapping[str, Any]
# Beside more runs than these, a run takes hardly less time (`workflow/docs/fast-core.md`). For
# every file, Snakemake keeps and reads what its whole job reads and writes, so jobs of a bounded
# size keep planning linear in the runs.
MOST_RUNS_A_JOB = 16
RANDOM_PROMPT, TPT = "random_prompt", "tpt"
TPT_START = "prompt_ce"  # whose prompts TPT starts at, beside its own


@dataclass(frozen=True, order=True)
class Sweep:
    """All runs of one (data set, backbone, method, noise): one job, one table row."""

    dataset: str
    backbone: str
    method: str
    noise: str
    fps: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def runs(self) -> list[Run]:
        return [
            Run(self.dataset, self.backbone, self.method, self.noise, fp, seed)
            for fp in self.fps
            for seed in self.seeds
        ]


@dataclass(frozen=True)
class Part:
    """The part of a sweep that one job trains: some seeds at all rates."""

    seeds: tuple[int, ...]
    rule: str  # how the name of its rule ends
    place: str  # of its log, below the method's folder, without suffix


def parts(config: Config, labels: str, fps: tuple[int, ...]) -> list[Part]:
    """The parts of a sweep with a kind of labels at some rates.

    A seed that is added at the end of the config's leaves all full parts as they are.
    """
    seeds = tuple(config["seeds"])
    if not config["fuse"]:
        return [Part((seed,), "", f"{labels}/seed-{seed}") for seed in seeds]
    size = max(1, MOST_RUNS_A_JOB // len(fps))
    found = [Part(seeds[:size], "", labels)]
    for number, first in enumerate(range(size, len(seeds), size), start=2):
        part = seeds[first : first + size]
        found.append(Part(part, f"_part_{number}", f"{labels}/seeds-{part[0]}-to-{part[-1]}"))
    return found


def methods_of(config: Config, backbone: str) -> list[str]:
    """The methods that run with a backbone, in the order of the config."""
    methods: list[str] = config["backbones"][backbone].get("methods", list(config["methods"]))
    return methods


def methods_on(config: Config, dataset: str, backbone: str) -> list[str]:
    """The methods that run on a data set with a backbone, in the order of the config."""
    of_dataset = config.get("dataset_methods", {}).get(dataset, config["methods"])
    return [method for method in methods_of(config, backbone) if method in of_dataset]


def noises_of(
    config: Config, dataset: str, backbone: str, method: str
) -> dict[str, tuple[int, ...]]:
    """Noise kind -> numbers of wrong labels per class, at which a method runs on a data set.

    A method that takes its labels from elsewhere has one kind, named after where, and rate 0. A
    kind that follows the primary backbone's predictions concerns that backbone, unless the config
    names others.
    """
    labels = METHODS[method].labels
    if labels != "noise":
        return {labels: (0,)}

    def backbones(noise: str) -> Collection[str]:
        if NOISES[noise].needs_pseudolabels:
            return [config["primary_backbone"]]
        return list(config["backbones"])

    return {
        noise: tuple(options["fps"])
        for noise, options in config["noise"].items()
        if dataset in options.get("datasets", config["datasets"])
        and method in options.get("methods", config["methods"])
        and backbone in options.get("backbones", backbones(noise))
    }


def asks_for(config: Config, dataset: str, backbone: str, method: str, noise: str | None) -> bool:
    """Whether the study runs a method on a data set, under a noise kind that concerns it."""
    return method in methods_on(config, dataset, backbone) and (
        noise is None
        or METHODS[method].labels != "noise"
        or noise in noises_of(config, dataset, backbone, method)
    )


def sweeps(config: Config) -> list[Sweep]:
    """Every sweep of the study, in the order of the config.

    Zero-shot CLIP has one run: noise `none`, fp 0, seed 0. Random prompts are no runs: nothing is
    trained, and their draws are counted elsewhere (`random_prompts`). Nor is TPT, which sees no
    label (`tpt_evaluations`).
    """
    return [
        Sweep(dataset, backbone, method, noise, fps, seeds)
        for dataset in config["datasets"]
        for backbone in config["backbones"]
        for method in methods_on(config, dataset, backbone)
        if method not in (RANDOM_PROMPT, TPT)
        for seeds in [tuple(config["seeds"]) if METHODS[method].is_trained else (0,)]
        for noise, fps in noises_of(config, dataset, backbone, method).items()
    ]


def encoded(config: Config) -> list[tuple[str, str]]:
    """(data set, backbone) pairs whose image features the study uses."""
    return list(
        dict.fromkeys(
            (sweep.dataset, sweep.backbone)
            for sweep in sweeps(config)
            if METHODS[sweep.method].trains_on == "features"
        )
    )


def random_prompts(config: Config) -> list[tuple[str, str]]:
    """(data set, backbone) pairs at which the study tries prompts of random context tokens."""
    return [
        (dataset, backbone)
        for dataset in config["datasets"]
        for backbone in config["backbones"]
        if RANDOM_PROMPT in methods_on(config, dataset, backbone)
    ]


def tpt_evaluations(config: Config) -> list[tuple[str, str]]:
    """(data set, backbone) pairs whose test images the study tunes prompts on."""
    return [
        (dataset, backbone)
        for dataset in config["datasets"]
        for backbone in config["backbones"]
        if TPT in methods_on(config, dataset, backbone)
    ]


def tpt_starts(config: Config, dataset: str, backbone: str) -> list[Run]:
    """The runs whose prompts TPT starts at, under random noise."""
    where = dataset, backbone, TPT_START, config["random_noise"]
    return [
        run for run in runs(config) if (run.dataset, run.backbone, run.method, run.noise) == where
    ]


def kinds_of_labels(config: Config) -> dict[str, tuple[int, ...]]:
    """Kind of noise or pseudo-labels of the study -> its numbers of wrong labels per class."""
    kinds = {noise: tuple(options["fps"]) for noise, options in config["noise"].items()}
    return kinds | {run.noise: (0,) for run in pseudo_label_runs(config)}


def gradients_at(config: Config, backbone: str, method: str, noise: str) -> int | None:
    """The number of wrong labels at which a sweep's gradients are measured (Figure 4), or None.

    They are measured with the primary backbone, under random noise, at most wrong labels; not where
    no label is made wrong.
    """
    if not METHODS[method].measures_gradients:
        return None
    if (backbone, noise) != (config["primary_backbone"], config["random_noise"]):
        return None
    return int(max(config["noise"][noise]["fps"])) or None


def gradient_runs(config: Config) -> list[Run]:
    """The runs whose gradients are measured."""
    return [
        run
        for sweep in sweeps(config)
        for run in sweep.runs
        if run.fp == gradients_at(config, sweep.backbone, sweep.method, sweep.noise)
    ]


def baseline(config: Config) -> str:
    """The method that the overview compares the others with; empty where there is none.

    The first in the order of the config that trains on the given labels with the primary backbone.
    """
    methods = methods_of(config, config["primary_backbone"])
    return next(
        (name for name in config["methods"] if name in methods and METHODS[name].labels == "noise"),
        "",
    )


def split_runs(config: Config) -> list[Run]:
    """The runs that split their images by whether a label is taken as right, with wrong labels.

    With the primary backbone, under random noise.
    """
    kind = config["primary_backbone"], config["random_noise"]
    return [
        run
        for run in runs(config)
        if METHODS[run.method].splits and (run.backbone, run.noise) == kind and run.fp
    ]


def predicted_runs(config: Config) -> list[Run]:
    """The runs whose predictions are listed image by image: of the first seed, and zero-shot."""
    first = config["seeds"][0]
    return [run for run in runs(config) if run.seed == first or not METHODS[run.method].is_trained]


def zero_shot_runs(config: Config) -> list[Run]:
    """The runs of zero-shot CLIP."""
    return [run for run in runs(config) if run.method == "zero_shot"]


def pseudo_label_runs(config: Config) -> list[Run]:
    """The runs that train on pseudo-labels."""
    return [run for run in runs(config) if run.noise in SELECTIONS]


def pseudo_labels_of(config: Config, dataset: str, backbone: str) -> list[str]:
    """The kinds of pseudo-labels that runs on a data set with a backbone train on."""
    methods = methods_on(config, dataset, backbone)
    return [kind for kind in SELECTIONS if kind in {METHODS[m].labels for m in methods}]


def runs(config: Config) -> list[Run]:
    """Every run of the study, in the order of its sweeps."""
    return [run for sweep in sweeps(config) for run in sweep.runs]


def _known(key: str, name: str, registry: Iterable[str]) -> None:
    if name not in registry:
        raise InputError(f"config: {key}: {unknown(name, registry)}")


def _in_study(key: str, name: str, part: Iterable[str]) -> None:
    if name not in part:
        raise InputError(f"config: {key}: {unknown(name, part, 'the study')}")


def _check_source(name: str, said: Config) -> None:
    """Refuse a backbone whose entry in the config says too little or too much."""
    key = f"config: backbones.{name}"
    if "model" in said:
        if not said.keys() & {"pretrained", "weights"}:
            raise InputError(f"{key}: a model needs its open_clip tag (pretrained) or its weights")
        return
    if name not in BACKBONES:
        raise InputError(
            f"config: backbones: {unknown(name, BACKBONES)}, or say which model it is, and its "
            "pretrained tag or weights"
        )
    if said.keys() & set(SOURCE_KEYS) and isinstance(BACKBONES[name].source, Shipped):
        raise InputError(f"{key}: the package ships its weights; give yours a name of their own")


def check_grid(config: Config) -> None:
    """Refuse what the schema cannot see: unknown names, options of data sets, rates too high."""
    datasets_of(config)
    for method in config["methods"]:
        _known("methods", method, METHODS)
    for backbone, options in config["backbones"].items():
        _check_source(backbone, options)
        for method in options.get("methods", []):
            _in_study(f"backbones.{backbone}.methods", method, config["methods"])
        if "image_encoder" in options:
            key = f"backbones.{backbone}.image_encoder"
            _known(key, options["image_encoder"], IMAGE_ENCODERS)
    backbones = backbones_of(config)
    for dataset, methods in config.get("dataset_methods", {}).items():
        _in_study("dataset_methods", dataset, config["datasets"])
        for method in methods:
            _in_study(f"dataset_methods.{dataset}", method, config["methods"])
    for backbone in config["backbones"]:
        for method in methods_of(config, backbone):
            if METHODS[method].trains_on == "images" and not backbones[backbone].image_encoder:
                raise InputError(
                    f"config: backbones.{backbone}: {method} needs an image encoder pre-trained "
                    f"with labels only, and {backbone} has none; list its methods without it"
                )
    _in_study("primary_backbone", config["primary_backbone"], config["backbones"])
    _check_noise(config)
    for method, options in config["methods"].items():
        epochs, warmup = options.get("epochs"), options.get("warmup_epochs", 0)
        if epochs is not None and warmup > epochs:
            raise InputError(
                f"config: methods.{method}.warmup_epochs: {warmup} are more than its {epochs} "
                "epochs, so it would never train at its learning rate"
            )


def _check_noise(config: Config) -> None:
    """Refuse noise that names something the study lacks, and rates that its draws cannot hold."""
    for noise, options in config["noise"].items():
        for key in ("methods", "datasets", "backbones"):
            for name in options.get(key, []):
                _in_study(f"noise.{noise}.{key}", name, config[key])
        for method in options.get("methods", []):
            if METHODS[method].labels != "noise":
                raise InputError(
                    f"config: noise.{noise}.methods: {method} takes no labels from noise"
                )
        if config["shots"] == "all" and (options["fps"] != [0] or NOISES[noise].draws_images):
            raise InputError(
                f"config: noise.{noise}: shots: all draws every image, so classes differ in size "
                "and a number of wrong labels is no rate; only a kind that keeps the draw, with "
                "fps: [0], goes with it"
            )
        for fp in options["fps"]:
            if config["shots"] != "all" and fp > config["shots"]:
                raise InputError(
                    f"config: noise.{noise}.fps: {fp} wrong labels do not fit into "
                    f"{config['shots']} shots"
                )
    # Confusion noise has its own columns in the tables, so a study may have no other kind.
    if set(config["noise"]) - {"confusion"}:
        _in_study("random_noise", config["random_noise"], config["noise"])
