"""The grid of runs: the only place where a study's config is expanded. Pure, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptnl.backbones.registry import BACKBONES
from ptnl.data import DATASETS
from ptnl.errors import InputError
from ptnl.methods import METHODS

Config = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Run:
    """One training, at one (data set, backbone, method, noise, fp, seed)."""

    dataset: str
    backbone: str
    method: str
    noise: str
    fp: int
    seed: int

    @property
    def path(self) -> str:
        """The run's folder below `<results>/runs`."""
        return (
            f"{self.dataset}/{self.backbone}/{self.method}/{self.noise}"
            f"/fp-{self.fp}/seed-{self.seed}"
        )


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


def sweeps(config: Config) -> list[Sweep]:
    """Every sweep of the study, in the order of the config.

    A method that trains nothing has one run: noise `none`, fp 0, seed 0.
    """
    grid = []
    for dataset in config["datasets"]:
        for backbone, options in config["backbones"].items():
            for method in options.get("methods", list(config["methods"])):
                if METHODS[method].is_trained:
                    grid += [
                        Sweep(dataset, backbone, method, noise, tuple(fps), tuple(config["seeds"]))
                        for noise, fps in config["noise"].items()
                    ]
                else:
                    grid.append(Sweep(dataset, backbone, method, "none", (0,), (0,)))
    return grid


def runs(config: Config) -> list[Run]:
    """Every run of the study, in the order of its sweeps."""
    return [run for sweep in sweeps(config) for run in sweep.runs]


def sweep_of(config: Config, dataset: str, backbone: str, method: str, noise: str) -> Sweep:
    """The study's sweep of that name; `InputError` where the config does not ask for it."""
    for sweep in sweeps(config):
        if (sweep.dataset, sweep.backbone, sweep.method, sweep.noise) == (
            dataset,
            backbone,
            method,
            noise,
        ):
            return sweep
    raise InputError(f"the config asks for no runs of {dataset}/{backbone}/{method}/{noise}")


def _known(key: str, name: str, registry: Mapping[str, Any]) -> None:
    if name not in registry:
        raise InputError(f"config: {key}: {name!r} is unknown; choose from {', '.join(registry)}")


def check_grid(config: Config) -> None:
    """Refuse what the schema cannot see: unknown names, and rates that no draw can hold."""
    for dataset in config["datasets"]:
        _known("datasets", dataset, DATASETS)
    for method in config["methods"]:
        _known("methods", method, METHODS)
    for backbone, options in config["backbones"].items():
        _known("backbones", backbone, BACKBONES)
        for method in options.get("methods", []):
            _known(f"backbones.{backbone}.methods", method, config["methods"])
    _known("primary_backbone", config["primary_backbone"], config["backbones"])
    for noise, fps in config["noise"].items():
        for fp in fps:
            if fp > config["shots"]:
                raise InputError(
                    f"config: noise.{noise}: {fp} wrong labels do not fit into "
                    f"{config['shots']} shots"
                )
