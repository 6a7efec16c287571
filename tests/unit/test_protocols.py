"""A protocol gives the values that a study's config leaves out; every value has its source."""

import copy
from itertools import product

import pytest
import yaml

from ptnl.errors import InputError
from ptnl.study import layouts
from ptnl.study.config import Rules, read_study, study_config
from ptnl.study.jobs import study_jobs
from ptnl.study.protocol_table import protocol_table
from ptnl.study.protocols import apply_protocol, hyper_parameters, protocol_values, statements

KNOWN = {"prompt_ce": {"epochs"}, "prompt_gce": {"epochs", "q"}, "linear_probe": {"c"}}
CONFIG = {"views": 3, "methods": {"prompt_ce": {}, "prompt_gce": {"q": 0.9}, "linear_probe": {}}}
PROTOCOL = {
    "seeds": [1, 2],
    "views": "per_epoch",
    "noise": {"fp_swap": {"fps": [0, 2]}},
    "settings": {"epochs": 50, "q": 0.5},
    "methods": {"linear_probe": {"c": 1}, "prompt_ce": {"epochs": 7}, "upl": {"epochs": 9}},
}
PRESETS = {
    "old": {
        "seeds": {"value": [1], "source": "there"},
        "settings": {"q": {"value": 0.7, "source": "Eq. 3"}},
        "methods": {"linear_probe": {"c": {"value": 1, "source": "a guess", "open": True}}},
    },
    "new": {"extends": "old", "settings": {"q": {"value": 0.5, "source": "the code"}}},
}
PROTOCOLS = ["nlprompt", "paper", "released"]
TABLES, FIGURES = list(range(1, 10)), [1, 2, 4, 5, 6, 8, 9]  # of the paper
# Without the paper's data sets, tables and figures of its appendix would repeat those of its body.
FEWER_TABLES, FEWER_FIGURES = [1, 2, 3, 4, 5, 8], [1, 2, 4, 5, 6, 9]
# All combinations of overlays of workflow/studies that a user would choose.
OVERLAYS = [(), ("smoke",), ("paper",), ("rehearsal",), ("paper", "rehearsal")]
LATER = [("later",), ("paper", "paper_later")]  # these show other tables and figures


@pytest.fixture(scope="session")
def rules():
    return Rules.shipped()


@pytest.fixture(scope="session")
def shipped(root):
    return yaml.safe_load((root / "config.yaml").read_text())


def test_the_config_takes_precedence_over_its_protocol():
    before = copy.deepcopy((CONFIG, PROTOCOL))
    assert apply_protocol(CONFIG, PROTOCOL, KNOWN) == {
        "seeds": [1, 2],
        "views": 3,
        "noise": {"fp_swap": {"fps": [0, 2]}},
        "methods": {
            "prompt_ce": {"epochs": 7},
            "prompt_gce": {"epochs": 50, "q": 0.9},
            "linear_probe": {"c": 1},
        },
    }
    assert before == (CONFIG, PROTOCOL)


def test_noise_of_the_config_is_added_to_that_of_the_protocol():
    config = {**CONFIG, "noise": {"pairflip": {"fps": [4]}}}
    assert apply_protocol(config, PROTOCOL, KNOWN)["noise"] == {
        "fp_swap": {"fps": [0, 2]},
        "pairflip": {"fps": [4]},
    }


def test_views_per_epoch_are_as_many_as_the_longest_training_has_epochs():
    methods = {**CONFIG["methods"], "prompt_gce": {"epochs": 80}}
    assert apply_protocol({"methods": methods}, PROTOCOL, KNOWN)["views"] == 80
    assert apply_protocol({"methods": {"linear_probe": {}}}, PROTOCOL, KNOWN)["views"] == 0


def test_a_protocol_extends_another():
    assert protocol_values("new", PRESETS) == {
        "seeds": [1],
        "settings": {"q": 0.5},
        "methods": {"linear_probe": {"c": 1}},
    }
    stated = dict(statements(PRESETS["old"]))
    assert list(stated) == ["seeds", "settings.q", "methods.linear_probe.c"]
    assert (stated["settings.q"].value, stated["settings.q"].source) == (0.7, "Eq. 3")
    assert stated["methods.linear_probe.c"].open
    assert not stated["seeds"].open


def test_an_unknown_protocol_is_named(shipped, rules):
    with pytest.raises(InputError, match=r"protocol: 'papr' is unknown .did you mean 'paper'"):
        study_config({**shipped, "protocol": "papr"}, rules)


def test_these_protocols_exist(rules):
    assert sorted(rules.protocols) == PROTOCOLS


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_value_of_a_protocol_has_its_source(protocol, rules):
    """Any node of a protocol other than a table of nodes would be a value without a source."""

    def walk(node, path):
        if "source" in node:
            assert node.keys() <= {"value", "source", "open"}, path
            assert node["source"], path
            return
        for name, child in node.items():
            if (path, name) == ("", "extends") or child is None:  # null removes an entry
                continue
            assert isinstance(child, dict), f"{path}.{name}"
            walk(child, f"{path}.{name}")

    walk(rules.protocols[protocol], "")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_has_every_hyper_parameter_of_every_method(protocol, shipped, rules):
    known = hyper_parameters(rules.schema)
    config = study_config(
        {**shipped, "protocol": protocol, "methods": {name: {} for name in known}}, rules
    )
    assert all(known[method] <= own.keys() for method, own in config["methods"].items())
    assert config["random_noise"] in config["noise"]
    # The protocol has no hyper-parameter that no method has.
    values = protocol_values(protocol, rules.protocols)
    assert values["settings"].keys() <= set().union(*known.values())
    assert all(own.keys() <= known[method] for method, own in values["methods"].items())


@pytest.mark.parametrize(("protocol", "overlays"), list(product(PROTOCOLS, OVERLAYS + LATER)))
def test_every_study_can_run_under_every_protocol(root, protocol, overlays):
    files = [root / f"workflow/studies/{name}.yaml" for name in overlays]
    config = read_study(root, files, {"protocol": protocol})
    assert study_jobs(config)
    shown = layouts.fillable(layouts.TABLES, config), layouts.fillable(layouts.FIGURES, config)
    expected = (TABLES, FIGURES) if "paper" in overlays else (FEWER_TABLES, FEWER_FIGURES)
    assert shown == (([10, 11], [10, 11]) if overlays in LATER else expected)


def test_all_overlays_are_in_the_combinations(root):
    there = {file.stem for file in (root / "workflow/studies").glob("*.yaml")}
    assert there == {name for names in OVERLAYS + LATER for name in names}


def test_the_default_study_follows_the_papers_protocol(root):
    """For every method, as stated in sections 3 and 4.1; for the probe, as in its authors' code."""
    config = read_study(root, [], {})
    assert (config["protocol"], config["shots"], config["seeds"]) == ("paper", 16, [1, 2, 3, 4])
    assert config["noise"]["symmetric"]["fps"] == [0, 2, 4, 8]
    stated = {"epochs": 50, "batch_size": 32, "momentum": 0.9, "weight_decay": 5e-4}
    stated |= {"warmup_epochs": 1, "warmup_learning_rate": 1e-5, "learning_rate": 0.002}
    for method, own in config["methods"].items():
        if "epochs" not in own:
            continue
        other = {"learning_rate"} if method == "linear_probe_sgd" else set()
        assert {key: own[key] for key in stated.keys() - other} == {
            key: value for key, value in stated.items() if key not in other
        }, method
    assert {config["methods"][m]["q"] for m in ("prompt_gce", "linear_probe_gce")} == {0.7}
    for probe in ("linear_probe", "linear_probe_gce"):
        own = config["methods"][probe]
        assert (own["c"], own["max_iterations"], own["drop_last"]) == (1000, 1000, 0)


def test_a_methods_own_default_takes_precedence_over_a_protocols_setting(root):
    """The schema has a default for Tip-Adapter-F's epochs; the protocol has one for all methods."""
    config = read_study(root, [], {"methods": {"tip_adapter_f": {}, "clap": {"epochs": 7}}})
    assert config["methods"]["tip_adapter_f"]["epochs"] == 20
    assert config["methods"]["clap"]["epochs"] == 7
    assert config["methods"]["clap"]["momentum"] == 0.9  # from the protocol, for want of a default


def test_the_papers_study_sets_no_hyper_parameter(root):
    assert "methods" not in yaml.safe_load((root / "workflow/studies/paper.yaml").read_text())
    config = read_study(root, [root / "workflow/studies/paper.yaml"], {})
    assert config["methods"] == read_study(root, [], {})["methods"]
    assert (config["views"], config["train_transform"]) == (50, "dassl_current")


def test_the_released_protocol_differs_from_the_papers(root):
    config = read_study(root, [root / "workflow/studies/paper.yaml"], {"protocol": "released"})
    assert list(config["noise"]) == ["confusion", "fp_swap"]
    assert config["random_noise"] == "fp_swap"
    assert (config["views"], config["train_transform"]) == (50, "dassl_legacy")
    methods = config["methods"]
    assert (methods["prompt_gce"]["q"], methods["prompt_gce"]["p_epsilon"]) == (0.5, 1e-6)
    assert methods["linear_probe"] == {"c": 1000, "max_iterations": 1000, "drop_last": 32}
    assert (methods["finetune"]["head"], methods["finetune"]["preparation"]) == (
        "pretrained",
        "clip",
    )


def test_the_nlprompt_protocol_differs_from_the_papers(root):
    config = read_study(root, [root / "workflow/studies/paper.yaml"], {"protocol": "nlprompt"})
    assert (config["views"], config["methods"]["prompt_ce"]["epochs"]) == (200, 200)
    assert config["noise"]["symmetric_global"]["fps"] == [0, 2, 4, 6, 8, 10, 12]
    assert "symmetric" not in config["noise"]


def test_the_table_of_protocols_is_up_to_date(root, rules):
    page = (root / "workflow/docs/protocols.md").read_text()
    shown = page.split("<!-- protocols: begin -->\n")[1].split("<!-- protocols: end -->")[0]
    table = protocol_table(rules.protocols, read_study(root, [], {}))
    assert shown.splitlines() == table, "replace the table by what `ptnl protocols` prints"


def test_the_table_says_which_values_the_config_shares():
    old = {
        "seeds": {"value": [1, 2], "source": "section 4"},
        "settings": {
            "q": {"value": 0.7, "source": "Eq. 3"},
            "epochs": {"value": 50, "source": "section 4"},
            "decay": {"value": 0.0005, "source": "CoOp", "open": True},
            "views": {"value": 3, "source": "CoOp", "open": True},
        },
        "methods": {"prompt_ce": {"epochs": {"value": 9, "source": "Figure 5"}}},
    }
    new = {
        "settings": {
            "q": {"value": 0.5, "source": "loss.py"},
            "epochs": {"value": 50, "source": "a.yaml"},
            "views": {"value": 5, "source": "b.yaml"},
        },
    }
    config = {
        "seeds": [1, 2],
        "methods": {
            "prompt_ce": {"epochs": 9},
            "prompt_gce": {"epochs": 50, "q": 0.7, "decay": 0.0005, "views": 3},
        },
    }
    assert protocol_table({"paper": old, "released": new}, config)[2:] == [
        "| `seeds` | 1, 2 | – | 1, 2 | yes | section 4 |",
        "| `q` | 0.7 | 0.5 | 0.7 | text only | Eq. 3; code: loss.py |",
        "| `epochs` | 50 | 50 | 50 | yes | section 4; code: a.yaml |",
        "| `decay` | – | – | 0.0005 | open | CoOp |",
        "| `views` | – | 5 | 3 | no | CoOp; code: b.yaml |",
        "| `prompt_ce.epochs` | 9 | – | 9 | yes | Figure 5 |",
    ]
