"""The paper's claims, each with its own words and what is compared to judge it.

`ptnl.analysis.verdicts` judges them on a study's runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ptnl.analysis.comparisons import (
    Comparison,
    Setting,
    above,
    hurt_more,
    loses_less,
    lower_ratio,
    over_own_labels,
)
from ptnl.study.layouts import FIGURES, TABLES, Layout

ACCURACY = "percentage points"
NORM_RATIO = "ratio of mean gradient norms"  # of the single images
SUM_RATIO = "ratio of the norms of summed gradients"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and what is compared to judge it."""

    statement: str
    quote: str  # the paper's own words
    source: str
    statistic: str
    shown: Layout  # where the paper shows it: the claim is judged on the data sets of this layout
    comparisons: Callable[[Setting], tuple[Comparison, ...]]
    unit: str = ACCURACY


def _every_encoder(at: Setting) -> tuple[Comparison, ...]:
    """None where the study has one backbone only."""
    if len(at.backbones) < 2:
        return ()
    return tuple(
        loses_less(at, "prompt_ce", "linear_probe", at.high, backbone) for backbone in at.backbones
    )


CLAIMS_OF_THE_PAPER: Mapping[str, Claim] = {
    "prompt_loses_less": Claim(
        "Prompt tuning loses less to wrong labels than a linear probe.",
        "Although linear probes and fine-tuning achieve competitive performance with perfectly "
        "labeled data (0% noise rate), both procedures suffer from a significant accuracy drop "
        "with higher noise rates of 25% and 50%. This result shows that prompt tuning is "
        "naturally more resistant to noisy labels than the alternatives.",
        "Section 4.2, Figures 1, 2 and 8",
        "accuracy lost from clean labels to a higher rate: the linear probe's minus prompt "
        "tuning's",
        FIGURES[8],
        lambda at: tuple(loses_less(at, "prompt_ce", "linear_probe", rate) for rate in at.higher),
    ),
    "prompt_loses_less_than_finetuning": Claim(
        "Prompt tuning loses less to wrong labels than fine-tuning an image encoder.",
        "Both procedures [linear probes and fine-tuning] suffer from a significant accuracy drop "
        "with higher noise rates of 25% and 50%.",
        "Section 4.2, Figure 1",
        "accuracy lost from clean labels to a higher rate: fine-tuning's minus prompt tuning's",
        FIGURES[1],
        lambda at: tuple(loses_less(at, "prompt_ce", "finetune", rate) for rate in at.higher),
    ),
    "gce_helps_prompts_more": Claim(
        "With a robust loss (GCE), prompt tuning loses less to wrong labels than a linear probe.",
        "While the robustness of the linear probe also improves with a GCE loss, the performance "
        "drop at high noise rates is significantly smaller when learning through prompt tuning.",
        "Section 4.2, Figures 2 and 8",
        "accuracy lost from clean labels to the high rate, both with the GCE: the linear probe's "
        "minus prompt tuning's",
        FIGURES[8],
        lambda at: (loses_less(at, "prompt_gce", "linear_probe_gce", at.high),),
    ),
    "gce_makes_both_robust": Claim(
        "The GCE makes both prompt tuning and the linear probe more robust.",
        "Both transfer learning methods obtain an improvement of noise robustness by training with "
        "GCE loss.",
        "Appendix A, Figures 2 and 8",
        "accuracy lost from clean labels to the high rate: with the CE minus with the GCE",
        FIGURES[8],
        lambda at: (
            loses_less(at, "prompt_gce", "prompt_ce", at.high),
            loses_less(at, "linear_probe_gce", "linear_probe", at.high),
        ),
    ),
    "robust_losses_help_prompts": Claim(
        "Robust losses improve prompt tuning where many labels are wrong.",
        "Figure 9 shows two additional robust loss functions: SCE and NCE combined with RCE. Both "
        "losses also improve the noise robustness of prompt tuning.",
        "Appendix A, Figure 9",
        "accuracy at the high rate: prompt tuning with GCE, SCE and NCE+RCE minus with the CE",
        FIGURES[9],
        lambda at: tuple(
            above(at, method, "prompt_ce", at.high)
            for method in ("prompt_gce", "prompt_sce", "prompt_nce_rce")
        ),
    ),
    "gce_is_the_best_loss": Claim(
        "Among the robust losses for prompt tuning, the GCE is the best.",
        "But GCE still achieves slightly better performance.",
        "Appendix A, Figure 9",
        "accuracy at the high rate: prompt tuning with the GCE minus with SCE and with NCE+RCE",
        FIGURES[9],
        lambda at: tuple(
            above(at, "prompt_gce", method, at.high) for method in ("prompt_sce", "prompt_nce_rce")
        ),
    ),
    "text_start_helps": Claim(
        "A classifier that starts at CLIP's class embeddings beats one that starts at random, at "
        "every noise rate.",
        "The linear classifier with CLIP initialization (Classifier-C) outperformed random "
        "initialization across all levels of noise.",
        "Section 4.3, Tables 1 and 6",
        "accuracy at every rate: Classifier-C minus Classifier-R",
        TABLES[6],
        lambda at: tuple(above(at, "classifier_c", "classifier_r", rate) for rate in at.rates),
    ),
    "prompts_best_at_high_noise": Claim(
        "Prompt tuning outperforms the classifiers and the tuned text encoder where many labels "
        "are wrong.",
        "Prompt Tuning outperformed all alternative strategies across all noise rates. The "
        "advantage of prompt tuning was especially large for high noise levels.",
        "Section 4.3, Tables 1 and 6",
        "accuracy at the high rate: prompt tuning minus each alternative",
        TABLES[6],
        lambda at: tuple(
            above(at, "prompt_ce", method, at.high)
            for method in ("classifier_r", "classifier_c", "text_finetune")
        ),
    ),
    "text_encoder_overfits": Claim(
        "A tuned text encoder loses more to wrong labels than prompt tuning.",
        "TEnc-FT achieved competitive performance at zero noise rates, but its accuracy also "
        "dropped significantly as the noise rate increased. The text encoder should be fixed to "
        "prevent overfitting.",
        "Section 4.3, Tables 1 and 6",
        "accuracy lost from clean labels to the high rate: text encoder fine-tuning's minus prompt "
        "tuning's",
        TABLES[6],
        lambda at: (loses_less(at, "prompt_ce", "text_finetune", at.high),),
    ),
    "fixed_class_names": Claim(
        "Prompt tuning outperforms methods that tune the class-name tokens where many labels are "
        "wrong.",
        "Compared to prompt-tuning, which optimizes only learnable tokens shared across all "
        "classes, both CLS-Tuning and Full-Prompt-Tuning models struggle at high noise rate.",
        "Section 4.3, Tables 2 and 7",
        "accuracy at the high rate: prompt tuning minus tuning that moves the class names",
        TABLES[7],
        lambda at: tuple(
            above(at, "prompt_ce", method, at.high) for method in ("full_prompt", "cls_tuning")
        ),
    ),
    "noisy_gradients_suppressed": Claim(
        "In prompt tuning, the gradient of a wrongly labelled image is smaller against that of a "
        "right one than in a linear probe.",
        "We measure the ratio between the gradient norm induced by noisy samples and that induced "
        "by clean samples. Prompt tuning displays significantly lower ratios than linear probing.",
        "Section 4.4, Figure 4",
        "mean gradient norm of wrongly labelled images over that of the others, mean over the "
        "epochs after the warm-up: the linear probe's (trained by SGD) minus prompt tuning's",
        FIGURES[4],
        lambda at: (lower_ratio(at, "prompt_ce", "linear_probe_sgd"),),
        unit=NORM_RATIO,
    ),
    "noisy_gradient_sums_suppressed": Claim(
        "In prompt tuning, wrong labels pull less at the parameters against right ones, taken "
        "together, than in a linear probe.",
        "Prompt tuning can suppress gradient updates from noisy samples, while aggregating "
        "gradients from clean samples.",
        "Section 4.4, Figure 4",
        "norm of the gradient summed over wrongly labelled images over that of the others, mean "
        "over the epochs after the warm-up: the linear probe's (trained by SGD) minus prompt "
        "tuning's; it tends to 1 where training ends, for the two sums then cancel",
        FIGURES[4],
        lambda at: (lower_ratio(at, "prompt_ce", "linear_probe_sgd"),),
        unit=SUM_RATIO,
    ),
    "backbones": Claim(
        "Prompt tuning is robust whatever the image encoder.",
        "Both methods [prompt tuning with RN50 and with ViT-B/32] do not suffer from a large "
        "performance drop and maintain competitive accuracy at high noise rates.",
        "Section 4.5, Table 3",
        "accuracy lost from clean labels to the high rate: the linear probe's on the primary "
        "backbone, our yardstick of a large drop, minus prompt tuning's on each backbone",
        TABLES[3],
        _every_encoder,
    ),
    "context_lengths": Claim(
        "Prompts of every length beat a linear probe where many labels are wrong.",
        "All context lengths achieve superior performance compared to traditional linear probing.",
        "Section 4.5, Figure 5",
        "accuracy at the high rate: prompt tuning with 4, 8, 16 (`prompt_ce`) and 32 context "
        "tokens minus the linear probe",
        FIGURES[5],
        lambda at: tuple(
            above(at, method, "linear_probe", at.high)
            for method in ("prompt_ctx4", "prompt_ctx8", "prompt_ce", "prompt_ctx32")
        ),
    ),
    "confusion_is_harder": Claim(
        "Wrong labels that CLIP itself would give hurt more than random ones.",
        "Confusion noise presents a bigger challenge to transfer learning, leading to larger "
        "degradation of classification accuracy at high noise ratios compared to random noise. "
        "Such degradation is visible both for prompt tuning and linear probes.",
        "Section 4.6, Tables 4 and 9",
        "accuracy at the high rate: under random minus under confusion noise",
        TABLES[9],
        lambda at: tuple(
            hurt_more(at, method, "confusion") for method in ("prompt_ce", "linear_probe")
        ),
    ),
    "prompts_best_under_confusion": Claim(
        "Under confusion noise, prompt tuning still outperforms a linear probe.",
        "However, among the two, prompt tuning still achieves the best overall performance.",
        "Section 4.6, Tables 4 and 9",
        "accuracy at the high rate of confusion noise: prompt tuning minus the linear probe",
        TABLES[9],
        lambda at: (above(at, "prompt_ce", "linear_probe", at.high, "confusion"),),
    ),
    "unsupervised_beats_zero_shot": Claim(
        "Without labels, prompts tuned on zero-shot predictions beat zero-shot CLIP.",
        "All three unsupervised prompt tuning methods can improve transfer learning over zero-shot "
        "predictions, at no additional labeling cost.",
        "Section 5, Table 5",
        "accuracy of single prompts: each of the three methods minus zero-shot",
        TABLES[5],
        lambda at: tuple(
            over_own_labels(at, method, "zero_shot")
            for method in ("upl", "robust_upl_ce", "robust_upl_gce")
        ),
    ),
    "robust_upl_is_best": Claim(
        "Without labels, random pseudo-labels with the GCE are the best of the three methods.",
        "Among the three methods, Robust UPL trained under GCE loss obtains the best performance "
        "on average.",
        "Section 5, Table 5",
        "accuracy of single prompts: Robust UPL (GCE) minus each of the others",
        TABLES[5],
        lambda at: tuple(
            over_own_labels(at, "robust_upl_gce", method) for method in ("upl", "robust_upl_ce")
        ),
    ),
}
