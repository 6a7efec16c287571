"""Fine-tuning: every weight learns, runs share nothing, and the images arrive as they should."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from pretrain_labels import commonest_names, shipped
from safetensors.torch import load_file, save_file

from ptnl.backbones import image_encoders
from ptnl.backbones.assets import FOLDER
from ptnl.backbones.image_encoders import (
    ImageEncoder,
    build,
    load_image_encoder,
    read_image_encoder,
)
from ptnl.backbones.registry import BACKBONES, IMAGE_ENCODERS, Shipped, Timm
from ptnl.cli import fetch_image_encoder
from ptnl.cli.finetune_backbone import main
from ptnl.errors import InputError
from ptnl.io import read_json, read_parquet, write_parquet
from ptnl.methods.finetune import Draw, predict, tune
from ptnl.schemas import HISTORY, MANIFEST, NOISY_SHOTS, RUN_FILES
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import top1_accuracy

SETTINGS = {
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
}
TINY = {"architecture": "resnet10t", "model_args": {"channels": [4, 4, 8, 8], "stem_width": 8}}
CPU = torch.device("cpu")


@pytest.fixture
def encoder() -> ImageEncoder:
    """Random weights below a head of zeros, as a pre-trained encoder has."""
    torch.manual_seed(0)
    model = build(TINY, classes=4)
    for parameter in model.get_classifier().parameters():
        torch.nn.init.zeros_(parameter)
    return ImageEncoder(model, lambda image: image, torch.full((3, 1, 1), 0.5), torch.ones(3, 1, 1))


def draw(seed: int, wrong: int = 0) -> Draw:
    """16 noisy images, red, green, blue or white by class; the first `wrong` labels are wrong."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.arange(4).repeat(4)
    images = torch.randint(0, 80, (16, 3, 32, 32), generator=stream, dtype=torch.uint8)
    colours = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=torch.uint8)
    images += 150 * colours[labels][:, :, None, None]
    seen = labels.clone()
    seen[:wrong] = (seen[:wrong] + 1) % 4
    return Draw(seed, images, seen, labels)


def fine_tune(encoder: ImageEncoder, draws: list[Draw], **changes):
    tests = [draw(9).images[:10], draw(9).images[10:]]
    return tune(encoder, draws, tests, cross_entropy, {**SETTINGS, **changes})


def test_it_learns_and_trains_every_weight(encoder):
    start = {name: value.clone() for name, value in encoder.model.named_parameters()}
    (run,) = fine_tune(encoder, [draw(1)], epochs=20)
    assert top1_accuracy(run.test_logits, draw(9).labels) == 100
    assert run.history.loss.iloc[-1] < 0.2 * run.history.loss.iloc[0]
    assert run.weights.keys() == start.keys()
    assert not any(torch.equal(run.weights[name], value) for name, value in start.items())
    assert run.parameters == sum(value.numel() for value in start.values())
    assert "bn1.running_mean" in run.buffers


def test_runs_start_alike_and_give_the_same_numbers_twice(encoder):
    start = copy.deepcopy(encoder)
    first, second = fine_tune(encoder, [draw(1), draw(2, wrong=8)])
    (alone,) = fine_tune(start, [draw(2, wrong=8)])
    assert not torch.equal(first.test_logits, second.test_logits)
    assert torch.equal(second.test_logits, alone.test_logits)
    assert second.history.equals(alone.history)


def test_a_step_is_torchs_sgd(encoder):
    images = draw(1)
    reference = build(TINY, classes=4)
    reference.load_state_dict(encoder.model.state_dict())
    reference.train()
    loss = torch.nn.functional.cross_entropy(reference(images.images / 255 - 0.5), images.labels)
    loss.backward()
    changes = {"epochs": 1, "batch_size": 16, "warmup_epochs": 0, "learning_rate": 0.3}
    (run,) = fine_tune(encoder, [images], **changes)
    for name, before in reference.named_parameters():
        expected = before - 0.3 * (before.grad + 5e-4 * before)
        torch.testing.assert_close(run.weights[name], expected.detach(), rtol=1e-3, atol=1e-5)
    assert run.history.loss.item() == pytest.approx(loss.item(), rel=1e-5)
    gradients = torch.cat([p.grad.flatten() for p in reference.parameters()])
    assert run.history.gradient_norm.item() == pytest.approx(gradients.norm().item(), rel=1e-3)


def test_history_tells_clean_from_noisy(encoder):
    """Untrained, the head of zeros says class 0 always: 4 of 16 true, 3 of the 14 right labels."""
    untrained = {"epochs": 1, "batch_size": 16, "warmup_learning_rate": 0.0}
    noisy, clean = fine_tune(encoder, [draw(1, wrong=2), draw(1)], **untrained)
    assert list(noisy.history.columns) == list(HISTORY)
    (row,) = noisy.history.itertuples()
    assert (row.accuracy_true, row.accuracy_noisy) == (25, 0)
    assert row.accuracy_clean == pytest.approx(100 * 3 / 14)
    (row,) = clean.history.itertuples()
    assert (row.accuracy_true, row.accuracy_clean) == (25, 25)
    assert np.isnan(row.accuracy_noisy)


def test_predictions_are_those_of_the_saved_weights(encoder):
    runs = fine_tune(encoder, [draw(1), draw(2)])
    for run in runs:
        model = build(TINY, classes=4)
        model.load_state_dict({**run.weights, **run.buffers})
        with torch.inference_mode():
            logits = model.eval()(draw(9).images / 255 - 0.5)
        torch.testing.assert_close(run.test_logits, logits, rtol=1e-4, atol=1e-4)


def test_test_images_pass_once(encoder):
    state = encoder.model.state_dict()
    passed = iter([draw(9).images])
    first, second = predict(encoder, [state, state], passed)
    assert torch.equal(first, second)
    assert next(passed, None) is None


def test_a_diverging_run_is_one_sentence(encoder):
    with pytest.raises(InputError, match=r"seed 1 is no longer finite in epoch .*learning_rate"):
        fine_tune(encoder, [draw(1)], learning_rate=1e30)


def test_every_image_encoder_of_a_backbone_is_there():
    named = {backbone.image_encoder for backbone in BACKBONES.values()} - {""}
    assert named <= IMAGE_ENCODERS.keys()
    for name, source in IMAGE_ENCODERS.items():
        if isinstance(source, Shipped):
            assert (FOLDER / source.config).is_file()
        else:
            assert timm.get_pretrained_cfg(name).hf_hub_id == source.repository
            assert name.endswith("in1k")  # labels of ImageNet-1k and nothing else


def test_the_commonest_names_are_the_same_everywhere():
    names = pd.Series(["pen", "bus", "bus", "cap", "ant", "ant", "axe"])
    assert commonest_names(names, 4) == ["ant", "bus", "axe", "cap"]
    assert commonest_names(names[::-1], 4) == ["ant", "bus", "axe", "cap"]


def test_what_ships_is_the_encoder_without_its_head(encoder):
    weights = shipped(encoder.model)
    assert encoder.model.state_dict().keys() - weights.keys() == {"fc.weight", "fc.bias"}
    assert {v.dtype for v in weights.values()} == {torch.float16, torch.int64}


def test_the_shipped_encoder_starts_undecided_on_images_of_its_size():
    encoder = load_image_encoder("mini-resnet", 7, CPU)
    image = encoder.transform(Image.new("RGB", (64, 64), "white"))
    assert image.dtype == torch.uint8
    size = read_json(FOLDER / "mini-resnet.json")["pretrained_cfg"]["input_size"]
    assert list(image.shape) == size
    assert torch.equal(encoder.model(encoder.normalise(image[None])), torch.zeros(1, 7))
    pixel = encoder.normalise(image[None])[0, :, 0, 0]
    torch.testing.assert_close(pixel, ((1 - encoder.mean) / encoder.std).flatten())


@pytest.mark.parametrize("fault", ["missing", "shape", "file"])
def test_other_weights_are_refused(tmp_path, monkeypatch, fault):
    weights = load_file(FOLDER / "mini-resnet.safetensors")
    if fault == "missing":
        del weights["conv1.0.weight"]
    elif fault == "shape":
        weights["conv1.0.weight"] = torch.zeros(1)
    bad = tmp_path / "mini-resnet.safetensors"
    if fault == "file":
        bad.write_bytes(b"no weights")
    else:
        save_file(weights, bad)
    monkeypatch.setattr(
        image_encoders, "verified", lambda name: bad if name == bad.name else FOLDER / name
    )
    with pytest.raises(InputError, match=r"mini-resnet\.safetensors: "):
        load_image_encoder("mini-resnet", 7, CPU)


@pytest.mark.parametrize("name", [n for n, s in IMAGE_ENCODERS.items() if isinstance(s, Timm)])
def test_timms_own_encoders_are_fetched_without_their_heads(tmp_path, name):
    """From a file in the manual folder: the Hub cannot be reached in a test."""
    torch.manual_seed(0)
    published = timm.create_model(name)
    manual = tmp_path / "manual"
    manual.mkdir()
    save_file(published.state_dict(), manual / f"{name}.safetensors")
    files = {kind: tmp_path / kind for kind in ("config", "weights", "receipt")}
    options = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    folders = ["--downloads", str(tmp_path / "downloads"), "--manual", str(manual)]
    fetch_image_encoder.main(["--encoder", name, *folders, *options])
    assert str(manual) in read_json(files["receipt"])["source"]

    encoder = read_image_encoder(files["config"], files["weights"], 7, CPU)
    assert encoder.transform(Image.new("RGB", (500, 300))).shape == (3, 224, 224)
    assert encoder.mean.flatten().tolist() == pytest.approx(published.pretrained_cfg["mean"])
    head = encoder.model.get_classifier()
    assert head.out_features == 7
    assert not head.weight.any()
    images = torch.randn(1, 3, 224, 224)
    features = (model.eval().forward_features(images) for model in (published, encoder.model))
    torch.testing.assert_close(*features)

    damaged = {**published.state_dict(), "unknown": torch.zeros(1)}
    save_file(damaged, manual / f"{name}.safetensors")
    with pytest.raises(InputError, match="holds 'unknown', which the model does not have"):
        fetch_image_encoder.main(["--encoder", name, *folders, *options])


def study(folder, classes: int = 2) -> list[str]:
    """The options of `finetune_backbone` for two runs on 12 images, one of them without noise."""
    images = folder / "data/images"
    images.mkdir(parents=True)
    rows = []
    for i in range(12):
        name = f"{i}.png"
        pixels = np.full((64, 64, 3), 255, np.uint8)
        pixels[: 32 * (i % classes + 1), :32] = 0
        Image.fromarray(pixels).save(images / name)
        rows.append((name, i % classes, f"class {i % classes}", "train" if i < 8 else "test"))
    manifest = pd.DataFrame(rows, columns=list(MANIFEST))
    write_parquet(manifest, folder / "manifest.parquet", MANIFEST)
    draws = []
    for fp in (0, 1):
        shots = manifest[manifest.split == "train"]
        label = shots.label.to_numpy().copy()
        label[: 2 * fp] = 1 - label[: 2 * fp]
        noisy = pd.DataFrame(
            {
                "image": shots.image,
                "label_clean": shots.label,
                "label": label,
                "is_noisy": label != shots.label,
            }
        )
        draws.append(folder / f"fp-{fp}.parquet")
        asked = {"settings": {"noise": "symmetric", "fp": fp, "seed": 1, "shots": 4}}
        write_parquet(noisy, draws[-1], NOISY_SHOTS, asked)
    return [
        *("--settings", json.dumps({**SETTINGS, "epochs": 2}), "--dataset", "icons"),
        *("--backbone", "mini-rn"),
        *("--encoder-config", str(FOLDER / "mini-resnet.json")),
        *("--encoder-weights", str(FOLDER / "mini-resnet.safetensors")),
        *("--manifest", str(folder / "manifest.parquet")),
        *("--receipt", str(folder / "data/receipt.json"), "--device", "cpu"),
        *("--shots", *map(str, draws), "--out", str(folder / "a"), str(folder / "b")),
    ]


def test_the_command_leaves_a_folder_a_run(tmp_path):
    options = study(tmp_path)
    main(options)
    for name, fp in (("a", 0), ("b", 1)):
        assert {path.name for path in (tmp_path / name).iterdir()} == set(RUN_FILES)
        metrics = read_json(tmp_path / name / "metrics.json")
        assert (metrics["method"], metrics["fp"], metrics["shots"]) == ("finetune", fp, 4)
        assert metrics["rate_realised"] == metrics["rate"] == 25 * fp
        encoder = load_image_encoder("mini-resnet", 2, CPU)
        assert metrics["parameters"] == sum(p.numel() for p in encoder.model.parameters())
        encoder.model.load_state_dict(load_file(tmp_path / name / "weights.safetensors"))
        assert np.load(tmp_path / name / "logits.npy").shape == (4, 2)
        assert len(read_parquet(tmp_path / name / "history.parquet", HISTORY)) == 2


def test_an_image_that_is_none_is_named(tmp_path):
    options = study(tmp_path)
    (tmp_path / "data/images/3.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"3\.png: not readable as an image"):
        main(options)
    assert not (tmp_path / "a").exists()
