"""An adapted model as one ONNX graph, image encoder included; its results are checked by torch."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ptnl.backbones.loading import LoadedBackbone
from ptnl.errors import InputError
from ptnl.io import atomic_path, write_json
from ptnl.own.adapted import AdaptedModel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TOLERANCE = 1e-4  # of probabilities, against torch
CHECKED = (1, 3)  # batches that are compared
OPSET = 18


class Exported(nn.Module):
    """uint8 images (N, 3, S, S) -> probabilities (N, C)."""

    mean: Tensor
    spread: Tensor
    scaled: Tensor

    def __init__(self, backbone: LoadedBackbone, model: AdaptedModel):
        super().__init__()
        self.encoder = backbone.model.visual
        mean, spread = backbone.preprocess.mean, backbone.preprocess.std
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("spread", torch.tensor(spread)[:, None, None])
        self.register_buffer("scaled", model.logit_scale * model.class_embeddings.T)

    def forward(self, pixels: Tensor) -> Tensor:
        images = (pixels.float() / 255 - self.mean) / self.spread
        features = nn.functional.normalize(self.encoder(images), dim=-1)
        return (features @ self.scaled).softmax(dim=-1)


def export_onnx(model: AdaptedModel, backbone: LoadedBackbone, out: Path) -> float:
    """Write `out` (ONNX), and beside it how images are to be prepared (JSON).

    Returns the largest difference between the probabilities of onnxruntime and torch. Raises
    `InputError` if the two differ by more than `TOLERANCE`, or if packages are missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise InputError(
            f"--onnx needs the package {error.name}; install the extra onnx, as in "
            "pip install 'ptnl-study[onnx]'"
        ) from error
    module = Exported(backbone, model).eval().cpu()
    size = backbone.image_size
    pixels = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    with atomic_path(out) as temporary:
        # The tracer warns of every shape that it takes as constant; the check below would show it.
        with torch.inference_mode(), plain_attention(), warnings.catch_warnings(action="ignore"):
            torch.onnx.export(
                module,
                (pixels,),
                str(temporary),
                input_names=["pixels"],
                output_names=["probabilities"],
                dynamic_axes={"pixels": {0: "images"}, "probabilities": {0: "images"}},
                opset_version=OPSET,
                dynamo=False,
            )
        ran = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        apart = _difference(module, ran, size)
        if apart > TOLERANCE:
            raise InputError(
                f"{out}: onnxruntime's probabilities differ from torch's by {apart:.1e}; "
                "nothing was written"
            )
    write_json(
        {
            "classes": model.classes.names,
            "input": f"pixels: uint8 (images, 3, {size}, {size}), RGB",
            "output": "probabilities: float32 (images, classes)",
            "resize": backbone.preprocess.resize_mode,
            "interpolation": backbone.preprocess.interpolation,
            "size": size,
        },
        out.with_suffix(".json"),
    )
    return apart


@contextmanager
def plain_attention() -> Iterator[None]:
    """Switch off torch's fused attention for inference, an operator that ONNX does not have."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _difference(module: nn.Module, session: "InferenceSession", size: int) -> float:
    """The largest difference of probabilities, for random images in batches of several sizes."""
    stream, apart = np.random.default_rng(0), 0.0
    for images in CHECKED:
        pixels = stream.integers(0, 256, size=(images, 3, size, size), dtype=np.uint8)
        (ours,) = session.run(None, {"pixels": pixels})
        with torch.inference_mode():
            theirs = module(torch.from_numpy(pixels)).numpy()
        apart = max(apart, float(np.abs(ours - theirs).max()))
    return apart
