"""The paper's claims are judged correctly on made-up runs, and not judged where runs miss."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ptnl.analysis.claims import CLAIMS_OF_THE_PAPER, NORM_RATIO, SUM_RATIO
from ptnl.analysis.claims_text import claims_markdown
from ptnl.analysis.comparisons import Condition, Setting
from ptnl.analysis.published import published
from ptnl.analysis.verdicts import (
    FAILS,
    HOLDS,
    SEEDS_NEEDED,
    UNDECIDED,
    UNJUDGED,
    check_claims,
    claims_table,
    printed_difference,
)
from ptnl.cli.check_claims import main
from ptnl.errors import InputError
from ptnl.io import read_parquet, write_parquet
from ptnl.schemas import CLAIMS, GRADIENTS, RUNS
from ptnl.study import grid
from ptnl.study.config import read_study

RATES = (0.0, 12.5, 25.0, 50.0)

# Method -> accuracy at 0 % and points lost from 0 to 50 %, such that all claims of the paper hold.
AS_IN_THE_PAPER = {
    "prompt_ce": (80, 20),
    "prompt_gce": (80, 5),
    "prompt_sce": (80, 12),
    "prompt_nce_rce": (80, 10),
    "prompt_ctx4": (78, 16),
    "prompt_ctx8": (79, 18),
    "prompt_ctx32": (80, 25),
    "linear_probe": (82, 40),
    "linear_probe_gce": (82, 35),
    "classifier_r": (75, 40),
    "classifier_c": (81, 36),
    "text_finetune": (84, 40),
    "full_prompt": (80, 30),
    "cls_tuning": (80, 28),
    "finetune": (80, 55),
}
ON_PSEUDO_LABELS = {"upl": 70, "robust_upl_ce": 72, "robust_upl_gce": 74}
ZERO_SHOT = 50


def run_table(
    methods=AS_IN_THE_PAPER,
    on_pseudo_labels=ON_PSEUDO_LABELS,
    *,
    confusion: float = 6,
    backbones=("mini-rn", "mini-vit"),
    datasets=("icons", "symbols"),
    seeds=(1, 2, 3, 4),
    noise: float = 0.4,
) -> pd.DataFrame:
    """A run table with known effects.

    All methods share what a seed adds; each run also has its own noise, of this standard deviation.
    """
    rng = np.random.default_rng(0)
    rows = []
    for place, dataset in enumerate(datasets):
        for backbone in backbones:
            for seed in seeds:
                level = -15 * place + 3 * rng.normal()
                swept = [
                    (method, "symmetric", rate, clean - lost * rate / 50)
                    for method, (clean, lost) in methods.items()
                    for rate in RATES
                ]
                confused = [
                    (method, "confusion", 50.0, methods[method][0] - methods[method][1] - confusion)
                    for method in ("prompt_ce", "linear_probe")
                    if method in methods
                ]
                own = [(method, "none", 0.0, mean) for method, mean in on_pseudo_labels.items()]
                rows += [
                    (
                        dataset,
                        backbone,
                        method,
                        kind,
                        rate,
                        seed,
                        mean + level + noise * rng.normal(),
                    )
                    for method, kind, rate, mean in swept + confused + own
                ]
            rows.append((dataset, backbone, "zero_shot", "none", 0.0, 0, ZERO_SHOT - 15.0 * place))
    columns = ["dataset", "backbone", "method", "noise", "rate", "seed", "accuracy"]
    runs = pd.DataFrame(rows, columns=columns)
    runs = runs.assign(fp=(runs.rate * 16 / 100).astype(int), shots=16)
    return with_run_columns(runs)


def with_run_columns(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with made-up values in the columns on which no claim depends."""
    made_up = {
        **{"shots_per_class": 16.0, "epochs": 1, "parameters": 1, "device": "cpu"},
        **{"commit": "abc", "torch": "2", "job_runs": 1, "job_seconds": 1.0},
        **{"memory_gib": 0.5, "device_gib": 0.0},
    }
    return runs.assign(rate_realised=runs.rate, **made_up)[list(RUNS)]


def gradient_table(
    prompt: float = 0.7,
    probe: float = 1.1,
    *,
    datasets=("icons", "symbols"),
    backbone: str = "mini-rn",
    fp: int = 8,
) -> pd.DataFrame:
    """Both kinds of gradient ratio; those of sums are ten times closer to 1 than those of means."""
    rng = np.random.default_rng(1)
    rows = [
        (dataset, backbone, method, seed, epoch, ratio + 0.02 * rng.normal())
        for dataset in datasets
        for method, ratio in (("prompt_ce", prompt), ("linear_probe_sgd", probe))
        for seed in (1, 2, 3, 4)
        for epoch in range(2, 6)
    ]
    columns = ["dataset", "backbone", "method", "seed", "epoch", "ratio_mean"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(ratio=1 + (table.ratio_mean - 1) / 10)
    norms = {"gradient_noisy": table.ratio, "gradient_clean": 1.0}
    norms |= {"gradient_noisy_mean": table.ratio_mean, "gradient_clean_mean": 1.0}
    return table.assign(noise="symmetric", fp=fp, shots=16, **norms)[list(GRADIENTS)]


def verdicts(runs: pd.DataFrame, gradients: pd.DataFrame | None = None, **options) -> dict:
    findings = check_claims(runs, gradients, "mini-rn", **options)
    return {finding.name: finding.verdict for finding in findings}


def finding_of(name: str, runs: pd.DataFrame, gradients: pd.DataFrame | None = None, **options):
    claims = {name: CLAIMS_OF_THE_PAPER[name]}
    (finding,) = check_claims(runs, gradients, "mini-rn", claims=claims, **options)
    return finding


def test_every_claim_holds_where_the_paper_is_right():
    found = verdicts(run_table(), gradient_table())
    assert found == dict.fromkeys(CLAIMS_OF_THE_PAPER, HOLDS)


def test_the_estimate_is_the_known_effect():
    findings = {f.name: f for f in check_claims(run_table(), gradient_table(), "mini-rn")}
    effects = {
        "prompt_loses_less": 10,  # at 25 %
        "prompt_loses_less_than_finetuning": 17.5,
        "gce_helps_prompts_more": 30,
        "gce_makes_both_robust": 5,
        "robust_losses_help_prompts": 8,
        "gce_is_the_best_loss": 5,
        "text_start_helps": 6,
        "prompts_best_at_high_noise": 15,
        "text_encoder_overfits": 20,
        "fixed_class_names": 8,
        "noisy_gradients_suppressed": 0.4,
        "noisy_gradient_sums_suppressed": 0.04,
        "backbones": 20,
        "context_lengths": 13,
        "confusion_is_harder": 6,
        "prompts_best_under_confusion": 18,
        "unsupervised_beats_zero_shot": 20,
        "robust_upl_is_best": 2,
    }
    assert set(effects) == set(findings)
    for name, effect in effects.items():
        estimate, low, high = findings[name].weakest.overall
        tolerance = {"noisy": 0.02, "unsup": 3}.get(name[:5], 1)
        assert estimate == pytest.approx(effect, abs=tolerance), name
        assert low < estimate < high
        assert findings[name].weakest.differences.shape == (2, 4)


def changed(**methods) -> dict:
    return {"methods": {**AS_IN_THE_PAPER, **methods}}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("prompt_loses_less", changed(prompt_ce=(80, 45))),
        ("prompt_loses_less_than_finetuning", changed(finetune=(80, 4))),
        ("gce_helps_prompts_more", changed(linear_probe_gce=(82, 1))),
        ("gce_makes_both_robust", changed(linear_probe_gce=(82, 45))),
        ("robust_losses_help_prompts", changed(prompt_sce=(80, 30))),
        ("gce_is_the_best_loss", changed(prompt_nce_rce=(80, 1))),
        ("text_start_helps", changed(classifier_c=(73, 36))),
        ("prompts_best_at_high_noise", changed(classifier_c=(81, 12))),
        ("text_encoder_overfits", changed(text_finetune=(84, 10))),
        ("fixed_class_names", changed(cls_tuning=(80, 15))),
        ("backbones", changed(linear_probe=(82, 15))),
        ("context_lengths", changed(prompt_ctx32=(80, 45))),
        ("confusion_is_harder", {"confusion": -3}),
        ("prompts_best_under_confusion", changed(linear_probe=(82, 15))),
        ("unsupervised_beats_zero_shot", {"on_pseudo_labels": {**ON_PSEUDO_LABELS, "upl": 30}}),
        ("robust_upl_is_best", {"on_pseudo_labels": {**ON_PSEUDO_LABELS, "upl": 80}}),
    ],
)
def test_the_opposite_does_not_hold(name, changes):
    finding = finding_of(name, run_table(**changes))
    assert finding.verdict == FAILS
    assert finding.weakest.overall.high < 0
    assert finding.sentence.startswith("Does not hold: ")


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        (
            "gce_helps_prompts_more",
            {},
            "Holds: `prompt_gce` lost 30.0 points less than `linear_probe_gce` from 0 to 50 % "
            "wrong labels (95 % interval 30.0 to 30.0).",
        ),
        (
            "text_encoder_overfits",
            changed(text_finetune=(84, 14.7)),
            "Does not hold: `prompt_ce` lost 5.3 points more than `text_finetune` from 0 to 50 % "
            "wrong labels (95 % interval 5.3 to 5.3).",
        ),
        (
            "confusion_is_harder",
            {"confusion": -3},
            "Does not hold: `prompt_ce` was 3.0 points higher under confusion than under symmetric "
            "noise at 50 % (95 % interval 3.0 to 3.0); `linear_probe` was 3.0 points higher under "
            "confusion than under symmetric noise at 50 % (95 % interval 3.0 to 3.0).",
        ),
        (
            "robust_upl_is_best",
            {},
            "Holds: `robust_upl_gce` was 2.0 points above `robust_upl_ce` "
            "(95 % interval 2.0 to 2.0).",
        ),
    ],
)
def test_a_verdict_says_what_was_found(name, changes, sentence):
    assert finding_of(name, run_table(noise=0.0, **changes)).sentence == sentence


def test_gradient_claims_fail_where_the_probes_ratio_is_smaller():
    gradients = gradient_table(probe=0.5)
    for name in ("noisy_gradients_suppressed", "noisy_gradient_sums_suppressed"):
        finding = finding_of(name, run_table(), gradients)
        assert finding.verdict == FAILS
        assert "the ratio of `prompt_ce` was 0." in finding.sentence
        assert " above that of `linear_probe_sgd` at 50 % wrong labels" in finding.sentence


def test_both_readings_of_the_gradient_ratio_are_judged():
    """The mean of the images' gradient norms and the norm of their sum may disagree."""
    gradients = gradient_table()
    opposite = gradients.assign(ratio=2 - gradients.ratio)
    found = verdicts(run_table(), opposite)
    assert found["noisy_gradients_suppressed"] == HOLDS
    assert found["noisy_gradient_sums_suppressed"] == FAILS


def scattered(runs: pd.DataFrame, method: str, by: float) -> pd.DataFrame:
    """The runs with a method's accuracy moved down for odd seeds and up for even ones."""
    return runs.assign(accuracy=runs.accuracy + by * (-1) ** runs.seed * (runs.method == method))


def test_no_effect_is_undecided():
    same = {**AS_IN_THE_PAPER, "full_prompt": AS_IN_THE_PAPER["prompt_ce"]}
    finding = finding_of(
        "fixed_class_names", scattered(run_table(same, noise=0.0), "full_prompt", 1)
    )
    assert finding.verdict == UNDECIDED
    assert finding.sentence.startswith("Undecided: `prompt_ce` was 0.0 points above `full_prompt`")
    assert finding.weakest.comparison.minus == (
        Condition("full_prompt", "mini-rn", 50.0, "symmetric"),
    )


def test_one_comparison_of_several_must_be_clearer_to_refute_a_claim():
    """Any of four comparisons can refute a claim, so each is judged at a stricter level."""
    same = {**AS_IN_THE_PAPER, "classifier_c": (74, 40)}
    runs = scattered(run_table(same, noise=0.0), "classifier_c", 0.45)
    finding = finding_of("text_start_helps", runs)
    assert finding.weakest.overall.high < 0
    assert finding.verdict == UNDECIDED
    assert finding_of("text_start_helps", scattered(runs, "classifier_c", -0.2)).verdict == FAILS


def test_one_rate_of_four_is_enough_to_fail():
    runs = run_table()
    at_25 = (runs.method == "classifier_c") & (runs.rate == 25)
    finding = finding_of("text_start_helps", runs.assign(accuracy=runs.accuracy - 30 * at_25))
    assert finding.verdict == FAILS
    assert "below `classifier_r` at 25 % wrong labels" in finding.sentence


def test_one_backbone_of_two_is_enough_to_fail():
    runs = run_table()
    worse = (runs.backbone == "mini-vit") & (runs.method == "prompt_ce") & (runs.rate == 50)
    runs = runs.assign(accuracy=runs.accuracy - 40 * worse)
    found = verdicts(runs)
    assert found["backbones"] == FAILS
    assert found["prompt_loses_less"] == HOLDS


def test_methods_are_compared_seed_by_seed():
    """Seeds differ far more than methods; both methods share them, so the interval is narrow."""
    runs = run_table(noise=0.1)
    runs = runs.assign(accuracy=runs.accuracy + 10 * runs.seed)
    _, low, high = finding_of("text_encoder_overfits", runs).weakest.overall
    assert high - low < 1


def test_data_sets_that_vary_together_give_no_narrower_interval():
    """A seed gives both data sets the same start, so they do not count as two observations."""
    runs = scattered(run_table(noise=0.0), "text_finetune", 2)
    both = finding_of("text_encoder_overfits", runs).weakest
    for dataset in ("icons", "symbols"):
        alone = both.on(dataset)
        assert both.overall.high - both.overall.low == pytest.approx(alone.high - alone.low)


@pytest.mark.parametrize(
    ("dropped", "name", "reason"),
    [
        (
            "method == 'text_finetune'",
            "text_encoder_overfits",
            "no runs of `text_finetune`",
        ),
        (
            "method == 'classifier_r' and rate == 25",
            "text_start_helps",
            "no runs of `classifier_r` at 25 % symmetric noise (mini-rn)",
        ),
        (
            "method == 'upl' and dataset == 'symbols' and seed in (2, 3)",
            "unsupervised_beats_zero_shot",
            "no runs of `upl` (mini-rn) on symbols for seed 2, 3",
        ),
        (
            "method == 'upl' and seed == 3",
            "robust_upl_is_best",
            "no runs of `upl` (mini-rn) on icons for seed 3; "
            "no runs of `upl` (mini-rn) on symbols for seed 3",
        ),
        ("seed == 4", "prompt_loses_less", "3 of 4 seeds"),
        ("backbone == 'mini-vit'", "backbones", "the study has one backbone"),
    ],
)
def test_what_is_missing_is_named(dropped, name, reason):
    finding = finding_of(name, run_table().query(f"not ({dropped})"))
    assert finding.verdict == UNJUDGED
    assert finding.sentence == f"Not enough runs: {reason}."
    assert (finding.name, finding.claim) == (name, CLAIMS_OF_THE_PAPER[name])


def test_a_claim_on_encoders_compares_nothing_where_there_is_one():
    finding = finding_of("backbones", run_table(backbones=("mini-rn",)))
    assert (finding.outcomes, finding.left_out) == ([], [])


def test_a_data_set_on_which_a_method_never_runs_is_left_out():
    runs = run_table().query("not (method == 'finetune' and dataset == 'symbols')")
    finding = finding_of("prompt_loses_less_than_finetuning", runs)
    assert finding.verdict == HOLDS
    assert list(finding.weakest.differences.index) == ["icons"]
    assert finding.left_out == ["symbols"]


def test_methods_that_ran_on_no_data_set_together_are_not_compared():
    runs = run_table().query(
        "(method != 'text_finetune' or dataset == 'icons') and "
        "(method != 'prompt_ce' or dataset == 'symbols')"
    )
    finding = finding_of("text_encoder_overfits", runs)
    assert finding.sentence == "Not enough runs: no data set has all that is compared."
    assert (finding.outcomes, finding.left_out) == ([], ["icons", "symbols"])


def test_what_is_not_run_is_said_once_a_method():
    runs = run_table().query("method not in ('full_prompt', 'cls_tuning')")
    finding = finding_of("fixed_class_names", runs)
    assert finding.sentence == "Not enough runs: no runs of `full_prompt`, `cls_tuning`."
    at_0 = finding_of("prompt_loses_less", run_table().query("method != 'prompt_ce' or rate > 0"))
    assert at_0.sentence == (
        "Not enough runs: no runs of `prompt_ce` at 0 % symmetric noise (mini-rn)."
    )


def test_zero_shot_has_one_run_for_all_seeds_whichever_they_are():
    finding = finding_of("unsupervised_beats_zero_shot", run_table(seeds=(0, 1, 2, 3)))
    assert finding.verdict == HOLDS
    assert finding.weakest.differences.columns.tolist() == [0, 1, 2, 3]


def test_a_second_backbone_needs_no_linear_probe():
    runs = run_table().query("not (backbone == 'mini-vit' and method != 'prompt_ce')")
    assert finding_of("backbones", runs).verdict == HOLDS


def test_claims_follow_the_studys_noise_and_rates():
    """Comparisons use, and name, the rates that were run: 75 % in place of the paper's 50 %."""
    runs = run_table()
    renamed = runs.noise.replace("symmetric", "symmetric_global")
    rates = runs.rate.map({0.0: 0.0, 12.5: 12.5, 25.0: 37.5, 50.0: 75.0})
    finding = finding_of(
        "prompt_loses_less", runs.assign(noise=renamed, rate=rates), noise="symmetric_global"
    )
    assert finding.verdict == HOLDS
    assert [outcome.comparison.label for outcome in finding.outcomes] == [
        "`prompt_ce` loses less than `linear_probe`, 0 to 37.5 %",
        "`prompt_ce` loses less than `linear_probe`, 0 to 75 %",
    ]
    assert set(verdicts(runs.assign(noise=renamed)).values()) == {UNJUDGED, HOLDS}


def test_gradients_are_labelled_with_the_rate_at_which_they_were_measured():
    finding = finding_of("noisy_gradients_suppressed", run_table(), gradient_table(fp=12))
    assert finding.weakest.comparison.label.endswith(", 75 %")
    assert "at 75 % wrong labels" in finding.sentence


def test_without_gradients_there_is_no_verdict():
    finding = finding_of("noisy_gradients_suppressed", run_table())
    assert finding.verdict == UNJUDGED


def test_a_study_of_zero_shot_alone_judges_nothing():
    assert set(verdicts(run_table().query("method == 'zero_shot'")).values()) == {UNJUDGED}


@pytest.fixture(scope="module")
def paper(root) -> dict:
    """The config of the paper's study, its protocol included."""
    return read_study(root, [root / "workflow/studies/paper.yaml"], {})


def made_up_runs(config: dict) -> pd.DataFrame:
    """Every run of a study, with accuracies such that all claims of the paper hold."""
    rng = np.random.default_rng(0)
    rows = []
    for run in grid.runs(config):
        rate = 100 * run.fp / config["shots"]
        clean, lost = AS_IN_THE_PAPER.get(
            run.method, (ON_PSEUDO_LABELS.get(run.method, ZERO_SHOT), 0)
        )
        mean = clean - lost * rate / 50 - 6 * (run.noise == "confusion")
        rows.append({**vars(run), "rate": rate, "shots": 16, "accuracy": mean + rng.normal(0, 0.2)})
    return with_run_columns(pd.DataFrame(rows))


def test_every_claim_is_judged_on_the_papers_study(paper):
    studied = {(run.dataset, run.backbone) for run in grid.gradient_runs(paper)}
    assert {backbone for _, backbone in studied} == {"RN50"}
    datasets = sorted({dataset for dataset, _ in studied})
    gradients = gradient_table(datasets=datasets, backbone="RN50")
    findings = check_claims(made_up_runs(paper), gradients, "RN50", paper["random_noise"])
    assert {f.name: f.verdict for f in findings} == dict.fromkeys(CLAIMS_OF_THE_PAPER, HOLDS)
    on = {f.name: list(f.outcomes[0].differences.index) for f in findings}
    assert on["prompt_loses_less_than_finetuning"] == ["dtd", "ucf101"]
    assert on["noisy_gradients_suppressed"] == ["oxford_pets", "food101", "dtd", "ucf101"]
    assert len(on["fixed_class_names"]) == 7
    assert len(on["robust_upl_is_best"]) == 8
    assert on["backbones"] == [name for name in on["robust_upl_is_best"] if name != "imagenet"]


def test_not_a_number_is_an_error():
    gradients = gradient_table()
    gradients.loc[3, "ratio_mean"] = np.nan
    with pytest.raises(InputError, match=r"prompt_ce.*: not a number on"):
        check_claims(run_table(), gradients, "mini-rn")


def test_two_runs_for_one_pair_are_an_error():
    runs = run_table()
    twice = pd.concat([runs, runs[runs.method == "upl"].assign(noise="symmetric")])
    with pytest.raises(InputError, match="two runs of `upl`"):
        check_claims(twice, None, "mini-rn")


def test_the_order_of_the_runs_does_not_matter():
    runs, gradients = run_table(), gradient_table()
    first = claims_table(check_claims(runs, gradients, "mini-rn"))
    shuffled = runs.sample(frac=1, random_state=0), gradients.sample(frac=1, random_state=0)
    again = claims_table(check_claims(*shuffled, "mini-rn"))
    pd.testing.assert_frame_equal(first, again)


@pytest.mark.parametrize("together", [True, False])
def test_a_claim_without_an_effect_is_rarely_decided(together):
    """Without any effect, a claim of one comparison holds in about 2.5 % of studies."""
    rng = np.random.default_rng(5)
    methods = {"prompt_ce": (80, 0), "text_finetune": (80, 0)}
    runs = run_table(methods, {}, backbones=("mini-rn",))
    first = runs.groupby(["method", "rate", "seed"]).ngroup() if together else range(len(runs))
    found = []
    studies = 60
    for _ in range(studies):
        accuracy = 70 + rng.normal(size=len(runs))[first]
        found.append(finding_of("text_encoder_overfits", runs.assign(accuracy=accuracy)).verdict)
    assert found.count(HOLDS) / studies < 0.12
    assert found.count(FAILS) / studies < 0.12


IN_THE_PAPER = Setting("symmetric", RATES, "RN50", ("RN50", "ViT-B-32"))


def printed_numbers() -> dict[str, tuple[float, int]]:
    """Comparison -> difference in the paper's tables, and over how many data sets."""
    numbers = published()
    printed = {
        comparison.label: printed_difference(comparison, numbers, "symmetric", [])
        for claim in CLAIMS_OF_THE_PAPER.values()
        if claim.unit not in (NORM_RATIO, SUM_RATIO)
        for comparison in claim.comparisons(IN_THE_PAPER)
    }
    return {label: own for label, own in printed.items() if own}


def test_the_papers_own_numbers_support_its_claims():
    """This would show a comparison whose sign is the wrong way round."""
    known = printed_numbers()
    assert all(difference > 0 for difference, _ in known.values())
    assert {label: datasets for label, (_, datasets) in known.items()} == {
        "`classifier_c` over `classifier_r`, 0 %": 7,
        "`classifier_c` over `classifier_r`, 12.5 %": 7,
        "`classifier_c` over `classifier_r`, 25 %": 7,
        "`classifier_c` over `classifier_r`, 50 %": 7,
        "`prompt_ce` over `classifier_r`, 50 %": 7,
        "`prompt_ce` over `classifier_c`, 50 %": 7,
        "`prompt_ce` over `text_finetune`, 50 %": 7,
        "`prompt_ce` loses less than `text_finetune`, 0 to 50 %": 7,
        "`prompt_ce` over `full_prompt`, 50 %": 7,
        "`prompt_ce` over `cls_tuning`, 50 %": 7,
        "`prompt_ce` over `linear_probe`, 50 %": 7,
        "`prompt_ce`, symmetric over confusion, 50 %": 7,
        "`linear_probe`, symmetric over confusion, 50 %": 7,
        "`prompt_ce` over `linear_probe`, 50 % under confusion noise": 7,
    }


def test_the_papers_number_is_the_same_statistic_or_none():
    """Table 5 prints ensembles, but this study has single prompts; rates must be equal, too."""
    numbers = published()
    claims = CLAIMS_OF_THE_PAPER
    for name in ("robust_upl_is_best", "unsupervised_beats_zero_shot", "prompt_loses_less"):
        for comparison in claims[name].comparisons(IN_THE_PAPER):
            assert printed_difference(comparison, numbers, "symmetric", []) is None
    at_75 = replace(IN_THE_PAPER, rates=(0.0, 75.0))
    (comparison, _) = claims["fixed_class_names"].comparisons(at_75)
    assert printed_difference(comparison, numbers, "symmetric", []) is None
    (comparison, _) = claims["fixed_class_names"].comparisons(IN_THE_PAPER)
    on_dtd = printed_difference(comparison, numbers, "symmetric", ["dtd", "icons"])
    assert on_dtd == (pytest.approx(46.19 - 34.66), 1)
    imported = replace(IN_THE_PAPER, noise="fp_swap")
    (comparison, _) = claims["fixed_class_names"].comparisons(imported)
    assert printed_difference(comparison, numbers, "fp_swap", ["dtd"]) == on_dtd


def test_the_markdown_page_lists_every_claim():
    runs = run_table().query("method != 'text_finetune'")
    findings = check_claims(runs, None, "mini-rn")
    text = claims_markdown(findings, published(), "toy", "mini-rn", "symmetric")
    assert text.startswith("# The paper's claims, checked on the runs of study 'toy'\n")
    for claim in CLAIMS_OF_THE_PAPER.values():
        assert f"\n### {claim.statement}\n" in text
        assert f"\n> {claim.quote} ({claim.source})\n" in text
    assert "**Not enough runs**: no runs of `text_finetune`." in text
    assert "\nNot enough runs for 4 claims:\n" in text
    assert "\n- `text_encoder_overfits`: no runs of `text_finetune`\n" in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 1 + sum(finding.verdict != UNJUDGED for finding in findings)
    heads = [cell.strip() for cell in tables[1].splitlines()[0].strip("|").split("|")]
    assert heads == ["Comparison", "Icons", "Symbols", "All data sets", "Paper's tables"]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert " +10.43 (7) |" in text  # prompt tuning over the linear probe in Table 9


def test_the_command_writes_all_formats(tmp_path):
    runs, gradients = tmp_path / "runs.parquet", tmp_path / "gradients.parquet"
    write_parquet(run_table().query("method != 'upl'"), runs, RUNS)
    write_parquet(gradient_table(), gradients, GRADIENTS)
    out = [tmp_path / f"claims.{ending}" for ending in ("md", "csv", "parquet")]
    main(
        f"--runs {runs} --gradients {gradients} --backbone mini-rn --random-noise symmetric "
        "--study toy --out".split()
        + [str(path) for path in out]
    )
    table = read_parquet(out[2], CLAIMS)
    assert table.claim.tolist() == list(CLAIMS_OF_THE_PAPER)
    assert table.verdict.tolist() == [HOLDS] * (len(table) - 2) + [UNJUDGED] * 2
    assert table.seeds.tolist() == [SEEDS_NEEDED] * (len(table) - 2) + [0, 0]
    assert table.datasets.tolist() == ["icons, symbols"] * (len(table) - 2) + ["", ""]
    judged = table.verdict != UNJUDGED
    assert (table[["estimate", "low", "high"]].notna().all(axis=1) == judged).all()
    text = pd.read_csv(out[1], keep_default_na=False)
    assert text.finding.tolist() == table.finding.tolist()
    assert out[0].read_text().count("**Not enough runs**") == 2
