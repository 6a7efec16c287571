"""Fine-tuning: every weight learns, runs share nothing, and images are prepared correctly."""

import copy
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from PIL import Image
from pretrain_labels import commonest_names, shipped
from safetensors.torch import load_file, save_file
from torch import nn

from ptnl.backbones import image_encoders
from ptnl.backbones.assets import FOLDER
from ptnl.backbones.image_encoders import (
    ImageEncoder,
    build,
    load_image_encoder,
    read_image_encoder,
)
from ptnl.backbones.registry import BACKBONES, IMAGE_ENCODERS, Shipped, Timm
from ptnl.cli import fetch_image_encoder, finetune_backbone
from ptnl.cli.finetune_backbone import main
from ptnl.errors import InputError
from ptnl.features.images import read_pixels
from ptnl.features.views import Augmentation, augmented_views, random_numbers
from ptnl.io import read_json, read_parquet, write_json, write_parquet
from ptnl.methods.finetune import Draw, predict, tune
from ptnl.schemas import HISTORY, MANIFEST, NOISY_SHOTS, RUN_FILES
from ptnl.training.losses import cross_entropy
from ptnl.training.optim import learning_rates
from ptnl.training.tuning import top1_accuracy

SETTINGS = {
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
    "head": "new",
    "preparation": "own",
}
TINY = {"architecture": "resnet10t", "model_args": {"channels": [4, 4, 8, 8], "stem_width": 8}}
CPU = torch.device("cpu")
DIVERGED = r"seed 1, 1 of 1 that train together, is no longer finite in epoch .*learning_rate"


@pytest.fixture
def encoder() -> ImageEncoder:
    """An encoder with random weights and a head of zeros, with which fine-tuning starts."""
    torch.manual_seed(0)
    model = build(TINY, classes=4)
    for parameter in model.get_classifier().parameters():
        torch.nn.init.zeros_(parameter)
    half = torch.full((3, 1, 1), 0.5)
    return ImageEncoder(model, 32, lambda image: image, half, torch.ones(3, 1, 1))


def pictures(seed: int) -> torch.Tensor:
    """16 noisy images; those of a class are red, green, blue or white."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.arange(4).repeat(4)
    images = torch.randint(0, 80, (16, 3, 32, 32), generator=stream, dtype=torch.uint8)
    colours = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=torch.uint8)
    return images + 150 * colours[labels][:, :, None, None]


def draw(seed: int, wrong: int = 0) -> Draw:
    """The pictures of a seed with their labels, of which the first `wrong` are wrong."""
    labels = torch.arange(4).repeat(4)
    seen = labels.clone()
    seen[:wrong] = (seen[:wrong] + 1) % 4
    return Draw(seed, lambda epoch: pictures(seed), seen, labels)


def fine_tune(encoder: ImageEncoder, draws: list[Draw], **changes):
    tests = [pictures(9)[:10], pictures(9)[10:]]
    return tune(encoder, draws, tests, cross_entropy, {**SETTINGS, **changes})


def test_fine_tuning_learns_and_changes_every_weight(encoder):
    start = {name: value.clone() for name, value in encoder.model.named_parameters()}
    (run,) = fine_tune(encoder, [draw(1)], epochs=60, batch_size=16, learning_rate=0.05)
    assert top1_accuracy(run.test_logits, draw(9).labels) == 100
    assert run.history.loss.iloc[-1] < 0.2 * run.history.loss.iloc[0]
    assert run.weights.keys() == start.keys()
    assert not any(torch.equal(run.weights[name], value) for name, value in start.items())
    assert run.parameters == sum(value.numel() for value in start.values())
    assert "bn1.running_mean" in run.buffers


def test_a_run_gives_the_same_numbers_beside_others_and_alone(encoder):
    start = copy.deepcopy(encoder)
    first, second = fine_tune(encoder, [draw(1), draw(2, wrong=8)])
    (alone,) = fine_tune(start, [draw(2, wrong=8)])
    assert not torch.equal(first.test_logits, second.test_logits)
    assert torch.equal(second.test_logits, alone.test_logits)
    assert second.history.equals(alone.history)


def test_a_step_equals_that_of_torchs_sgd(encoder):
    images = draw(1)
    reference = build(TINY, classes=4)
    reference.load_state_dict(encoder.model.state_dict())
    reference.train()
    loss = torch.nn.functional.cross_entropy(reference(pictures(1) / 255 - 0.5), images.labels)
    loss.backward()
    changes = {"epochs": 1, "batch_size": 16, "warmup_epochs": 0, "learning_rate": 0.3}
    (run,) = fine_tune(encoder, [images], **changes)
    for name, before in reference.named_parameters():
        expected = before - 0.3 * (before.grad + 5e-4 * before)
        torch.testing.assert_close(run.weights[name], expected.detach(), rtol=1e-3, atol=1e-5)
    assert run.history.loss.item() == pytest.approx(loss.item(), rel=1e-5)
    gradients = torch.cat([p.grad.flatten() for p in reference.parameters()])
    assert run.history.gradient_norm.item() == pytest.approx(gradients.norm().item(), rel=1e-3)


def test_every_epoch_trains_on_its_own_images(encoder):
    asked = []

    def images_at(epoch: int) -> torch.Tensor:
        asked.append(epoch)
        return pictures(epoch)

    reference = build(TINY, classes=4)
    reference.load_state_dict(encoder.model.state_dict())
    reference.train()
    viewed = replace(draw(1), images_at=images_at)
    changes = {"epochs": 3, "batch_size": 16, "warmup_epochs": 0, "learning_rate": 0.01}
    (run,) = fine_tune(encoder, [viewed], **changes)
    assert asked == [0, 1, 2]
    optimiser = torch.optim.SGD(reference.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    for epoch, rate in enumerate(learning_rates(3, 0.01, 0, 0.0)):
        optimiser.param_groups[0]["lr"] = rate
        loss = torch.nn.functional.cross_entropy(
            reference(pictures(epoch) / 255 - 0.5), viewed.labels
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert run.history.loss[epoch] == pytest.approx(loss.item(), rel=1e-3)


def test_the_history_separates_right_from_wrong_labels(encoder):
    """The untrained head of zeros always predicts class 0: 4 of 16 images, 3 of 14 right labels."""
    untrained = {"epochs": 1, "batch_size": 16, "warmup_learning_rate": 0.0}
    noisy, clean = fine_tune(encoder, [draw(1, wrong=2), draw(1)], **untrained)
    assert list(noisy.history.columns) == list(HISTORY)
    (row,) = noisy.history.itertuples()
    assert (row.accuracy_true, row.accuracy_noisy) == (25, 0)
    assert row.accuracy_clean == pytest.approx(100 * 3 / 14)
    (row,) = clean.history.itertuples()
    assert (row.accuracy_true, row.accuracy_clean) == (25, 25)
    assert np.isnan(row.accuracy_noisy)


def test_predictions_come_from_the_saved_weights(encoder):
    runs = fine_tune(encoder, [draw(1), draw(2)])
    for run in runs:
        model = build(TINY, classes=4)
        model.load_state_dict({**run.weights, **run.buffers})
        with torch.inference_mode():
            logits = model.eval()(pictures(9) / 255 - 0.5)
        torch.testing.assert_close(run.test_logits, logits, rtol=1e-4, atol=1e-4)


def test_test_images_are_read_once_for_all_runs(encoder):
    state = encoder.model.state_dict()
    batches = iter([pictures(9)])
    first, second = predict(encoder, [state, state], batches)
    assert torch.equal(first, second)
    assert next(batches, None) is None


def test_a_diverging_run_ends_with_one_sentence(encoder):
    with pytest.raises(InputError, match=DIVERGED):
        fine_tune(encoder, [draw(1)], learning_rate=1e30)


def test_every_image_encoder_of_a_backbone_exists():
    named = {backbone.image_encoder for backbone in BACKBONES.values()} - {""}
    assert named <= IMAGE_ENCODERS.keys()
    for name, source in IMAGE_ENCODERS.items():
        if isinstance(source, Shipped):
            assert (FOLDER / source.config).is_file()
        else:
            assert timm.get_pretrained_cfg(name).hf_hub_id == source.repository
            assert name.endswith("in1k")  # pre-trained on ImageNet-1k and nothing else


def test_the_commonest_names_do_not_depend_on_the_order():
    names = pd.Series(["pen", "bus", "bus", "cap", "ant", "ant", "axe"])
    assert commonest_names(names, 4) == ["ant", "bus", "axe", "cap"]
    assert commonest_names(names[::-1], 4) == ["ant", "bus", "axe", "cap"]


def test_the_encoder_ships_without_its_head(encoder):
    weights = shipped(encoder.model)
    assert encoder.model.state_dict().keys() - weights.keys() == {"fc.weight", "fc.bias"}
    assert {v.dtype for v in weights.values()} == {torch.float16, torch.int64}


def test_the_shipped_encoder_starts_with_equal_logits():
    encoder = load_image_encoder("mini-resnet", 7, CPU)
    image = encoder.transform(Image.new("RGB", (64, 64), "white"))
    assert image.dtype == torch.uint8
    size = read_json(FOLDER / "mini-resnet.json")["pretrained_cfg"]["input_size"]
    assert list(image.shape) == size
    assert torch.equal(encoder.model(encoder.normalise(image[None])), torch.zeros(1, 7))
    pixel = encoder.normalise(image[None])[0, :, 0, 0]
    torch.testing.assert_close(pixel, ((1 - encoder.mean) / encoder.std).flatten())


@pytest.mark.parametrize("fault", ["missing", "shape", "file"])
def test_weights_of_another_encoder_are_refused(tmp_path, monkeypatch, fault):
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
def test_timms_encoders_are_fetched_with_their_heads(tmp_path, name):
    """The file comes from the manual folder, because a test cannot reach the Hub."""
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

    kept = read_image_encoder(files["config"], files["weights"], 7, CPU, "pretrained", "clip")
    assert torch.equal(kept.model.get_classifier().weight, published.get_classifier().weight)
    assert kept.mean.flatten().tolist() == pytest.approx(OPENAI_DATASET_MEAN)
    assert kept.std.flatten().tolist() == pytest.approx(OPENAI_DATASET_STD)
    white = Image.new("RGB", (448, 224), "white")
    white.paste("black", (0, 0, 112, 224))  # CLIP's centre crop leaves this part out
    assert (kept.transform(white) == 255).all()
    with pytest.raises(InputError, match="head tells 1000 classes apart, fewer than the data set"):
        read_image_encoder(files["config"], files["weights"], 1001, CPU, head="pretrained")

    damaged = {**published.state_dict(), "unknown": torch.zeros(1)}
    save_file(damaged, manual / f"{name}.safetensors")
    with pytest.raises(InputError, match="holds 'unknown', which the model does not have"):
        fetch_image_encoder.main(["--encoder", name, *folders, *options])


class Shifted(nn.Module):
    """A model with numbers that no file of weights holds."""

    def __init__(self, as_buffer: bool):
        super().__init__()
        self.head = nn.Linear(3, 2)
        shift = torch.arange(3.0)
        if as_buffer:
            self.register_buffer("shift", shift, persistent=False)
        else:
            self.shift = shift


@pytest.mark.parametrize("as_buffer", [True, False])
def test_numbers_that_no_file_holds_are_those_of_a_new_model(monkeypatch, as_buffer):
    monkeypatch.setattr(image_encoders, "build", lambda config, classes: Shifted(as_buffer))
    model = image_encoders.model_to_load({}, 2)
    assert model.shift.tolist() == [0, 1, 2]


def study(folder, classes: int = 2) -> list[str]:
    """Write 12 images and two draws, one without noise; returns `finetune_backbone`'s options."""
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
        *("--views", "0", "--transform", "dassl_current", "--no-flips"),
        *("--shots", *map(str, draws), "--out", str(folder / "a"), str(folder / "b")),
    ]


def test_the_command_writes_one_folder_per_run(tmp_path):
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


def test_a_pretrained_head_keeps_its_other_outputs(tmp_path):
    """As in the authors' removed code, the classes are the first outputs of the head.

    A prediction of any other output is wrong.
    """
    options = study(tmp_path)
    config = {**read_json(FOLDER / "mini-resnet.json"), "num_classes": 5}
    weights = load_file(FOLDER / "mini-resnet.safetensors")
    weights["fc.weight"] = torch.zeros(5, weights["layer4.0.bn2.weight"].shape[0])
    weights["fc.bias"] = torch.tensor([0.0, 0.0, 0.0, 9.0, 0.0])
    write_json(config, tmp_path / "config.json")
    save_file(weights, tmp_path / "weights.safetensors")
    settings = {**SETTINGS, "epochs": 1, "head": "pretrained", "preparation": "clip"}
    changes = {
        "--settings": json.dumps(settings),
        "--encoder-config": str(tmp_path / "config.json"),
        "--encoder-weights": str(tmp_path / "weights.safetensors"),
    }
    for option, value in changes.items():
        options[options.index(option) + 1] = value
    main(options)
    logits = np.load(tmp_path / "a/logits.npy")
    assert logits.shape == (4, 5)
    assert (logits.argmax(axis=1) == 3).all()
    metrics = read_json(tmp_path / "a/metrics.json")
    assert (metrics["accuracy"], metrics["shots_per_class"]) == (0, 4)
    assert load_file(tmp_path / "a/weights.safetensors")["fc.weight"].shape[0] == 5


@pytest.mark.parametrize("transform", ["dassl_legacy", "dassl_current"])
def test_fine_tuning_trains_on_the_same_views_as_the_other_methods(
    tmp_path, monkeypatch, transform
):
    options = study(tmp_path)
    options[options.index("--views") + 1] = "2"
    options[options.index("--transform") + 1] = transform
    options[options.index("--no-flips")] = "--flips"
    seen = []

    def recorded(draws):
        for each in draws:
            seen.append([each.images_at(epoch) for epoch in range(3)])
            yield each

    def recording_tune(encoder, draws, *rest):
        return tune(encoder, recorded(draws), *rest)

    monkeypatch.setattr(finetune_backbone, "tune", recording_tune)
    main(options)
    augmentation = Augmentation(40, transform == "dassl_legacy", True)
    (first, second, third), _ = seen
    assert torch.equal(first, third)
    assert not torch.equal(first, second)
    for place in range(8):
        pixels = read_pixels(tmp_path / f"data/images/{place}.png")
        views = augmented_views(pixels, random_numbers(1, f"{place}.png", 2), augmentation)
        assert torch.equal(torch.stack([first[place], second[place]]), views)
    settings = read_json(tmp_path / "a/metrics.json")["settings"]
    assert (settings["views"], settings["train_transform"]) == (2, transform)


def test_a_file_that_is_not_an_image_is_named(tmp_path):
    options = study(tmp_path)
    (tmp_path / "data/images/3.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"3\.png: not readable as an image"):
        main(options)
    assert not (tmp_path / "a").exists()
