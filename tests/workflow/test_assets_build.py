"""The build of the assets, from packages to model card, small and on made-up icon sets."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.warm import called, write_script

ROOT = Path(__file__).parents[2]
CODE = ROOT / "workflow/assets"
CLASSES = ["bell", "star"]
OTHERS = ["sun", "moon", "tree", "fish", "bird"]


def shape(rng, name):
    """A made-up drawing as an SVG body."""
    x, y, w, h = rng.uniform(2, 10, 4)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in rng.uniform(0, 24, (3 + len(name), 2)))
    return (
        f'<rect fill="currentColor" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"/>'
        f'<polygon fill="currentColor" points="{points}"/>'
    )


def icon_set(prefix, names, seed):
    """One icon set as the npm package has it."""
    rng = np.random.default_rng(seed)
    return {
        "prefix": prefix,
        "info": {
            "author": {"name": "A. Uthor"},
            "license": {"spdx": "MIT"},
            "category": "UI 24px",
        },
        "width": 24,
        "height": 24,
        "icons": {f"{name}-filled": {"body": shape(rng, name)} for name in names},
        "aliases": {"chime": {"parent": "bell-filled"}},
    }


def pack(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    spec = yaml.safe_load((CODE / "config.yaml").read_text())
    text = {"context_length": 48, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    small = {"batch_size": 4, "samples": 24, "warmup": 0.3}
    spec |= {
        "families": [],
        "held_out_names": 4,
        "classes": {"icons": 2},
        "datasets": {"icons": {name: [] for name in CLASSES}},
        "minimum": {"icons": {"train": 16, "val": 2, "test": 2}},
        "before": {"icons": spec["before"]["icons"]},
        "backbones": {
            "mini-rn": {
                "embed_dim": 16,
                "vision_cfg": {
                    "layers": [1, 1, 1, 1],
                    "width": 8,
                    "head_width": 64,
                    "image_size": 64,
                },
                "text_cfg": text,
            },
            "mini-vit": {
                "embed_dim": 16,
                "vision_cfg": spec["backbones"]["mini-vit"]["vision_cfg"]
                | {"layers": 1, "width": 32},
                "text_cfg": text,
            },
        },
    }
    spec["noisy_captions"] = 20
    spec["pretraining"] |= small
    spec["text_pretraining"] |= small
    spec["distillation"]["mini-vit"] |= small
    spec["label_pretraining"]["mini-resnet"] |= small | {"names": 5}
    (folder / "config.yaml").write_text(yaml.safe_dump(spec))

    sets = [icon_set(f"kept{i}", CLASSES + OTHERS, i) for i in range(2)]
    sets += [icon_set(f"held{i}", CLASSES, 100 + i) for i in range(22)]
    packages = folder / "build/packages"
    pack(packages / "icons.tgz", {f"package/json/{s['prefix']}.json": s for s in sets})
    pack(packages / "emoji.tgz", {"package/dist/emoji-en-US.json": {"x": ["sun", "warm"]}})
    pack(packages / "lucide.tgz", {"package/tags.json": {"bell": ["alarm"]}})
    run = {
        "spec": str(folder / "config.yaml"),
        "pathvars": {
            "build": str(folder / "build"),
            "code": str(CODE),
            "assets": str(folder / "assets"),
            "card": str(folder / "MODEL_CARD.md"),
        },
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    (folder / "bin").mkdir()
    write_script(folder / "bin/python", "python")
    return folder


def make(folder, *options):
    command = ["snakemake", "--cores", "1", "--snakefile", str(CODE / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "run.yaml"), *options]
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    done = called(command, folder, environment)
    logs = "\n".join(p.read_text()[-2000:] for p in folder.glob("build/logs/**/*.log"))
    assert done.returncode == 0, done.stderr[-3000:] + logs
    return done.stdout + done.stderr


def test_one_command_builds_all_that_ships(built):
    make(built)
    assets = built / "assets"
    names = {path.name for path in assets.iterdir()}
    models = {
        f"{m}.{e}" for m in ("mini-rn", "mini-vit", "mini-resnet") for e in ("json", "safetensors")
    }
    assert names == models | {"icons.parquet", "checksums.json", "ATTRIBUTION.md"}
    images = pd.read_parquet(assets / "icons.parquet")
    assert images.groupby("class_name").size().to_dict() == {"bell": 22, "star": 22}
    assert not images.icon_set.str.startswith("kept").any()
    assert "| random prompts keep of zero-shot |" in (built / "MODEL_CARD.md").read_text()
    words = pd.read_parquet(built / "build/words.parquet")
    assert {("bell", "chime"), ("bell", "alarm")} <= set(zip(words.name, words.word, strict=True))
    assert "Nothing to be done" in make(built, "--dry-run")
    assert "pretrain_text" in make(built, "--dry-run", "--forcerun", "pretrain_text")
