"""A protocol stands between config.yaml and what the user says on top of it."""

import copy
from itertools import pairwise

import pytest
import yaml

from ptnl.errors import InputError
from ptnl.study.config import check_config
from ptnl.study.protocols import apply_protocol, hyper_parameters, merged, protocol_of

KNOWN = {"prompt_ce": {"epochs"}, "prompt_gce": {"epochs", "q"}, "linear_probe": {"c"}}
CONFIG = {
    "seeds": [1],
    "noise": {"symmetric": {"fps": [0, 8]}},
    "methods": {
        "prompt_ce": {"epochs": 40},
        "prompt_gce": {"epochs": 40},
        "linear_probe": {"c": 1},
    },
}
PRESET = {
    "seeds": [1, 2],
    "noise": {"fp_swap": [0, 2]},
    "settings": {"epochs": 50, "q": 0.5},
}


@pytest.fixture(scope="session")
def presets(root):
    files = (root / "ptnl/study/presets").glob("*.yaml")
    return {file.stem: yaml.safe_load(file.read_text()) for file in files}


@pytest.fixture(scope="session")
def shipped(root):
    return yaml.safe_load((root / "config.yaml").read_text())


@pytest.fixture(scope="session")
def schema(root):
    return yaml.safe_load((root / "ptnl/study/config.schema.yaml").read_text())


def test_a_preset_replaces_what_config_yaml_says():
    before = copy.deepcopy(CONFIG)
    assert apply_protocol(CONFIG, PRESET, {}, KNOWN) == {
        "seeds": [1, 2],
        "noise": {"fp_swap": [0, 2]},
        "methods": {
            "prompt_ce": {"epochs": 50},
            "prompt_gce": {"epochs": 50, "q": 0.5},
            "linear_probe": {"c": 1},
        },
    }
    assert before == CONFIG


def test_what_the_user_says_wins():
    explicit = {"seeds": [7], "methods": {"prompt_gce": {"q": 0.9}}}
    config = apply_protocol(merged(CONFIG, explicit), PRESET, explicit, KNOWN)
    assert config["seeds"] == [7]
    assert config["methods"]["prompt_gce"] == {"epochs": 50, "q": 0.9}
    assert config["methods"]["prompt_ce"] == {"epochs": 50}


def test_a_noise_of_the_users_is_added_to_the_protocols():
    explicit = {"noise": {"pairflip": [4]}}
    config = apply_protocol(merged(CONFIG, explicit), PRESET, explicit, KNOWN)
    assert config["noise"] == {"fp_swap": [0, 2], "pairflip": [4]}


def test_hyper_parameters_are_the_schemas(schema, shipped):
    known = hyper_parameters(schema)
    assert known["zero_shot"] == set()
    assert known["linear_probe"] == {"c", "max_iterations"}
    assert all(set(settings) <= known[name] for name, settings in shipped["methods"].items())


def test_the_embedded_protocol_changes_nothing(presets, shipped, schema):
    known = hyper_parameters(schema)
    assert apply_protocol(shipped, presets["embedded"], {}, known) == shipped


@pytest.mark.parametrize("name", ["paper", "released", "nlprompt"])
def test_presets_make_a_valid_study_and_use_all_they_say(name, presets, shipped, schema):
    known = hyper_parameters(schema)
    config = apply_protocol(shipped, presets[name], {}, known)
    check_config(config, schema)
    assert config["random_noise"] in config["noise"]
    for key, value in presets[name]["settings"].items():
        methods = [method for method in config["methods"] if key in known[method]]
        assert methods, key
        assert all(config["methods"][method][key] == value for method in methods)


def test_every_value_of_a_preset_has_its_source_beside_it(root, presets):
    for name in presets:
        lines = (root / f"ptnl/study/presets/{name}.yaml").read_text().splitlines()
        for above, line in pairwise(["", *lines]):
            is_value = not line.strip().startswith("#") and not line.endswith((":", "{}"))
            if is_value:
                assert " # " in line or above.strip().startswith("#"), f"{name}: {line}"


def test_presets_decide_the_same_things(presets):
    paper = presets["paper"]
    for name in ("released", "nlprompt"):
        assert presets[name].keys() == paper.keys()
        assert presets[name]["settings"].keys() == paper["settings"].keys()


def test_protocols_that_differ_from_the_papers_text(presets):
    assert presets["paper"]["settings"]["q"] == 0.7
    assert presets["released"]["settings"]["q"] == 0.5
    assert list(presets["released"]["noise"]) == ["fp_swap"]
    assert presets["nlprompt"]["settings"]["epochs"] == 200
    assert list(presets["nlprompt"]["noise"]) == ["symmetric_global"]


def test_an_unknown_protocol_is_named(presets):
    with pytest.raises(InputError, match="protocol: 'papr' is unknown; choose from embedded, nl"):
        protocol_of({"protocol": "papr"}, presets)
