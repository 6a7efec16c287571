"""A job of the workflow, and the names of the files that jobs leave for one another.

Files stand in the workflow's own notation, below `<results>` and `<data>`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ptnl.backbones.registry import IMAGE_ENCODERS, Shipped, backbones_of
from ptnl.labels.pseudo_labels import SELECTIONS
from ptnl.methods import METHODS
from ptnl.schemas import RUN_FILES, ZERO_SHOT_FILES
from ptnl.study.places import backbone_place, dataset_place
from ptnl.training.run import Run

Config = Mapping[str, Any]


# Jobs are compared and hashed by identity. Some jobs read the files of every run; hashing all of
# these names once per file would take time quadratic in the number of runs.
@dataclass(frozen=True, eq=False)
class Job:
    """A job of the workflow."""

    rule: str
    inputs: tuple[str, ...]  # of those files that other jobs make
    outputs: tuple[str, ...]
    dataset: str = ""  # this and the next two: empty where a job serves several
    backbone: str = ""
    method: str = ""
    labels: str = ""  # kind of noise or of pseudo-labels that a training learns from
    runs: int = 0  # that it leaves
    record: str = ""  # of what it took, beside its log, below `<results>/logs`; empty: none

    @property
    def kind(self) -> tuple[str, str, str]:
        """What decides how fast a job computes: its stage, backbone and method."""
        return self.record.split("/")[0], self.backbone, self.method


def run_files(run: Run) -> list[str]:
    names = RUN_FILES if METHODS[run.method].is_trained else ZERO_SHOT_FILES
    return [f"<results>/runs/{run.path}/{name}" for name in names]


def manifest_file(dataset: str) -> str:
    return f"<results>/manifests/{dataset}.parquet"


def receipt_file(config: Config, dataset: str) -> str:
    return f"<data>/{dataset_place(config, dataset)}/receipt.json"


def features_file(dataset: str, backbone: str) -> str:
    return f"<results>/features/{dataset}/{backbone}.npy"


def zero_shot_labels_file(dataset: str, backbone: str) -> str:
    return f"<results>/pseudolabels/{dataset}/{backbone}.parquet"


def weights_files(config: Config, backbone: str) -> tuple[str, ...]:
    """The files of a backbone that some job makes: none where the package ships it."""
    if isinstance(backbones_of(config)[backbone].source, Shipped):
        return ()
    folder = f"<data>/backbones/{backbone_place(config, backbone)}"
    return f"{folder}/open_clip_config.json", f"{folder}/open_clip_model.safetensors"


def image_encoder_of(config: Config, backbone: str) -> str:
    """The image encoder that fine-tuning trains for a backbone; empty where there is none."""
    return backbones_of(config)[backbone].image_encoder


def encoder_files(encoder: str) -> tuple[str, ...]:
    """The files of an image encoder that some job makes: none where the package ships it."""
    if not encoder or isinstance(IMAGE_ENCODERS[encoder], Shipped):
        return ()
    folder = f"<data>/image_encoders/{encoder}"
    return f"{folder}/config.json", f"{folder}/model.safetensors"


def with_receipt(files: tuple[str, ...]) -> tuple[str, ...]:
    """The files that a fetch writes, and the receipt beside them."""
    return *files, f"{files[0].rpartition('/')[0]}/receipt.json"


def draw_file(run: Run) -> str:
    """The labelled draw that a run trains on."""
    if run.noise in SELECTIONS:
        folder = f"<results>/pseudoshots/{run.dataset}/{run.backbone}/{run.noise}"
        return f"{folder}/seed-{run.seed}.parquet"
    return f"<results>/noise/{run.dataset}/{run.noise}/fp-{run.fp}/seed-{run.seed}.parquet"


def views_files(dataset: str, backbone: str, seed: int) -> tuple[str, str]:
    path = f"<results>/views/{dataset}/{backbone}/seed-{seed}"
    return f"{path}.npy", f"{path}.parquet"


def metrics_files(of: Iterable[Run]) -> tuple[str, ...]:
    return tuple(f"<results>/runs/{run.path}/metrics.json" for run in of)
