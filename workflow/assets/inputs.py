"""The command line and the input files of every training."""

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from captions import Captioner, all_texts
from clips import Validation
from vocabulary import Vocabulary


@dataclass(frozen=True)
class Inputs:
    """The contents of a training's input files, and where it runs."""

    config: dict[str, Any]
    rows: pd.DataFrame  # pairs.parquet
    words: pd.DataFrame
    datasets: dict[str, pd.DataFrame]
    device: torch.device
    threads: int
    out: Path
    checkpoint: Path

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens of all possible captions and of all class names."""
        shown = {name for table in self.datasets.values() for name in table.class_name}
        texts = [
            *shown.union(self.rows.name),
            *all_texts(self._lists("synonym"), self._lists("tag")),
        ]
        text = next(iter(self.config["backbones"].values()))["text_cfg"]
        return Vocabulary(texts, text["context_length"])

    @cached_property
    def validation(self) -> Validation:
        """The data sets' validation images."""
        return Validation.of(self.datasets, self.vocabulary, self.device)

    def captioner(self, noisy_share: float) -> Captioner:
        """A captioner with a share of noisy captions."""
        names = self.rows.name.drop_duplicates().tolist()
        return Captioner(names, self._lists("synonym"), self._lists("tag"), noisy_share)

    def _lists(self, kind: str) -> dict[str, list[str]]:
        found = self.words[self.words.kind == kind]
        found = found[found.name.isin(set(self.rows.name))]
        return found.groupby("name").word.agg(list).to_dict()


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that all trainings have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--pairs", type=Path, required=True, help="pairs.parquet")
    parser.add_argument("--words", type=Path, required=True, help="words.parquet")
    parser.add_argument("--datasets", type=Path, nargs="+", required=True)
    parser.add_argument("--config", type=Path, required=True, help="config.yaml of the build")
    parser.add_argument("--checkpoint", type=Path, required=True, help="state to resume from")
    parser.add_argument("--out", type=Path, required=True, help="the trained model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; with a GPU also the processes that prepare batches",
    )
    return parser


def read_inputs(args: argparse.Namespace) -> Inputs:
    """Read the input files; set the number of threads and the precision of products."""
    device = torch.device(args.device)
    torch.set_num_threads(args.threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision(
            "high"
        )  # TensorFloat-32, which convolutions use by default
    return Inputs(
        yaml.safe_load(args.config.read_text()),
        pd.read_parquet(args.pairs),
        pd.read_parquet(args.words),
        {path.stem: pd.read_parquet(path) for path in args.datasets},
        device,
        args.threads,
        args.out,
        args.checkpoint,
    )
