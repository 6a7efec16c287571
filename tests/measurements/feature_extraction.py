"""Image features per second, compared with a plain torch DataLoader, and memory for many images.

    python -m tests.measurements.feature_extraction --backbone mini-rn ViT-B-32
    python -m tests.measurements.feature_extraction --preparation
    python -m tests.measurements.feature_extraction --feeding
    python -m tests.measurements.feature_extraction --memory 50000

Images are made-up JPEGs of the size of photographs. The two take turns in one process, on the same
threads, and the best round of each counts. On a busy machine only the ratios mean something.
`--preparation` measures only the CPU time before the encoder, for each way to decode. `--feeding`
counts how many images reach an encoder that takes no time, for several numbers of decoding threads:
on the cores of this machine, and as if each thread had a core of its own. Backbones that the
package does not ship have random weights.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2.functional import _geometry

from ptnl.backbones.loading import LoadedBackbone, load_backbone
from ptnl.backbones.registry import BACKBONES, Shipped
from ptnl.bench.machine_rates import photograph
from ptnl.features import images
from ptnl.features.decoding import read_image
from ptnl.features.encode import AHEAD_BYTES, ImageEncoder, encoded_batches, prepared
from ptnl.features.images import read_pixels
from ptnl.features.resumable import write_features
from ptnl.machine.devices import choose_device

DIFFERENT = 64  # so many images differ; further ones repeat them


def photographs(folder: Path, count: int, width: int, height: int) -> list[Path]:
    paths = [folder / f"{i}.jpg" for i in range(min(count, DIFFERENT))]
    for i, path in enumerate(paths):
        path.write_bytes(photograph(i, width, height))
    return list(islice(cycle(paths), count))


def backbone_of(name: str, device: torch.device) -> LoadedBackbone:
    if name in BACKBONES and isinstance(BACKBONES[name].source, Shipped):
        return load_backbone(name, device)
    torch.manual_seed(0)
    model = open_clip.create_model(name).eval().requires_grad_(False).to(device)
    return LoadedBackbone(name, model, open_clip.get_tokenizer(name), device)


class Photographs(Dataset):
    def __init__(self, paths: Sequence[Path], transform):
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.transform(Image.open(self.paths[place]).convert("RGB"))


@torch.inference_mode()
def plain(backbone: LoadedBackbone, paths: Sequence[Path], threads: int) -> np.ndarray:
    """Features (N, D) by the usual DataLoader, as most people write it."""
    device = backbone.device
    loader = DataLoader(
        Photographs(paths, backbone.transform),
        batch_size=64,
        num_workers=threads,
        pin_memory=device.type == "cuda",
    )
    encode = backbone.encode_image
    return torch.cat([encode(batch.to(device)).half().cpu() for batch in loader]).numpy()


def ours(backbone: LoadedBackbone, paths: Sequence[Path], threads: int) -> np.ndarray:
    return np.concatenate(list(encoded_batches(ImageEncoder(backbone), paths, threads)))


def clocks() -> np.ndarray:
    """Seconds by the clock, and processor seconds of this process and its workers."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return np.array([time.perf_counter(), sum(usage.ru_utime + usage.ru_stime for usage in used)])


def compare(backbone: LoadedBackbone, paths: Sequence[Path], threads: int, rounds: int) -> None:
    """Print images per second, by clock and processor time, and how much the features differ."""
    ways, seconds, features = {"plain DataLoader": plain, "ours": ours}, {}, {}
    for _ in range(rounds):
        for name, way in ways.items():
            started = clocks()
            features[name] = way(backbone, paths, threads).astype(np.float32)
            seconds.setdefault(name, []).append(clocks() - started)
    rates = {name: len(paths) / np.min(all_, axis=0) for name, all_ in seconds.items()}
    for kind, unit in enumerate(("second", "second of a core")):
        said = "  ".join(f"{name} {rate[kind]:7.1f}" for name, rate in rates.items())
        ratio = rates["ours"][kind] / rates["plain DataLoader"][kind]
        print(f"{backbone.name:10s} images a {unit}: {said}  {ratio:4.2f}x", flush=True)
    first, second = features.values()
    apart = np.linalg.norm(first - second, axis=1) / np.linalg.norm(first, axis=1)
    print(f"{backbone.name:10s} features apart by {apart.mean():.0e} of their length")


def prepare(paths: Sequence[Path], size: int, rounds: int) -> None:
    """Print CPU milliseconds for each image, from the file to the encoder's input."""
    transform = open_clip.image_transform(size, is_train=False)
    ways: dict[str, Callable[[Path], object]] = {
        "plain transform": lambda path: transform(read_image(path)),
        "Pillow, then our crop": lambda path: prepared(
            torch.from_numpy(np.array(read_image(path))).permute(2, 0, 1), size, PreprocessCfg()
        ),
        "ours": lambda path: prepared(read_pixels(path), size, PreprocessCfg()),
    }
    best = dict.fromkeys(ways, np.inf)
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.process_time()
            for path in paths:
                way(path)
            best[name] = min(best[name], (time.process_time() - started) / len(paths))
    for name, seconds in best.items():
        faster = best["plain transform"] / seconds
        print(f"{size} pixels  {name:22s} {1e3 * seconds:5.2f} ms  {faster:4.2f}x")


class FreeEncoder:
    """Takes batches as an `ImageEncoder` does, and computes nothing."""

    batch = 256

    def __init__(self, size: int):
        self.backbone = SimpleNamespace(image_size=size, preprocess=PreprocessCfg(size=size))
        self.ahead = AHEAD_BYTES // (3 * size**2)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels.contiguous(memory_format=torch.channels_last)
        return torch.zeros(len(pixels), 1)


def feed(paths: Sequence[Path], size: int, threads: int, rounds: int) -> None:
    """Print images a second that reach the encoder, by the clock and by processor time."""
    best = np.full(2, np.inf)
    for _ in range(rounds):
        started = clocks()
        for _ in encoded_batches(FreeEncoder(size), paths, threads):
            pass
        best = np.minimum(best, clocks() - started)
    by_clock, by_core = len(paths) / best
    said = f"{by_clock:6.0f} images a second, {by_core:6.0f} a second of a core"
    print(f"{size} pixels  decoded by {threads:2d} threads: {said}", flush=True)


@contextmanager
def decoding_elsewhere() -> Iterator[None]:
    """Decoding and resizing wait for as long as they take, and give what they gave the first time.

    What is left is what the threads cannot do side by side, whatever cores there are: an upper
    bound of the rate, which needs no such machine.
    """

    def waiting(work: Callable, seconds: float) -> Callable:
        first: list = []

        def call(*args, **options):
            if not first:
                first.append(work(*args, **options))
            time.sleep(seconds)
            return first[0]

        return call

    with (
        mock.patch.object(images, "decode_jpeg", waiting(images.decode_jpeg, 0.9e-3)),
        mock.patch.object(_geometry, "interpolate", waiting(_geometry.interpolate, 0.3e-3)),
    ):
        yield


def resident_mib() -> float:
    """Memory (MiB) that this process uses now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def memory(backbone: LoadedBackbone, paths: Sequence[Path], threads: int, folder: Path) -> None:
    """Print the memory ten times while images are encoded into a file."""
    encoder = ImageEncoder(backbone)

    def watched(done: int):
        for part in encoded_batches(encoder, paths[done:], threads):
            yield part
            tenth, done = 10 * done // len(paths), done + len(part)
            if 10 * done // len(paths) > tenth:
                print(f"{done:7d} images  {resident_mib():7.1f} MiB", flush=True)

    shape = (len(paths), encoder.dimension)
    write_features(folder / "features.npy", shape, "memory", watched, unit="image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", nargs="+", default=["mini-rn", "ViT-B-32"])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--size", type=int, nargs=2, default=[500, 375], help="width and height")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--preparation", action="store_true")
    parser.add_argument("--feeding", action="store_true")
    parser.add_argument("--memory", type=int, metavar="IMAGES")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = photographs(folder, args.memory or args.images, *args.size)
        if args.preparation:
            for size in (224, 64):
                prepare(paths[:DIFFERENT], size, args.rounds)
        elif args.feeding:
            for size in (224, 64):
                for threads in range(1, len(os.sched_getaffinity(0)) + 1):
                    feed(paths, size, threads, args.rounds)
                print("as if each thread had a core of its own")
                with decoding_elsewhere():
                    for threads in (1, 8, 16):
                        feed(paths, size, threads, args.rounds)
        elif args.memory:
            memory(backbone_of(args.backbone[0], device), paths, args.threads, folder)
        else:
            for backbone in args.backbone:
                compare(backbone_of(backbone, device), paths, args.threads, args.rounds)


if __name__ == "__main__":
    main()
