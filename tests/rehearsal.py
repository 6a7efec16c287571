"""Rehearses the paper's study where neither its data sets nor CLIP's weights are available.

The study's whole graph runs on the CPU, on small archives of all eight data sets in their official
layouts, served over HTTP, and on CLIPs of the right architectures with random weights:

    python -m tests.rehearsal FOLDER

This finds mistakes in how the study's jobs fit together. A second call goes on where the first
stopped.
"""

import argparse
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from ptnl.io import write_text
from tests import archives, backbones

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "workflow/studies"
SMALL = archives.Small(classes=4, images=40)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without logging each request."""

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path, port: int) -> Iterator[str]:
    """Serve the files of a folder over HTTP; yields the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()


def prepare(folder: Path, url: str, small: bool) -> Path:
    """Write archives and weights into a folder; returns the overlay that points the study there."""
    overlay = folder / "study.yaml"
    if overlay.exists():
        return overlay
    study = yaml.safe_load(archives.build(folder / "archives", SMALL, url).read_text())
    study["backbones"] = {}
    for name in ("RN50", "ViT-B-32"):
        config, weights = (folder / f"{name}.{extension}" for extension in ("json", "safetensors"))
        options = ["--config", str(config), "--weights", str(weights)]
        backbones.main(["--model", name, *options, *(["--small"] if small else [])])
        study["backbones"][name] = {"model": str(config), "weights": str(weights)}
    study["data_root"] = str(folder / "data")
    study["pathvars"] = {"results": str(folder / "results")}
    write_text(yaml.safe_dump(study), overlay)
    return overlay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", default="all")
    parser.add_argument("--port", type=int, default=8765, help="of the server of the archives")
    parser.add_argument("--small", action="store_true", help="narrow models with few layers")
    args, options = parser.parse_known_args()  # the rest is for Snakemake
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with served(folder / "archives", args.port) as url:
        overlay = prepare(folder, url, args.small)
        overlays = [STUDIES / "paper.yaml", STUDIES / "rehearsal.yaml", overlay]
        command = ["snakemake", "--cores", args.cores, *options, "--configfile", *overlays]
        sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
