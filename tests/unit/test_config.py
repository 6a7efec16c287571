"""Every kind of bad config gets one sentence that names the key."""

import copy

import pytest
import yaml

from ptnl.data import DATASETS, datasets_of
from ptnl.errors import InputError
from ptnl.study.config import check_config, with_defaults, without_dropped
from ptnl.study.grid import sweeps
from ptnl.study.protocols import apply_protocol, hyper_parameters, merged


@pytest.fixture
def config(root):
    return yaml.safe_load((root / "config.yaml").read_text())


@pytest.fixture(scope="session")
def schema(root):
    return yaml.safe_load((root / "ptnl/study/config.schema.yaml").read_text())


def test_the_shipped_config_is_valid(config, schema):
    check_config(config, schema)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("shot", 16, r"unknown key 'shot'; did you mean 'shots'\?"),
        ("methods.promt_ce", {}, r"unknown key 'methods.promt_ce'; did you mean 'prompt_ce'\?"),
        ("methods.prompt_ce.lr", 0.1, r"unknown key 'methods.prompt_ce.lr'; known are: batch_size"),
        ("methods.prompt_gce.q", 1.5, r"methods.prompt_gce.q: 1.5 is greater than the maximum"),
        ("methods.prompt_ce.epochs", "ten", r"methods.prompt_ce.epochs: 'ten' is not of type"),
        ("shots", "all", r"noise.symmetric: shots: all draws every image, so classes differ"),
        ("shots", "many", r"shots: 'many' does not match '\^all\$'"),
        ("views", -1, r"views: -1 is less than the minimum of 0"),
        ("train_transform", "dassl", r"train_transform: 'dassl' is not one of"),
        ("seeds", [], r"seeds: \[\] should be non-empty"),
        (
            "noise.symmetric.fps",
            [0, 17],
            r"noise.symmetric: 17 wrong labels do not",
        ),
        ("datasets", ["icon"], r"datasets: 'icon' is unknown; choose from icons, symbols, .*own"),
        ("dataset_options.dtdd", {"splits": "native"}, r"datasets: 'dtdd' is unknown; choose"),
        ("dataset_options.dtd", {"splits": "mine"}, r"dtd.splits: 'mine' is not one of"),
        ("dataset_options.dtd", {"split": "coop"}, r"unknown key 'dataset_options.dtd.split'; did"),
        ("dataset_options.dtd", {"folder": "x"}, r"dtd.folder: not an option of dtd; it takes spl"),
        ("dataset_options.icons", {"flips": True}, r"not an option of icons; it takes none"),
        ("dataset_options.fgvc_aircraft", {"splits": "coop"}, r"aircraft; it takes source, sizes"),
        (
            "dataset_options.my birds",
            {"folder": "x"},
            r"dataset_options: 'my birds' does not match",
        ),
        ("dataset_options.mine", {"folder": "x"}, r"mine.template: missing; it is the hand-crafte"),
        (
            "dataset_options.mine",
            {"folder": "x", "template": "a {class}."},
            r"mine.template: 'a {class}.' does not hold {} once",
        ),
        (
            "dataset_options.mine",
            {"folder": "x", "manifest": "y", "template": "a {}."},
            r"dataset_options.mine: has a folder and a manifest; give one",
        ),
        (
            "dataset_options.mine",
            {"folder": "x", "images": "y", "template": "a {}."},
            r"mine.images: not an option of mine; it takes folder, names, template",
        ),
        ("dataset_options.dtd.sizes", {"trian": 1}, r"sizes.trian'; did you mean 'train'"),
        ("backbones.RN51", {}, r"backbones: 'RN51' is unknown; choose from RN50, .*, or say which"),
        ("backbones.a/b", {}, r"backbones: 'a/b' does not match"),
        ("backbones.own", {"model": "RN50"}, r"backbones.own: a model needs its open_clip tag"),
        ("backbones.RN50", {"sha256": "0" * 64}, r"'weights' is a dependency of 'sha256'"),
        ("backbones.RN50", {"image_encoder": "x"}, r"RN50.image_encoder: 'x' is unknown"),
        ("backbones.mini-rn", {"weights": "w.pt"}, r"mini-rn: the package ships its weights"),
        ("backbones.mini-rn", None, r"backbones.mini-rn: None is not of type 'object'"),
        ("precision", "float16", r"precision: 'float16' is not one of"),
        ("primary_backbone", "mini", r"primary_backbone: 'mini' is unknown"),
        ("backbones.mini-rn.methods", ["nope"], r"backbones.mini-rn.methods: .nope. is unknown"),
    ],
)
def test_a_mistake_is_named(config, schema, path, value, sentence):
    broken = copy.deepcopy(config)
    *parents, key = path.split(".")
    place = broken
    for parent in parents:
        place = place.setdefault(parent, {})
    place[key] = value
    with pytest.raises(InputError, match=sentence) as caught:
        check_config(broken, schema)
    assert "\n" not in str(caught.value)


def test_data_sets_of_ones_own_are_part_of_a_study(config, schema):
    own = {
        "my_birds": {"folder": "birds", "template": "a photo of a {}, a type of bird."},
        "signs": {"manifest": "s.csv", "images": "s", "template": "{}.", "flips": False},
        "dtd": {"splits": "native"},
    }
    config["datasets"] = ["my_birds", "dtd", "signs"]
    config["dataset_options"] = own
    check_config(config, schema)
    known = datasets_of(config)
    assert known["my_birds"].title == "My birds"
    assert (known["signs"].flips, known["signs"].template) == (False, "{}.")
    assert known["dtd"] == DATASETS["dtd"]
    assert {sweep.dataset for sweep in sweeps(with_defaults(config, schema))} == set(own)
    assert with_defaults(config, schema)["dataset_options"] == own


def test_every_key_is_described_and_typed(schema):
    def walk(node, path):
        for name, child in node.get("properties", {}).items():
            target = child
            if "$ref" in child:
                target = {**schema["$defs"][child["$ref"].rsplit("/", 1)[1]], **child}
            assert "description" in target, f"{path}.{name}"
            assert "type" in target, f"{path}.{name}"
            walk(target, f"{path}.{name}")

    walk(schema, "config")
    for name, node in schema["$defs"].items():
        walk(node, name)


def test_hyper_parameters_are_defaulted_and_closed(schema):
    # All of the study without them.
    optional = {("noise", "methods"), ("noise", "datasets"), ("noise", "backbones")}
    for name, node in schema["$defs"].items():
        if node["type"] != "object":
            continue
        assert node["additionalProperties"] is False, name
        for key, child in node["properties"].items():
            target = child
            if "$ref" in child:
                target = schema["$defs"][child["$ref"].rsplit("/", 1)[1]]
            assert "default" in target or (name, key) in optional, f"{name}.{key}"


def test_defaults_complete_what_is_there_and_add_no_method(schema):
    study = {"study": "mine", "methods": {"prompt_gce": {"q": 0.5}}, "noise": {"symmetric": {}}}
    full = with_defaults(study, schema)
    assert set(full["methods"]) == {"prompt_gce"}
    assert (full["methods"]["prompt_gce"]["q"], full["methods"]["prompt_gce"]["epochs"]) == (
        0.5,
        50,
    )
    assert full["noise"] == {"symmetric": {"fps": [0, 2, 4, 8]}}
    assert full["shots"] == 16
    assert study["methods"] == {"prompt_gce": {"q": 0.5}}


def test_every_method_has_its_hyper_parameters(schema):
    from ptnl.methods import METHODS

    assert set(schema["properties"]["methods"]["properties"]) == set(METHODS)


def test_an_overlay_takes_out_what_a_null_names(config, schema):
    nothing = {
        "backbones": {"mini-vit": None},
        "methods": {"upl": None},
        "noise": {"confusion": None},
    }
    left = without_dropped(merged(config, nothing))
    check_config(left, schema)
    assert list(left["backbones"]) == ["mini-rn"]
    assert "upl" not in left["methods"]
    assert list(left["noise"]) == ["symmetric"]
    assert left["methods"].keys() | {"upl"} == config["methods"].keys()


def test_a_null_beats_the_protocol(config, schema):
    """What it takes out does not come back with a preset that has it."""
    explicit = {"noise": {"confusion": None}}
    full = with_defaults(without_dropped(merged(config, explicit)), schema)
    preset = {"noise": {"symmetric": {"fps": [0]}, "confusion": {"fps": [8]}}}
    with_preset = apply_protocol(full, preset, explicit, hyper_parameters(schema))
    assert without_dropped(with_preset)["noise"] == {"symmetric": {"fps": [0]}}


def test_a_forgotten_value_is_no_null_to_drop(config, schema):
    with pytest.raises(InputError, match="seeds: None is not of type 'array'"):
        check_config(without_dropped({**config, "seeds": None}), schema)
