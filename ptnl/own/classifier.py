"""A scikit-learn classifier that tunes prompts on images or on their features."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ptnl.features.decoding import to_rgb
from ptnl.features.encode import ImageEncoder, prepared, stacked
from ptnl.features.images import read_pixels
from ptnl.own.adaptation import probabilities, zero_shot_embeddings
from ptnl.own.backbone import DEFAULT, backbone_files
from ptnl.own.cache import default_folder
from ptnl.own.folds import draw_per_class
from ptnl.own.names import DEFAULT_TEMPLATE, Classes, check_template
from ptnl.own.prompts import SHOTS, RunPlan, ensembled, train


class PromptClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn: no types
    """Robust prompt tuning of a CLIP model: an ensemble of `runs` prompts, trained with the GCE.

    Parameters
    ----------
    class_names : names in the order of the sorted labels; without them, the labels are the names
    template : hand-crafted prompt for `zero_shot_embeddings_`, with {} for the class
    backbone : see `ptnl.own.backbone.backbone_files`
    shots : images per class that a prompt is tuned on
    runs : prompts in the ensemble
    random_state : seed of the first run
    device : cpu, cuda or cuda:N
    input : "images" (paths, PIL images, or a uint8 array (N, H, W, 3)), or "features" (an array
        (N, D) of the backbone's image features)

    Attributes
    ----------
    classes_ : (C) the labels
    class_embeddings_ : (C, D) unit
    zero_shot_embeddings_ : (C, D) unit
    logit_scale_ : of the backbone
    n_features_in_ : D, with input "features"
    """

    def __init__(
        self,
        class_names: list[str] | None = None,
        template: str = DEFAULT_TEMPLATE,
        backbone: str = DEFAULT,
        shots: int = SHOTS,
        runs: int = 4,
        random_state: int = 1,
        device: str = "cpu",
        input: str = "images",
    ):
        self.class_names = class_names
        self.template = template
        self.backbone = backbone
        self.shots = shots
        self.runs = runs
        self.random_state = random_state
        self.device = device
        self.input = input

    def fit(self, X: Any, y: Any) -> Self:
        """Tune the prompts on images or features X (N) and labels y (N)."""
        check_template(self.template)
        features, y = self._features(X, y)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("PromptClassifier needs two classes or more, got 1 class")
        names = [str(label) for label in self.classes_]
        if self.class_names is not None:
            names = list(self.class_names)
        if len(names) != len(self.classes_):
            raise ValueError(f"{len(names)} class_names for {len(self.classes_)} classes in y")
        device = torch.device(self.device)
        backbone = backbone_files(self.backbone, default_folder()).load_text(device, "float32")
        classes = Classes.of(names)
        all_rows, no_rows = np.arange(len(labels)), np.array([], dtype=np.int64)
        plans = [
            RunPlan(seed, draw_per_class(labels, all_rows, self.shots, seed, 0), no_rows)
            for seed in range(self.random_state, self.random_state + self.runs)
        ]
        unit = F.normalize(features.to(device), dim=-1)
        _, embeddings = train(backbone, classes, unit, labels, plans)
        self.class_embeddings_ = ensembled(embeddings).cpu().numpy()
        self.zero_shot_embeddings_ = (
            zero_shot_embeddings(backbone, classes, self.template).cpu().numpy()
        )
        self.logit_scale_ = backbone.logit_scale
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (N, C) of images or features."""
        check_is_fitted(self)
        features, _ = self._features(X, None)
        return probabilities(features, torch.from_numpy(self.class_embeddings_), self.logit_scale_)

    def predict(self, X: Any) -> np.ndarray:
        """The most likely label (N) of images or features."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def _features(self, X: Any, y: Any) -> tuple[torch.Tensor, Any]:
        """Check X and y as scikit-learn does; returns features (N, D) in float32, and y."""
        if self.input == "features":
            if y is None:
                X = validate_data(self, X, reset=False, dtype=np.float32)
            else:
                X, y = validate_data(self, X, y, dtype=np.float32)
            return torch.from_numpy(X), y
        if self.input != "images":
            raise ValueError(f"input={self.input!r} is neither 'images' nor 'features'")
        y = None if y is None else np.asarray(y)
        if y is not None and len(y) != len(X):
            raise ValueError(f"{len(X)} images, but {len(y)} labels")
        return self._encoded(X), y

    def _encoded(self, images: Any) -> torch.Tensor:
        files = backbone_files(self.backbone, default_folder())
        encoder = ImageEncoder(files.load(torch.device(self.device), "float32"))
        size, how = encoder.backbone.image_size, encoder.backbone.preprocess
        parts = [
            encoder(stacked([prepared(_pixels(i), size, how) for i in images[first:last]]))
            for first, last in _ranges(len(images), encoder.ahead)
        ]
        return torch.cat(parts).float()


def _ranges(length: int, step: int) -> list[tuple[int, int]]:
    return [(first, min(first + step, length)) for first in range(0, length, step)]


def _pixels(image: Any) -> torch.Tensor:
    """RGB (3, H, W) in uint8 of a path, a PIL image or an array (H, W, 3)."""
    if isinstance(image, str | Path):
        return read_pixels(Path(image))
    if isinstance(image, Image.Image):
        image = to_rgb(image, "white")
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ValueError(
            f"an image is a path, a PIL image or a uint8 array (H, W, 3), not {array.dtype} "
            f"{array.shape}"
        )
    return torch.from_numpy(array.copy()).permute(2, 0, 1)
