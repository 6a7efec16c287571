"""Comparisons: which runs each claim of the paper is judged by, and with which sign."""

import pytest

from ptnl.analysis.claims import CLAIMS_OF_THE_PAPER
from ptnl.analysis.comparisons import (
    Comparison,
    Condition,
    Setting,
    above,
    hurt_more,
    loses_less,
    lower_ratio,
    over_own_labels,
)

AT = Setting("fp_swap", (0.0, 12.5, 25.0, 50.0), "RN50", ("RN50", "ViT-B-32"))


@pytest.mark.parametrize(
    ("rates", "high", "higher"),
    [
        ((0.0, 12.5, 25.0, 50.0), 50, (25, 50)),
        ((0.0, 20.0, 50.0), 50, (50,)),
        ((0.0, 25.0, 50.0, 75.0), 50, (25, 50)),
        ((0.0, 25.0), 25, (25,)),
        ((0.0, 20.0, 30.0, 60.0), 60, (30, 60)),
        ((0.0,), 50, (50,)),
        ((), 50, (50,)),
    ],
)
def test_rates_stand_for_those_of_the_paper(rates, high, higher):
    setting = Setting("symmetric", rates, "RN50", ("RN50",))
    assert setting.high == high
    assert setting.higher == higher


def test_a_condition_in_words():
    assert str(Condition("upl", "RN50")) == "`upl` (RN50)"
    assert str(Condition("upl", "RN50", 0.0, "pairflip")) == "`upl` at 0 % pairflip noise (RN50)"


def test_above():
    assert above(AT, "a", "b", 12.5) == Comparison(
        "`a` over `b`, 12.5 %",
        (Condition("a", "RN50", 12.5, "fp_swap"),),
        (Condition("b", "RN50", 12.5, "fp_swap"),),
        "`a` was {} above `b` at 12.5 % wrong labels",
        "`a` was {} below `b` at 12.5 % wrong labels",
    )
    assert above(AT, "a", "b", 50.0, "confusion") == Comparison(
        "`a` over `b`, 50 % under confusion noise",
        (Condition("a", "RN50", 50.0, "confusion"),),
        (Condition("b", "RN50", 50.0, "confusion"),),
        "`a` was {} above `b` at 50 % wrong labels under confusion noise",
        "`a` was {} below `b` at 50 % wrong labels under confusion noise",
    )
    assert above(AT, "a", "b", 50.0, "fp_swap") == above(AT, "a", "b", 50.0)


def test_loses_less():
    """(clean b - noisy b) - (clean a - noisy a)."""
    comparison = loses_less(AT, "a", "b", 25.0)
    assert comparison == Comparison(
        "`a` loses less than `b`, 0 to 25 %",
        (Condition("a", "RN50", 25.0, "fp_swap"), Condition("b", "RN50", 0.0, "fp_swap")),
        (Condition("a", "RN50", 0.0, "fp_swap"), Condition("b", "RN50", 25.0, "fp_swap")),
        "`a` lost {} less than `b` from 0 to 25 % wrong labels",
        "`a` lost {} more than `b` from 0 to 25 % wrong labels",
    )
    assert comparison.conditions == comparison.plus + comparison.minus
    assert loses_less(AT, "a", "b", 25.0, "RN50") == comparison
    assert loses_less(AT, "a", "b", 25.0, "ViT-B-32") == Comparison(
        "`a` (ViT-B-32) loses less than `b`, 0 to 25 %",
        (Condition("a", "ViT-B-32", 25.0, "fp_swap"), Condition("b", "RN50", 0.0, "fp_swap")),
        (Condition("a", "ViT-B-32", 0.0, "fp_swap"), Condition("b", "RN50", 25.0, "fp_swap")),
        "`a` (ViT-B-32) lost {} less than `b` from 0 to 25 % wrong labels",
        "`a` (ViT-B-32) lost {} more than `b` from 0 to 25 % wrong labels",
    )


def test_over_own_labels():
    assert over_own_labels(AT, "a", "b") == Comparison(
        "`a` over `b`",
        (Condition("a", "RN50"),),
        (Condition("b", "RN50"),),
        "`a` was {} above `b`",
        "`a` was {} below `b`",
    )


def test_lower_ratio():
    assert lower_ratio(AT, "a", "b") == Comparison(
        "ratio of `b` over ratio of `a`, 50 %",
        (Condition("b", "RN50", 50.0, "fp_swap"),),
        (Condition("a", "RN50", 50.0, "fp_swap"),),
        "the ratio of `a` was {} below that of `b` at 50 % wrong labels",
        "the ratio of `a` was {} above that of `b` at 50 % wrong labels",
    )


def test_hurt_more():
    assert hurt_more(AT, "a", "confusion") == Comparison(
        "`a`, fp_swap over confusion, 50 %",
        (Condition("a", "RN50", 50.0, "fp_swap"),),
        (Condition("a", "RN50", 50.0, "confusion"),),
        "`a` was {} lower under confusion than under fp_swap noise at 50 %",
        "`a` was {} higher under confusion than under fp_swap noise at 50 %",
    )


# Held against each claim's quote and statistic by hand.
COMPARED = {
    "prompt_loses_less": [
        "`prompt_ce` loses less than `linear_probe`, 0 to 25 %",
        "`prompt_ce` loses less than `linear_probe`, 0 to 50 %",
    ],
    "prompt_loses_less_than_finetuning": [
        "`prompt_ce` loses less than `finetune`, 0 to 25 %",
        "`prompt_ce` loses less than `finetune`, 0 to 50 %",
    ],
    "gce_helps_prompts_more": ["`prompt_gce` loses less than `linear_probe_gce`, 0 to 50 %"],
    "gce_makes_both_robust": [
        "`prompt_gce` loses less than `prompt_ce`, 0 to 50 %",
        "`linear_probe_gce` loses less than `linear_probe`, 0 to 50 %",
    ],
    "robust_losses_help_prompts": [
        "`prompt_gce` over `prompt_ce`, 50 %",
        "`prompt_sce` over `prompt_ce`, 50 %",
        "`prompt_nce_rce` over `prompt_ce`, 50 %",
    ],
    "gce_is_the_best_loss": [
        "`prompt_gce` over `prompt_sce`, 50 %",
        "`prompt_gce` over `prompt_nce_rce`, 50 %",
    ],
    "text_start_helps": [
        "`classifier_c` over `classifier_r`, 0 %",
        "`classifier_c` over `classifier_r`, 12.5 %",
        "`classifier_c` over `classifier_r`, 25 %",
        "`classifier_c` over `classifier_r`, 50 %",
    ],
    "prompts_best_at_high_noise": [
        "`prompt_ce` over `classifier_r`, 50 %",
        "`prompt_ce` over `classifier_c`, 50 %",
        "`prompt_ce` over `text_finetune`, 50 %",
    ],
    "text_encoder_overfits": ["`prompt_ce` loses less than `text_finetune`, 0 to 50 %"],
    "fixed_class_names": [
        "`prompt_ce` over `full_prompt`, 50 %",
        "`prompt_ce` over `cls_tuning`, 50 %",
    ],
    "noisy_gradients_suppressed": ["ratio of `linear_probe_sgd` over ratio of `prompt_ce`, 50 %"],
    "noisy_gradient_sums_suppressed": [
        "ratio of `linear_probe_sgd` over ratio of `prompt_ce`, 50 %"
    ],
    "backbones": [
        "`prompt_ce` loses less than `linear_probe`, 0 to 50 %",
        "`prompt_ce` (ViT-B-32) loses less than `linear_probe`, 0 to 50 %",
    ],
    "context_lengths": [
        "`prompt_ctx4` over `linear_probe`, 50 %",
        "`prompt_ctx8` over `linear_probe`, 50 %",
        "`prompt_ce` over `linear_probe`, 50 %",
        "`prompt_ctx32` over `linear_probe`, 50 %",
    ],
    "confusion_is_harder": [
        "`prompt_ce`, fp_swap over confusion, 50 %",
        "`linear_probe`, fp_swap over confusion, 50 %",
    ],
    "prompts_best_under_confusion": ["`prompt_ce` over `linear_probe`, 50 % under confusion noise"],
    "unsupervised_beats_zero_shot": [
        "`upl` over `zero_shot`",
        "`robust_upl_ce` over `zero_shot`",
        "`robust_upl_gce` over `zero_shot`",
    ],
    "robust_upl_is_best": [
        "`robust_upl_gce` over `upl`",
        "`robust_upl_gce` over `robust_upl_ce`",
    ],
}


@pytest.mark.parametrize("name", CLAIMS_OF_THE_PAPER)
def test_what_a_claim_compares(name):
    comparisons = CLAIMS_OF_THE_PAPER[name].comparisons(AT)
    assert [comparison.label for comparison in comparisons] == COMPARED[name]


def test_a_claim_on_encoders_needs_two():
    alone = Setting("fp_swap", AT.rates, "RN50", ("RN50",))
    assert CLAIMS_OF_THE_PAPER["backbones"].comparisons(alone) == ()
