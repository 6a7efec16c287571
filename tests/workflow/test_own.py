"""The commands on a user's own images, from the files that they read to those that they write."""

import json
import subprocess
import sys
from functools import partial
from xml.etree import ElementTree as ET

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file
from torchvision.datasets import ImageFolder

import ptnl
from ptnl.cli import adapt, audit, export, predict
from ptnl.errors import InputError
from ptnl.features.encode import ImageEncoder, prepared
from ptnl.features.images import read_pixels
from ptnl.io import read_json
from ptnl.own import adapted as adapted_folder
from ptnl.own import audit as audit_folder
from ptnl.own import encode, onnx, prompts
from ptnl.own.adaptation import adapt_features
from ptnl.own.adapted import read_adapted
from ptnl.own.output import claim
from tests.own import TEMPLATE, icons, with_wrong_labels
from tests.snapshot import snapshot
from tests.warm import called

OURS = ("ranking", "transitions", "effort", "duplicates", "looks", "labels")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder of images with labels, a few of them wrong, and a cache of features."""
    folder = tmp_path_factory.mktemp("own")
    labels = icons(folder)
    noisy, wrong = with_wrong_labels(labels, 8)
    noisy.to_csv(folder / "noisy.csv", index=False)
    return folder, labels, wrong


def options(folder, *more: str) -> list[str]:
    return [*more, "--threads", "1", "--device", "cpu", "--cache", str(folder / "cache")]


def adapted(folder, name: str, *more: str):
    out = folder / name
    asked = [str(folder / "images"), "--classes", str(folder / "classes.txt"), "-o", str(out)]
    adapt.main(options(folder, *asked, "--template", TEMPLATE, *more))
    return out


@pytest.fixture
def few_epochs(monkeypatch):
    """For tests in which it does not matter how good the prompts become."""
    monkeypatch.setitem(prompts.SETTINGS, "epochs", 5)


@pytest.fixture(scope="module")
def model(own):
    """A model that was adapted without labels."""
    return adapted(own[0], "adapted")


@pytest.fixture(scope="module")
def audited(own):
    """An audit of labels, some of which are wrong."""
    folder = own[0]
    asked = [str(folder / "images"), "--labels", str(folder / "noisy.csv")]
    before = snapshot(folder / "images")
    audit.main(options(folder, *asked, "--template", TEMPLATE, "-o", str(folder / "audit")))
    assert snapshot(folder / "images") == before
    return folder / "audit"


def test_an_adapted_folder_says_what_it_is(own, model):
    said, tensors = read_json(model / "adapted.json"), load_file(model / "adapted.safetensors")
    assert tensors["class_embeddings"].shape == (6, 128)
    assert torch.allclose(tensors["class_embeddings"].norm(dim=1), torch.ones(6), atol=1e-5)
    assert tensors["contexts"].shape[:2] == (4, 16)
    assert said["prompts"][0] == f"an icon of a {said['classes'][0]}."
    assert said["backbone"]["name"] == "mini-rn"
    assert said["report"]["kept"] == "robust_upl"
    card = ModelCard.load(model / "README.md")
    assert card.data.license == "mit"
    assert "There are no labels to judge it by" in card.text
    counts = pd.read_csv(model / "classes.csv")
    assert counts["zero-shot"].sum() == len(own[1])


def test_labels_decide_whether_the_adaptation_is_kept(own, few_epochs, capsys):
    folder, labels, _ = own
    out = adapted(folder, "with_labels", "--labels", str(folder / "labels.csv"))
    report = read_json(out / "adapted.json")["report"]
    assert report["labelled"] == len(labels)
    gain, low, high = report["gain"]
    assert low <= gain <= high
    assert (report["kept"] == "zero_shot") == (low <= 0)
    quality = report["quality"]
    assert quality[report["tried"]]["top1"] - quality["zero_shot"]["top1"] == pytest.approx(gain)
    said = capsys.readouterr().out
    assert "Kept: " in said
    assert "points (95 % interval" in said
    tensors = load_file(out / "adapted.safetensors")
    is_zero_shot = torch.equal(tensors["class_embeddings"], tensors["zero_shot_embeddings"])
    assert is_zero_shot == (report["kept"] == "zero_shot")


def test_predictions_are_probabilities_and_mostly_right(own, model):
    folder, labels, _ = own
    out = folder / "predictions.parquet"
    predict.main(options(folder, str(model), str(folder / "images"), "-o", str(out), "--top", "6"))
    table = pd.read_parquet(out)
    assert table.image.tolist() == sorted(labels.image)
    chances = table[[f"probability_{place}" for place in range(1, 7)]].to_numpy()
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert (np.diff(chances, axis=1) <= 0).all()
    right = table.class_1 == labels.set_index("image").label[table.image].to_numpy()
    assert right.mean() > 0.5


def test_a_second_call_encodes_nothing(own, model, monkeypatch):
    def refuse(self, pixels):
        raise AssertionError("encoded again")

    folder, _, _ = own
    out = folder / "again.csv"
    asked = options(folder, str(model), str(folder / "images"), "-o", str(out))
    predict.main(asked)
    first = out.read_bytes()
    monkeypatch.setattr(ImageEncoder, "_encode", refuse, raising=True)
    monkeypatch.setattr(ImageEncoder, "_measure", lambda self: (128, 1))
    predict.main(asked)
    assert out.read_bytes() == first


def test_a_stopped_call_resumes(own, model, tmp_path, monkeypatch, capsys):
    """What an earlier call encoded is not encoded again; the predictions are the same."""
    folder, labels, _ = own
    monkeypatch.setattr(encode, "CHUNK", 16)
    whole, out = folder / "again.csv", tmp_path / "resumed.csv"
    seen, encoder = [], ImageEncoder.__call__

    def counted(self, pixels):
        if sum(seen) >= 32:
            raise KeyboardInterrupt
        seen.append(len(pixels))
        return encoder(self, pixels)

    asked = [str(model), str(folder / "images"), "-o", str(out), "--device", "cpu"]
    asked += ["--threads", "1", "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr(ImageEncoder, "__call__", counted)
    with pytest.raises(KeyboardInterrupt):
        predict.main(asked)
    assert not out.exists()
    assert sum(seen) == 32
    seen[:] = [-len(labels)]
    predict.main(asked)
    assert sum(seen[1:]) == len(labels) - 32
    expected = pd.read_csv(whole)
    pd.testing.assert_frame_equal(pd.read_csv(out), expected, atol=1e-3)


def test_unreadable_images_are_listed_at_the_end(own, model, tmp_path, capsys):
    folder, labels, _ = own
    (tmp_path / "images").mkdir()
    good = (folder / "images" / labels.image[0]).read_bytes()
    (tmp_path / "images/good.png").write_bytes(good)
    (tmp_path / "images/cut.png").write_bytes(good[:100])
    (tmp_path / "images/copy.png").write_bytes(good[:100])
    out = tmp_path / "predictions.csv"
    predict.main(options(folder, str(model), str(tmp_path / "images"), "-o", str(out)))
    assert pd.read_csv(out).image.tolist() == ["good.png"]
    said = capsys.readouterr().err
    assert "2 images could not be read:" in said
    assert "cut.png: not readable as an image" in said
    assert "copy.png: not readable as an image" in said


def test_onnx_gives_the_same_probabilities(own, model, capsys):
    folder, labels, _ = own
    out = folder / "model.onnx"
    export.main(options(folder, str(model), "--onnx", str(out)))
    assert "of torch's" in capsys.readouterr().out
    described = json.loads((folder / "model.json").read_text())
    adapted_model = ptnl.own.adapted.read_adapted(model)
    session = ptnl.Session(device="cpu", threads=1, cache=folder / "cache")
    how = session.files.load(torch.device("cpu"), "float32").preprocess
    images = labels.image[:8]
    pixels = [prepared(read_pixels(folder / "images" / i), described["size"], how) for i in images]
    graph = onnxruntime.InferenceSession(out)
    (ours,) = graph.run(None, {"pixels": torch.stack(pixels).numpy()})
    encoder = ImageEncoder(session.files.load(torch.device("cpu"), "float32"))
    theirs = adapted_model.probabilities(encoder(torch.stack(pixels)).numpy())
    assert np.abs(ours - theirs).max() < 5e-3  # features are stored in float16
    loaded = session.files.load(torch.device("cpu"), "float32")
    with torch.inference_mode():
        exact = onnx.Exported(loaded, adapted_model).eval()(torch.stack(pixels)).numpy()
    assert np.abs(ours - exact).max() < 1e-4
    assert described["classes"] == adapted_model.classes.names


def test_a_vision_transformer_is_exported_too(own, model, tmp_path):
    """Its attention in inference is an operator of torch's own, which ONNX does not have."""
    session = ptnl.Session("mini-vit", device="cpu", threads=1, cache=own[0] / "cache")
    loaded = session.files.load(torch.device("cpu"), "float32")
    assert onnx.export_onnx(read_adapted(model), loaded, tmp_path / "vit.onnx") < 1e-4
    assert torch.backends.mha.get_fastpath_enabled()


def test_an_onnx_file_that_differs_is_not_written(own, model, monkeypatch):
    monkeypatch.setattr(onnx, "TOLERANCE", -1.0)
    out = own[0] / "differs.onnx"
    said = refused(export.main, *options(own[0], str(model), "--onnx", str(out)))
    assert "onnxruntime's probabilities differ from torch's" in said
    assert not list(own[0].glob("*differs*"))


def test_it_adapts_to_five_thousand_classes(own, monkeypatch):
    """Most names are alike and few are ever predicted; warnings name only some of them.

    One seed and one epoch, because the names are the same after more of them.
    """
    folder, _, _ = own
    names = folder / "many.txt"
    names.write_text("".join(f"class {number}\n" for number in range(5000)))
    monkeypatch.setitem(prompts.SETTINGS, "epochs", 1)
    one_seed = partial(adapt_features, seeds=(1,))
    monkeypatch.setattr("ptnl.own.adapt.adapt_features", one_seed)
    out = folder / "many"
    asked = [str(folder / "images"), "--classes", str(names), "-o", str(out)]
    adapt.main(options(folder, *asked, "--template", TEMPLATE))
    assert load_file(out / "adapted.safetensors")["class_embeddings"].shape[0] == 5000
    warnings = read_json(out / "adapted.json")["report"]["warnings"]
    assert sum("nearly coincide" in warning for warning in warnings) == 5
    assert any(warning.startswith("never predicted: ") for warning in warnings)
    assert all(len(warning) < 300 for warning in warnings)


def test_an_audit_puts_the_wrong_labels_first(own, audited):
    _, labels, wrong = own
    ranking = pd.read_csv(audited / "ranking.csv")
    assert len(ranking) == len(labels)
    assert len(set(ranking.image.head(8)) & wrong) >= 6
    assert ranking.probability_wrong.is_monotonic_decreasing
    true = labels.set_index("image").label
    doubted = ranking[ranking.image.isin(wrong)].head(8)
    assert (doubted.suggested == true[doubted.image].to_numpy()).mean() > 0.5
    report = read_json(audited / "audit.json")
    low, high = report["noise"]["interval"]
    assert low < 8 / len(labels) + 0.05
    assert 0 <= low <= report["noise"]["rate"] <= high < 0.5
    assert {path.stem for path in audited.glob("*.csv")} >= set(OURS)
    assert "labels of" in (audited / "summary.md").read_text()


def test_duplicates_with_other_labels_come_first(own, tmp_path):
    folder, labels, _ = own
    images = tmp_path / "images"
    for image in labels.image:
        (images / image).parent.mkdir(parents=True, exist_ok=True)
        (images / image).write_bytes((folder / "images" / image).read_bytes())
    (images / "copy.png").write_bytes((images / labels.image[0]).read_bytes())
    Image.new("RGB", (64, 64), "white").save(images / "blank.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 20, (64, 64, 3), np.uint8)).save(
        images / "dark.png"
    )
    with Image.open(images / labels.image[5]) as picture:
        picture.resize((8, 8)).save(images / "tiny.png")
    other = next(name for name in labels.label.unique() if name != labels.label[0])
    more = pd.DataFrame({"image": ["copy.png"], "label": [other]})
    pd.concat([labels, more]).to_csv(tmp_path / "labels.csv", index=False)
    session = ptnl.Session(device="cpu", threads=1, cache=folder / "cache")
    found = ptnl.audit(images, tmp_path / "labels.csv", template=TEMPLATE, session=session)
    first = found.findings.ranking.head(2)
    assert set(first.image) == {"copy.png", labels.image[0]}
    assert first.duplicate_disagrees.all()
    assert found.findings.duplicates.iloc[0].kind == "same file"
    looks = found.findings.looks.set_index("image").what
    assert looks.to_dict() == {"blank.png": "blank", "dark.png": "dark", "tiny.png": "tiny"}


def test_decisions_become_corrected_labels(own, audited, tmp_path, capsys):
    folder, _, _ = own
    noisy = (folder / "noisy.csv").read_bytes()
    ranking = pd.read_csv(audited / "ranking.csv").head(2)
    decisions = ranking[["image", "label"]].assign(
        decision=["suggestion", "drop"], new_label=[ranking.suggested[0], ""]
    )
    decisions.to_csv(tmp_path / "decisions.csv", index=False)
    audit.main(["--apply", str(tmp_path / "decisions.csv"), "-o", str(audited)])
    after = pd.read_csv(audited / "labels.corrected.csv").set_index("image").label
    before = pd.read_csv(folder / "noisy.csv").set_index("image").label
    assert after[ranking.image[0]] == ranking.suggested[0]
    assert ranking.image[1] not in after
    rest = before.drop(ranking.image)
    assert (after[rest.index] == rest).all()
    assert (folder / "noisy.csv").read_bytes() == noisy
    assert "2 changed or dropped" in capsys.readouterr().out
    (audited / "labels.corrected.csv").unlink()


def exported(audited, kind: str):
    audit.main(["--export", kind, "-o", str(audited)])
    return audited / kind


def noisy_labels(own) -> pd.Series:
    return pd.read_csv(own[0] / "noisy.csv").set_index("image").label


def test_export_as_folders(own, audited):
    for _ in range(2):  # a second call replaces the links of the first
        folder = ImageFolder(exported(audited, "imagefolder"))
    assert folder.classes == sorted(set(noisy_labels(own)))
    counts = np.bincount(folder.targets, minlength=6)
    assert counts.tolist() == noisy_labels(own).value_counts().sort_index().tolist()
    assert folder[0][0].size == (64, 64)


def test_export_to_label_studio(own, audited):
    folder = exported(audited, "labelstudio")
    tasks = json.loads((folder / "tasks.json").read_text())
    given = {
        task["data"]["name"]: task["annotations"][0]["result"][0]["value"]["choices"][0]
        for task in tasks
    }
    assert given == noisy_labels(own).to_dict()
    assert any("predictions" in task for task in tasks)
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    known = interface((folder / "config.xml").read_text())
    known.validate()
    for task in tasks:
        # Without annotations: version 2.1.2 fails to check them as part of a task.
        assert known.validate_task({"data": task["data"]})
        assert all(known.validate_annotation(a) for a in task["annotations"])
        assert all(known.validate_prediction(p) for p in task.get("predictions", []))


def test_export_to_cvat(own, audited):
    path = exported(audited, "cvat") / "annotations.xml"
    images = ET.parse(path).getroot().findall("image")
    given = {image.get("name"): image.find("tag").get("label") for image in images}
    assert given == noisy_labels(own).to_dict()
    assert {image.get("width") for image in images} == {"64"}
    assert exported(audited, "cvat") == path.parent  # a second call accepts the link of the first
    datumaro = pytest.importorskip("datumaro")
    dataset = datumaro.Dataset.import_from(str(path.parent), "cvat")
    names = dataset.categories()[datumaro.AnnotationType.label]
    opened = {f"{item.id}.png": names[item.annotations[0].label].name for item in dataset}
    assert opened == given
    assert all(item.media.data.shape[:2] == (64, 64) for item in dataset)


def test_an_export_keeps_a_folder_that_stands_in_place_of_its_link(audited):
    link = exported(audited, "cvat") / "images"
    images = link.readlink()
    link.unlink()
    link.mkdir()
    (link / "mine.png").write_bytes(b"mine")
    said = refused(audit.main, "--export", "cvat", "-o", str(audited))
    assert f"{link}: is there, and is no link to {images}" in said
    assert (link / "mine.png").read_bytes() == b"mine"
    (link / "mine.png").unlink()
    link.rmdir()


def test_export_to_fiftyone(own, audited):
    path = exported(audited, "fiftyone") / "samples.json"
    samples = json.loads(path.read_text())["samples"]
    given = noisy_labels(own)
    assert len(samples) == len(given)
    fiftyone = pytest.importorskip("fiftyone")
    for sample in map(fiftyone.Sample.from_dict, samples):
        image = str(sample.filepath).split("/images/", 1)[1]
        assert sample.ground_truth.label == given[image]


def refused(main, *argv: str) -> str:
    with pytest.raises(InputError) as refusal:
        main(list(argv))
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_half_written_model_is_refused(own, model, tmp_path):
    folder, _, _ = own
    asked = options(folder, str(folder / "images"), "-o", str(tmp_path / "p.csv"))
    assert "no such folder" in refused(predict.main, str(tmp_path / "none"), *asked)
    half = tmp_path / "half"
    half.mkdir()
    (half / "adapted.safetensors").write_bytes((model / "adapted.safetensors").read_bytes())
    said = refused(predict.main, str(half), *asked)
    assert "holds no ptnl adapted model: adapted.json is missing; `ptnl adapt` makes one" in said
    whole = (model / "adapted.json").read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"{}"):
        (half / "adapted.json").write_bytes(damage)
        said = refused(predict.main, str(half), *asked)
        assert "adapted.json: damaged, or not what `ptnl adapt` writes" in said
        assert f"delete the folder and run `ptnl adapt ... -o {half}` again" in said
    (half / "adapted.json").write_bytes(whole)
    (half / "adapted.safetensors").write_bytes(b"cut")
    assert "not what adapted.json belongs to" in refused(predict.main, str(half), *asked)
    assert not (tmp_path / "p.csv").exists()


def test_a_half_written_folder_may_be_written_again(own, model, tmp_path, monkeypatch):
    """A call that is killed while it writes loses nothing, and the same call then goes through."""
    written, again = read_adapted(model), tmp_path / "again"
    again.mkdir()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(adapted_folder, "write_text", interrupt)
        adapted_folder.write_adapted(written, again, "card")
    asked = options(own[0], str(own[0] / "images"), "-o", str(tmp_path / "p.csv"))
    assert "half-written; run `ptnl adapt" in refused(predict.main, str(again), *asked)
    claim(again, adapted_folder.MARK, adapted_folder.MARKED_AS)
    adapted_folder.write_adapted(written, again, "card")
    assert torch.equal(read_adapted(again).class_embeddings, written.class_embeddings)


def test_a_half_written_audit_may_be_written_again(own, few_epochs, tmp_path, monkeypatch):
    asked = options(own[0], str(own[0] / "images"), "--labels", str(own[0] / "noisy.csv"))
    asked += ["--template", TEMPLATE, "-o", str(tmp_path / "audit")]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(audit_folder, "write_text", interrupt)
        audit.main(asked)
    said = refused(audit.main, "--export", "cvat", "-o", str(tmp_path / "audit"))
    assert "half-written; run `ptnl audit" in said
    audit.main(asked)
    assert read_json(tmp_path / "audit/audit.json")["labels"] == len(own[1])


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_bad_input_is_answered_with_one_sentence_and_loses_nothing(own, model, tmp_path):
    folder, _, _ = own
    images, classes = str(folder / "images"), str(folder / "classes.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.txt").write_text("cat\n")
    out = ("-o", str(tmp_path / "out"))
    first = pd.read_csv(folder / "labels.csv").iloc[[0, 1, -1]]
    first.to_csv(tmp_path / "few.csv", index=False)
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("image,mine\na.png,1\n")
    few = ("--labels", str(tmp_path / "few.csv"))
    none = ("--labels", str(tmp_path / "none.csv"))
    said = [
        refused(adapt.main, str(tmp_path / "empty"), "--classes", classes, *out),
        refused(adapt.main, images, "--classes", str(tmp_path / "one.txt"), *out),
        refused(adapt.main, images, "--classes", classes, "-o", images),
        refused(adapt.main, images, "--classes", classes, *out, "--template", "a photo"),
        refused(adapt.main, images, "--classes", classes, *out, "--backbone", "RN5"),
        refused(adapt.main, *options(folder, images, "--classes", classes, *out, *few)),
        refused(audit.main, *options(folder, images, *few, *out)),
        refused(adapt.main, images, "--classes", str(tmp_path / "none.txt"), *out),
        refused(audit.main, images, *none, *out),
        refused(audit.main, images, *out),
        refused(audit.main, "--export", "cvat", *out),
        refused(predict.main, str(model), images, "-o", str(theirs)),
        refused(predict.main, str(model), images, "-o", str(folder / "images/p.csv")),
        refused(export.main, str(model), "--onnx", str(tmp_path / "model")),
    ]
    for sentence, part in zip(
        said,
        (
            "holds no images",
            "needs two classes",
            "lies in your folder",
            "exactly once",
            "'RN5' is unknown",
            "3 labelled images are too few",
            "3 labels are too few",
            "none.txt: no such file",
            "none.csv: no such file",
            "--labels: missing",
            "holds no ptnl audit",
            "holds no predictions of ptnl's",
            "lies in your folder",
            "ends in .onnx",
        ),
        strict=True,
    ):
        assert part in sentence
    assert theirs.read_text() == "image,mine\na.png,1\n"
    assert not list((tmp_path / "out").glob("*"))


def test_a_class_without_labels_is_a_warning(own, few_epochs):
    folder, labels, _ = own
    partial = labels[labels.label != labels.label[0]]
    partial.to_csv(folder / "partial.csv", index=False)
    out = adapted(folder, "partial", "--labels", str(folder / "partial.csv"))
    warnings = read_json(out / "adapted.json")["report"]["warnings"]
    assert f"without a label: {labels.label[0]}" in warnings


def test_a_backbone_with_other_weights_is_refused(own, model, tmp_path):
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in model.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    mark = read_json(changed / "adapted.json")
    mark["backbone"]["sha256"] = "0" * 64
    (changed / "adapted.json").write_text(json.dumps(mark))
    images = str(own[0] / "images")
    said = refused(predict.main, str(changed), images, "-o", str(tmp_path / "p.csv"))
    assert "are not those that the model was adapted with" in said


def test_the_package_imports_torch_only_when_a_function_is_used():
    code = (
        "import sys; sys.modules['torch'] = None; import ptnl\n"
        "for name in ('adapt', 'audit'):\n"
        "    try: getattr(ptnl, name)\n"
        "    except ModuleNotFoundError as error: assert error.name == 'torch', error\n"
        "    else: sys.exit(f'{name} needs no torch')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (ptnl.adapt.__name__, ptnl.audit.__name__) == ("adapt", "audit")
    with pytest.raises(AttributeError, match="no attribute 'predictions'"):
        _ = ptnl.predictions


def test_the_commands_need_nothing_of_the_study(tmp_path):
    """They import no package that only an extra such as `.[study]` installs."""
    absent = ("snakemake", "matplotlib", "jinja2", "psutil", "markdown_it", "onnx", "onnxruntime")
    # Where these are loaded, their parts are too.
    block = (
        f"import sys; absent = {absent}; loaded = [*sys.modules, *absent]; "
        "parts = [name for name in loaded if name.partition('.')[0] in absent]; "
        "sys.modules.update(dict.fromkeys(parts))"
    )
    modules = ("adapt", "predict", "export", "audit")
    imports = "; ".join(f"import ptnl.cli.{name}" for name in modules)
    code = f"{block}; {imports}; import ptnl; ptnl.PromptClassifier"
    said = called(["forget", "python", "-c", code], tmp_path)
    assert said.returncode == 0, said.stderr
