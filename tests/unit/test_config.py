"""Every mistake in a config is refused with one sentence that names the key."""

import copy

import pytest
import yaml
from snakemake.cli import parse_config

from ptnl.data import DATASETS, datasets_of
from ptnl.errors import InputError
from ptnl.study.config import Rules, read_study, study_config, with_defaults
from ptnl.study.grid import sweeps
from ptnl.study.layouts import unfilled
from ptnl.study.method_schema import with_methods
from ptnl.study.protocols import merged, statements
from ptnl.study.strict_yaml import read_yaml
from ptnl.training.method import Method


@pytest.fixture
def config(root):
    return yaml.safe_load((root / "config.yaml").read_text())


@pytest.fixture(scope="session")
def schema():
    return Rules.shipped().schema


@pytest.fixture(scope="session")
def rules():
    return Rules.shipped()


def test_the_shipped_config_is_valid(config, rules):
    study_config(config, rules)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("shot", 16, r"unknown key 'shot' \(did you mean 'shots'\?\)"),
        ("methods.promt_ce", {}, r"unknown key 'methods.promt_ce' \(did you mean 'prompt_ce'\?\)"),
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
            r"noise.symmetric.fps: 17 wrong labels do not",
        ),
        (
            "datasets",
            ["icon"],
            r"datasets: 'icon' is unknown \(did you mean 'icons'.*choose from.*own",
        ),
        (
            "dataset_options.dtdd",
            {"splits": "native"},
            r"'dtdd' is unknown \(did you mean 'dtd'",
        ),
        ("dataset_options.dtd", {"splits": "mine"}, r"dtd.splits: 'mine' is not one of"),
        (
            "dataset_options.dtd",
            {"split": "coop"},
            r"key 'dataset_options.dtd.split' \(did",
        ),
        ("dataset_options.dtd", {"folder": "x"}, r"dtd.folder: not an option of dtd; it takes spl"),
        ("dataset_options.icons", {"flips": True}, r"not an option of icons; it takes none"),
        ("dataset_options.fgvc_aircraft", {"splits": "coop"}, r"aircraft; it takes source, sizes"),
        (
            "dataset_options.my birds",
            {"folder": "x"},
            r"dataset_options: the name 'my birds' holds other characters",
        ),
        ("dataset_options.mine", {"folder": "x"}, r"mine.template: missing; it is the hand-crafte"),
        (
            "dataset_options.mine",
            {"folder": "x", "template": "a {class}."},
            r"mine.template: 'a {class}.' has to hold {} once",
        ),
        (
            "dataset_options.mine",
            {"folder": "x", "manifest": "y", "template": "a {}."},
            r"dataset_options.mine: has both a folder and a manifest; give only one",
        ),
        (
            "dataset_options.mine",
            {"folder": "x", "images": "y", "template": "a {}."},
            r"mine.images: not an option of mine; it takes folder, names, template",
        ),
        ("dataset_options.dtd.sizes", {"trian": 1}, r"sizes.trian' \(did you mean 'train'"),
        (
            "backbones.RN51",
            {},
            r"backbones: 'RN51' is unknown .*choose from RN50, .*, or say",
        ),
        ("backbones.a/b", {}, r"backbones: the name 'a/b' holds other characters"),
        ("backbones.own", {"model": "RN50"}, r"backbones.own: a model needs its open_clip tag"),
        ("backbones.RN50", {"sha256": "0" * 64}, r"'weights' is a dependency of 'sha256'"),
        ("backbones.RN50", {"image_encoder": "x"}, r"RN50.image_encoder: 'x' is unknown"),
        ("backbones.mini-rn", {"weights": "w.pt"}, r"mini-rn: the package ships its weights"),
        ("noise.confusion.favoured_by", "CLIP", r"confusion.favoured_by: 'CLIP' is not one of"),
        ("noise.pairflip", {}, r"noise.pairflip.fps: no value is given"),
        ("methods", {}, r"methods: \{\} should be non-empty"),
        ("views", "always", r"views: 'always' does not match"),
        ("precision", "float16", r"precision: 'float16' is not one of"),
        ("primary_backbone", "mini", r"primary_backbone: 'mini' is unknown"),
        ("backbones.mini-rn.methods", ["nope"], r"backbones.mini-rn.methods: .nope. is unknown"),
    ],
)
def test_a_mistake_is_named(config, rules, path, value, sentence):
    broken = copy.deepcopy(config)
    *parents, key = path.split(".")
    place = broken
    for parent in parents:
        place = place.setdefault(parent, {})
    place[key] = value
    with pytest.raises(InputError, match=sentence) as caught:
        study_config(broken, rules)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "remedy", "on_the_command_line"),
    [
        ("fuse=false", "fuse: false", "fuse=False"),
        ("seeds=[1]", "seeds: [1]", None),
        ("noise={symmetric: {fps: [8]}}", "noise: {symmetric: {fps: [8]}}", None),
        (
            "methods={prompt_ce: {learning_rate: 1e-5}}",
            "methods: {prompt_ce: {learning_rate: 1.0e-05}}",
            None,
        ),
    ],
)
def test_the_advice_for_values_that_snakemake_reads_as_text_works(
    config, rules, given, remedy, on_the_command_line
):
    with pytest.raises(InputError, match="it is text") as caught:
        study_config(merged(config, parse_config([given])), rules)
    study_config(merged(config, yaml.safe_load(remedy)), rules)
    value = remedy.rsplit(" ", 1)[1].strip("[]{}")
    assert f"write {value}, without quotes" in str(caught.value)
    assert (on_the_command_line or "in a file for --configfile") in str(caught.value)
    if on_the_command_line:
        study_config(merged(config, parse_config([on_the_command_line])), rules)


def test_a_study_may_use_own_data_sets(config, rules):
    own = {
        "my_birds": {"folder": "birds", "template": "a photo of a {}, a type of bird."},
        "signs": {"manifest": "s.csv", "images": "s", "template": "{}.", "flips": False},
        "dtd": {"splits": "native"},
    }
    config["datasets"] = ["my_birds", "dtd", "signs"]
    config["dataset_options"] = own
    full = study_config(config, rules)
    known = datasets_of(full)
    assert known["my_birds"].title == "My birds"
    assert (known["signs"].flips, known["signs"].template) == (False, "{}.")
    assert known["dtd"] == DATASETS["dtd"]
    assert {sweep.dataset for sweep in sweeps(full)} == set(own)
    assert full["dataset_options"] == own


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


def test_every_hyper_parameter_has_exactly_one_value(schema, rules):
    """It comes from the protocol or, as a default of the schema, from the method's own authors."""
    in_protocols = {path for preset in rules.protocols.values() for path, _ in statements(preset)}
    for method, known in schema["properties"]["methods"]["properties"].items():
        node = known
        if "$ref" in known:
            node = schema["$defs"][known["$ref"].rsplit("/", 1)[1]]
        assert node["additionalProperties"] is False, method
        for key, child in node.get("properties", {}).items():
            if "$ref" in child:
                child = {**schema["$defs"][child["$ref"].rsplit("/", 1)[1]], **child}
            set_by = {f"settings.{key}", f"methods.{method}.{key}"} & in_protocols
            assert set_by or "default" in child, f"{method}.{key}"
            assert f"methods.{method}.{key}" not in set_by or "default" not in child, method


def test_defaults_complete_sections_but_add_none(schema):
    study = {"study": "mine", "methods": {"prompt_gce": {"q": 0.5}}}
    full = with_defaults(study, schema)
    assert full["methods"] == {"prompt_gce": {"q": 0.5}}
    assert (full["protocol"], full["gpu_share"]) == ("paper", 2)
    assert "noise" not in full


def test_a_method_that_the_protocol_does_not_know_needs_its_values(config, rules):
    protocols = copy.deepcopy(dict(rules.protocols))
    del protocols["paper"]["methods"]["prompt_sce"]["alpha"]
    without_alpha = Rules(rules.schema, protocols)
    with pytest.raises(
        InputError, match=r"methods.prompt_sce: neither the config nor the protocol"
    ):
        study_config(config, without_alpha)
    config["methods"]["prompt_sce"] = {"alpha": 3.0}
    assert study_config(config, without_alpha)["methods"]["prompt_sce"]["alpha"] == 3.0


def test_a_method_of_the_registry_has_shared_settings_and_its_own():
    own = {"epsilon": {"description": "A share.", "type": "number", "default": 0.1}}
    kinds = {"prompt": {"type": "object", "properties": {"epochs": {"type": "integer"}}}}
    schema = {"properties": {"methods": {"type": "object"}}, "$defs": kinds}

    def settings(**given) -> dict:
        whole = with_methods(schema, {"mine": Method("Mine", "prompt", "ce", **given)})
        return whole["properties"]["methods"]["properties"]["mine"]

    assert settings() == kinds["prompt"]
    assert list(settings(settings=own)["properties"]) == ["epochs", "epsilon"]
    with pytest.raises(KeyError, match="promt"):
        settings(settings_of="promt")
    alone = with_methods(schema, {"mine": Method("Mine", "nearest_mean", "ce", settings=own)})
    assert alone["properties"]["methods"]["properties"]["mine"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": own,
    }


def test_null_in_an_overlay_removes_an_entry(config, rules):
    """This includes entries that the protocol added."""
    removals = {
        "backbones": {"mini-vit": None},
        "methods": {"upl": None},
        "noise": {"confusion": None},
    }
    left = study_config(merged(config, removals), rules)
    assert list(left["backbones"]) == ["mini-rn"]
    assert "upl" not in left["methods"]
    assert list(left["noise"]) == ["symmetric"]
    assert left["methods"].keys() | {"upl"} == config["methods"].keys()


def test_a_required_key_without_a_value_is_an_error(config, rules):
    with pytest.raises(InputError, match="seeds: None is not of type 'array'"):
        study_config({**config, "seeds": None}, rules)


def test_confusion_noise_is_for_the_backbone_that_made_its_predictions(root):
    def backbones(options) -> set[str]:
        config = read_study(root, [], {"noise": {"confusion": options}})
        return {sweep.backbone for sweep in sweeps(config) if sweep.noise == "confusion"}

    assert backbones({}) == {"mini-rn"}
    assert backbones({"backbones": ["mini-vit"]}) == {"mini-vit"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shots: 4\nseeds: [1]\nshots: 8\n", "shots stands twice, in lines 1 and 3"),
        ("a: {b: 1, b: 2}\n", "b stands twice, in lines 1 and 1"),
        ("a: [\n", "not readable as YAML"),
        ("[" * 5000, "not readable as YAML"),
        ("{a: " * 50_000, "not readable as YAML"),
        ("- " * 50_000, "not readable as YAML"),
        ("a: !!python/object/apply:os.system [true]\n", "not readable as YAML"),
    ],
)
def test_a_broken_yaml_file_is_named(tmp_path, text, sentence):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        read_yaml(tmp_path / "a.yaml")
    assert str(tmp_path / "a.yaml") in str(caught.value)


def test_a_merged_yaml_mapping_may_replace_keys(tmp_path):
    text = "a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  x: 3\nc: {<<: *b, y: 4}\n"
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml")["c"] == {"x": 3, "y": 4}


def test_tables_and_figures_that_a_study_cannot_fill_are_named(config, rules):
    assert unfilled(study_config(config, rules)) == []
    changes = {
        "methods": {"prompt_gce": None, "random_prompt": None},
        "noise": {"confusion": None},
        "backbones": {"mini-vit": None},
    }
    study = study_config(merged(config, changes), rules)
    assert sorted(unfilled(study)) == [
        "Figure 1 needs prompt_gce.",
        "Figure 2 needs prompt_gce.",
        "Figure 6 needs random_prompt.",
        "Figure 9 needs prompt_gce.",
        "Table 3 needs prompt_ce with a second backbone.",
        "Table 4 needs linear_probe under confusion noise, prompt_ce under confusion noise.",
        "Table 8 needs random_prompt.",
    ]
    clean = merged(config, {"noise": {"symmetric": {"fps": [0]}, "confusion": None}})
    sentences = unfilled(study_config(clean, rules))
    assert "Figure 2 needs a second rate of symmetric noise." in sentences
    assert "Figure 4 needs wrong labels by symmetric noise." in sentences
    assert not [sentence for sentence in sentences if sentence.startswith("Table 1 ")]
    config["datasets"] = ["dtd"]
    config["dataset_methods"] = {"dtd": ["prompt_ce"]}
    sentences = unfilled(study_config(config, rules))
    assert any(
        sentence.startswith("Table 1 needs classifier_r with mini-rn on dtd, ")
        for sentence in sentences
    )
    assert "Figure 6 needs one of the data sets oxford_pets, ucf101." in sentences


def only(config, *methods: str, **changes) -> dict:
    return {**config, **changes, "methods_only": list(methods)}


def test_methods_only_chooses_the_methods_that_run(config, rules):
    study = study_config(only(config, "zero_shot", "prompt_ce"), rules)
    assert list(study["methods"]) == ["zero_shot", "prompt_ce"]
    assert {sweep.method for sweep in sweeps(study)} == {"zero_shot", "prompt_ce"}
    assert study["backbones"]["mini-vit"]["methods"] == ["zero_shot", "prompt_ce"]
    assert study["noise"]["confusion"]["methods"] == ["prompt_ce"]
    first = study_config(only(config, "linear_probe_gce", "zero_shot"), rules)
    assert list(first["methods"]) == ["linear_probe_gce", "zero_shot"]
    assert list(first["noise"]) == ["symmetric"]  # confusion noise is for other methods
    assert list(first["backbones"]) == ["mini-rn", "mini-vit"]
    alone = study_config(only(config, "linear_probe_gce"), rules)
    assert list(alone["backbones"]) == ["mini-rn"]
    of_dataset = only(config, "prompt_ce", dataset_methods={"icons": ["prompt_ce", "linear_probe"]})
    assert study_config(of_dataset, rules)["dataset_methods"] == {"icons": ["prompt_ce"]}


def test_methods_only_refuses_a_method_that_the_study_lacks(config, rules):
    with pytest.raises(InputError, match="methods_only: 'promt_ce' is not in the study; choose"):
        study_config(only(config, "promt_ce"), rules)
