"""A finished study as tidy frames, and its logits and predictions by run."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ptnl.errors import InputError
from ptnl.io import read_parquet
from ptnl.schemas import (
    CLASS_ACCURACY,
    CURVES,
    GRADIENTS,
    HISTORY,
    MANIFEST,
    MISTAKES,
    PREDICTIONS,
    RUN_KEYS,
    RUNS,
    SUMMARY,
    Schema,
)
from ptnl.training.run import Run

CONFIG = "config.yaml"  # lies in every study's results


class StudyResults:
    """The results of a study; every frame is read when it is first asked for.

    A run is named by a row of `runs` (as `itertuples` gives it) or by a `Run`. A file that is not
    there is an `InputError` that names it.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        if not (self.folder / CONFIG).is_file():
            raise InputError(f"{self.folder}: no results of a study, for there is no {CONFIG}")

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The study's config, with defaults and protocol."""
        config: Mapping[str, Any] = yaml.safe_load((self.folder / CONFIG).read_text())
        return config

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run (`ptnl.schemas.RUNS`)."""
        return read_parquet(self.folder / "runs.parquet", RUNS)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Statistics over seeds (`ptnl.schemas.SUMMARY`)."""
        return read_parquet(self.folder / "summary.parquet", SUMMARY)

    @cached_property
    def gradients(self) -> pd.DataFrame:
        """Gradient norms by epoch (`ptnl.schemas.GRADIENTS`)."""
        return read_parquet(self.folder / "gradients.parquet", GRADIENTS)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Accuracy by class (`ptnl.schemas.CLASS_ACCURACY`)."""
        return self._by_dataset("classes", CLASS_ACCURACY)

    @cached_property
    def mistakes(self) -> pd.DataFrame:
        """Pairs of classes that are confused (`ptnl.schemas.MISTAKES`)."""
        return self._by_dataset("mistakes", MISTAKES)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Every epoch of every run (`ptnl.schemas.CURVES`)."""
        return self._by_dataset("curves", CURVES)

    @cached_property
    def by_image(self) -> pd.DataFrame:
        """Each method's prediction for each test image (`ptnl.schemas.PREDICTIONS`), first seed."""
        return read_parquet(self.folder / "predictions.parquet", PREDICTIONS)

    def manifest(self, dataset: str) -> pd.DataFrame:
        """Every image of a data set (`ptnl.schemas.MANIFEST`)."""
        return read_parquet(self.folder / f"manifests/{dataset}.parquet", MANIFEST)

    def test_images(self, dataset: str) -> pd.DataFrame:
        """The test images of a data set, in the order of `logits`."""
        manifest = self.manifest(dataset)
        return manifest[manifest.split == "test"].reset_index(drop=True)

    def class_names(self, dataset: str) -> list[str]:
        """The names of a data set's classes, in the order of the columns of `logits`."""
        return self.manifest(dataset).groupby("label").class_name.first().tolist()

    def logits(self, run: Any) -> np.ndarray:
        """Test logits (T, C) of a run, in float32."""
        path = self._run_folder(run) / "logits.npy"
        try:
            logits: np.ndarray = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not readable as an array ({error})") from error
        return logits.astype(np.float32)

    def predictions(self, run: Any) -> pd.DataFrame:
        """The test images of a run's data set, with `predicted` and `correct`."""
        images = self.test_images(run.dataset)
        predicted = self.logits(run).argmax(axis=1)
        return images.assign(predicted=predicted, correct=predicted == images.label)

    def history(self, run: Any) -> pd.DataFrame:
        """The epochs of a run (`ptnl.schemas.HISTORY`)."""
        return read_parquet(self._run_folder(run) / "history.parquet", HISTORY)

    def _run_folder(self, run: Any) -> Path:
        identity = Run(**{key: getattr(run, key) for key in RUN_KEYS})
        return self.folder / "runs" / identity.path

    def _by_dataset(self, kind: str, schema: Schema) -> pd.DataFrame:
        parts = [
            read_parquet(self.folder / f"details/{dataset}/{kind}.parquet", schema)
            for dataset in self.config["datasets"]
        ]
        return pd.concat(parts, ignore_index=True)
