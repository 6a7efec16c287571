"""How the shipped backbones are trained: painted drawings, losses, and resuming after a stop."""

import io
import sys

import numpy as np
import pandas as pd
import pretrain_clip
import pytest
import torch
import torch.nn.functional as F
import training
import yaml
from batches import Steps, load, weighted
from clips import contrastive_loss, one_cycle
from drawings import Drawings
from muon import Muon, orthogonalise
from PIL import Image, ImageDraw

CPU = torch.device("cpu")
NAMES = ["bell", "star", "sun", "moon"]


def png(image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def rows():
    """Twelve drawings of four names; every third has its own colours."""
    drawn = []
    for i in range(12):
        opacity = Image.new("L", (64, 64), 0)
        ImageDraw.Draw(opacity).ellipse((8 + i, 8, 40 + i, 40), fill=255)
        own = Image.merge("RGBA", [opacity, *[Image.new("L", (64, 64), 0)] * 2, opacity])
        drawn.append(
            (
                f"set{i // 4}",
                f"icon-{i}-filled",
                NAMES[i % 4],
                i % 3 == 0,
                png(own if i % 3 == 0 else opacity),
            )
        )
    return pd.DataFrame(drawn, columns=["icon_set", "icon", "name", "coloured", "png"])


def test_drawings_are_painted_in_ink_on_paper_or_in_their_own_colours(rows):
    drawings = Drawings(rows, CPU, threads=1)
    still = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).expand(2, 2, 3)
    ink, paper = torch.tensor([8, 8]), torch.tensor([1, 5])  # blue on white, on yellow
    image = drawings.paint(torch.tensor([1, 3]), ink, paper, still)
    pixels = ((image * drawings.std + drawings.mean) * 255).round().int()
    assert pixels[0, :, 24, 25].tolist() == [40, 90, 210]  # a monochrome drawing, in blue
    assert pixels[1, :, 24, 27].tolist() == [255, 0, 0]  # a drawing with its own red
    assert pixels[0, :, 63, 63].tolist() == [255, 255, 255]
    assert pixels[1, :, 63, 63].tolist() == [250, 210, 30]


def test_a_later_step_can_be_drawn_without_those_before_it(rows):
    steps = Steps.of(rows, draw=weighted(np.ones(12), 6), seed=3)
    ahead = list(load(steps, 0, 4, CPU, workers=0))
    (again,) = load(steps, 3, 4, CPU, workers=0)
    assert again.keys() == ahead[3].keys()
    assert all(torch.equal(value, ahead[3][key]) for key, value in again.items())
    assert not torch.equal(ahead[2]["affine"], again["affine"])


def test_rows_are_drawn_by_weight():
    draw = weighted(np.array([0.0, 1.0, 3.0]), 4000)
    counts = np.bincount(draw(np.random.default_rng(0)), minlength=3)
    assert counts[0] == 0
    assert counts[2] / counts[1] == pytest.approx(3, rel=0.15)


def test_pairs_with_the_same_name_share_the_target():
    image = F.normalize(torch.randn(3, 4), dim=-1)
    text = F.normalize(torch.randn(3, 4), dim=-1)
    logits = 10 * image @ text.T
    target = torch.tensor([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1.0]])
    expected = -(target * (logits.log_softmax(1) + logits.T.log_softmax(1))).sum() / 6
    found = contrastive_loss(image, text, torch.tensor(10.0), torch.tensor([7, 7, 2]))
    torch.testing.assert_close(found, expected)


def test_token_embeddings_have_their_own_weight_decay():
    class Tower(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.token_embedding = torch.nn.Embedding(3, 2)
            self.linear = torch.nn.Linear(2, 2)

    hp = {"learning_rate": 1e-3, "weight_decay": 0.05, "token_decay": 1.0, "warmup": 0.3}
    optimiser, _ = one_cycle(Tower(), hp, 10)
    decays = {
        tuple(p.shape): group["weight_decay"]
        for group in optimiser.param_groups
        for p in group["params"]
    }
    assert decays == {(3, 2): 1.0, (2, 2): 0.05, (2,): 0.0}


@pytest.mark.parametrize("shape", [(8, 8), (3, 24, 8), (2, 8, 24)])
def test_updates_are_orthogonalised(shape):
    torch.manual_seed(0)
    singular = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
    assert singular.min() > 0.3
    assert singular.max() < 1.3


def test_muon_updates_stacked_matrices_as_it_updates_each_alone():
    torch.manual_seed(0)
    start = [torch.randn(4, 6) for _ in range(2)] + [torch.randn(6, 4)]
    gradients = [torch.randn_like(m) for m in start]

    def stepped(which):
        leaves = [torch.nn.Parameter(start[i].clone()) for i in which]
        optimiser = Muon(leaves, lr=0.1, weight_decay=0.1)
        for leaf, i in zip(leaves, which, strict=True):
            leaf.grad = gradients[i].clone()
        optimiser.step()
        return leaves

    together = stepped([0, 1, 2])
    for i in range(3):
        torch.testing.assert_close(together[i], stepped([i])[0])


@pytest.fixture
def build(tmp_path, rows):
    """A folder with the files of a very small training."""
    words = pd.DataFrame({"name": ["bell"], "kind": ["tag"], "word": ["alarm"]})
    table = pd.DataFrame(
        {"class_name": ["bell", "star"], "label": [0, 1], "split": "val", "png": rows.png[:2]}
    )
    spec = {
        "embed_dim": 16,
        "vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 64, "image_size": 64},
        "text_cfg": {
            "context_length": 48,
            "vocab_size": 49408,
            "width": 16,
            "heads": 2,
            "layers": 1,
        },
    }
    recipe = {
        "seed": 1,
        "batch_size": 4,
        "samples": 36,
        "learning_rate": 1e-3,
        "token_decay": 1.0,
        "weight_decay": 0.05,
        "warmup": 0.3,
    }
    config = {
        "shared_name_weight": 2.0,
        "checkpoint_seconds": 0,
        "pretraining": recipe,
        "backbones": {"tiny": spec},
    }
    rows.to_parquet(tmp_path / "pairs.parquet")
    words.to_parquet(tmp_path / "words.parquet")
    table.to_parquet(tmp_path / "icons.parquet")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_a_resumed_training_gives_the_same_weights(build, monkeypatch):
    monkeypatch.setattr(training, "REPORT_STEPS", 3)

    def run(name):
        files = {
            "pairs": "pairs.parquet",
            "words": "words.parquet",
            "datasets": "icons.parquet",
            "config": "config.yaml",
            "checkpoint": f"{name}.checkpoint",
            "out": f"{name}.pt",
        }
        options = [part for key, file in files.items() for part in (f"--{key}", str(build / file))]
        monkeypatch.setattr(sys, "argv", ["pretrain_clip", *options, "--backbone", "tiny"])
        pretrain_clip.main()
        return torch.load(build / f"{name}.pt", weights_only=True)["model"]

    whole = run("whole")
    calls = []

    def cut(*args):
        calls.append(args)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return contrastive_loss(*args)

    with monkeypatch.context() as context:
        context.setattr(pretrain_clip, "contrastive_loss", cut)
        with pytest.raises(KeyboardInterrupt):
            run("cut")
    assert not (build / "cut.pt").exists()
    saved = torch.load(build / "cut.checkpoint", weights_only=True)
    assert saved["step"] == 3
    resumed = run("cut")
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())
