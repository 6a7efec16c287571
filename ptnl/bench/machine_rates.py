"""The rates of a machine that `ptnl plan` counts with: products, and images prepared."""

import tempfile
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.transform import PreprocessCfg
from PIL import Image

from ptnl.bench.step_cost import fastest, product_gflops
from ptnl.data.notes import counted
from ptnl.features.encode import prepared
from ptnl.features.images import read_pixels
from ptnl.training.run_files import device_name

PHOTOGRAPH = (500, 375)  # width and height, as photographs of the paper's data sets have
ENCODER_SIZE = 224  # pixels of a side, as CLIP's image encoders take them


def photograph(seed: int, width: int, height: int) -> bytes:
    """A JPEG whose spectrum falls as that of photographs does."""
    stream = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = np.maximum(frequency, 1 / width) ** -1.2

    def plane() -> np.ndarray:
        phase = np.exp(2j * np.pi * stream.random(frequency.shape))
        return np.fft.irfft2(amplitude * phase, (height, width))

    grey = plane()
    pixels = np.stack([grey + 0.3 * plane() for _ in range(3)], axis=-1)
    pixels = 120 + 50 * (pixels - pixels.mean()) / pixels.std()
    packed = BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(packed, "JPEG", quality=90)
    return packed.getvalue()


def decode_seconds() -> float:
    """Seconds that one thread takes for a photograph, from its file to an encoder's input."""
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.jpg"
        path.write_bytes(photograph(0, *PHOTOGRAPH))

        def prepare() -> torch.Tensor:
            return prepared(read_pixels(path), ENCODER_SIZE, PreprocessCfg(size=ENCODER_SIZE))

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return fastest(cpu, 3, {"prepare": prepare})["prepare"]
        finally:
            torch.set_num_threads(threads)


def measured_rates(device: torch.device) -> dict[str, Any]:
    """The fields of `ptnl.study.calibration.Rates`, measured now."""
    on_cpu = f"the CPU, {counted(torch.get_num_threads(), 'thread')}"
    return {
        "device": on_cpu if device.type == "cpu" else device_name(device),
        "gflops": product_gflops(device),
        "decode_seconds": decode_seconds(),
        "measured": date.today().isoformat(),
    }
