"""Memory and speed of the commands on a user's own images, for growing numbers of images.

python -m tests.measurements.many_images --folder FOLDER --images 1000 10000 100000

The images are made up: shipped icons that are moved, mirrored and tinted, every tenth of them with
a wrong label. Every command runs in a process of its own on one thread. Peak memory is measured by
the operating system; rates are in processor time, which other processes do not change.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ptnl.backbones.assets import FOLDER

TEMPLATE = "an icon of a {}."
IN_A_FOLDER = 1000
FARTHEST = 6  # pixels that a drawing is moved at most
EVERY_WRONG = 10


def make_up(folder: Path, count: int) -> None:
    """Write images below folder/images, and classes.txt and labels.csv beside them."""
    table = pd.read_parquet(FOLDER / "icons.parquet")
    drawings = [
        np.array(Image.open(BytesIO(png)).convert("RGB"), dtype=np.float32) / 255
        for png in table.png
    ]
    names, stream, labels = sorted(table.class_name.unique()), np.random.default_rng(count), []
    for number in range(count):
        row = number % len(table)
        drawing = np.roll(drawings[row], stream.integers(-FARTHEST, FARTHEST + 1, 2), axis=(0, 1))
        if stream.integers(2):
            drawing = drawing[:, ::-1]
        ink, paper = stream.uniform(0, 0.4, 3), stream.uniform(0.7, 1, 3)
        tinted = ink + drawing * (paper - ink)
        path = folder / f"images/{number // IN_A_FOLDER:03}/{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 * tinted).astype(np.uint8)).save(path, compress_level=1)
        name = table.class_name[row]
        if number % EVERY_WRONG == 0:
            name = names[names.index(name) - 7]
        labels.append((path.relative_to(folder / "images").as_posix(), name))
    pd.DataFrame(labels, columns=["image", "label"]).to_csv(folder / "labels.csv", index=False)
    (folder / "classes.txt").write_text("\n".join(names) + "\n")


def measured(command: Sequence[str], log: Path) -> tuple[float, float]:
    """Processor seconds and peak memory (MB) of a command, whose output goes to `log`."""
    code = "from ptnl.cli.main import run; run()"
    arguments = [sys.executable, "-c", code, *command]
    with log.open("ab") as out:
        actions = [(os.POSIX_SPAWN_DUP2, out.fileno(), number) for number in (1, 2)]
        child = os.posix_spawn(
            sys.executable, arguments, {**os.environ, "OMP_NUM_THREADS": "1"}, file_actions=actions
        )
        _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed: see {log}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def commands(folder: Path) -> dict[str, list[str]]:
    """The commands in order: the first encodes the images, the others find cached features."""
    images, cache = str(folder / "images"), str(folder / "cache")
    shared = ["--cache", cache, "--threads", "1", "--device", "cpu"]
    prompt = ["--template", TEMPLATE, *shared]
    classes, labels = str(folder / "classes.txt"), str(folder / "labels.csv")
    adapted, out = str(folder / "adapted"), str(folder / "predictions.parquet")
    return {
        "adapt, new images": ["adapt", images, "--classes", classes, "-o", adapted, *prompt],
        "adapt": ["adapt", images, "--classes", classes, "-o", adapted, *prompt],
        "predict": ["predict", adapted, images, "-o", out, *shared],
        "audit": ["audit", images, "--labels", labels, "-o", str(folder / "audit"), *prompt],
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, required=True, help="folder for made-up images, which stay there"
    )
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 100_000])
    args = parser.parse_args(argv)
    print("| command | images | images a processor second | peak memory (MB) |")
    print("| --- | --- | --- | --- |")
    for count in args.images:
        folder = args.folder / str(count)
        if not (folder / "classes.txt").exists():
            make_up(folder, count)
        for name, command in commands(folder).items():
            seconds, memory = measured(command, args.folder / "log.txt")
            print(f"| {name} | {count:,} | {count / seconds:,.0f} | {memory:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
