"""The registry of methods. A method is one line here, and a module where it needs its own code.

Importing the registry does not import torch, because the Snakefile reads it.
"""

from ptnl.training.method import Method

METHODS = {
    "zero_shot": Method("Zero-shot", "zero_shot", "", labels="none"),
    "random_prompt": Method("Random prompt", "random_prompt", "", labels="none"),
    "prompt_ce": Method("Prompt tuning", "prompt", "ce", measures_gradients=True),
    "prompt_gce": Method("Prompt tuning (GCE)", "prompt", "gce", settings_of="prompt_gce"),
    "prompt_sce": Method("Prompt tuning (SCE)", "prompt", "sce", settings_of="prompt_sce"),
    "prompt_nce_rce": Method(
        "Prompt tuning (NCE+RCE)", "prompt", "nce_rce", settings_of="prompt_nce_rce"
    ),
    "prompt_mae": Method("Prompt tuning (MAE)", "prompt", "mae"),
    "prompt_double_softmax": Method("Double softmax", "prompt", "double_softmax"),
    "nlprompt": Method("NLPrompt", "nlprompt", "ce", splits=True, settings_of="transport_prompt"),
    "tecoprompt": Method(
        "TecoPrompt", "tecoprompt", "ce", splits=True, settings_of="transport_prompt"
    ),
    "joapr": Method("JoAPR", "joapr", "ce", splits=True),
    "proda": Method("ProDA", "proda", "ce"),
    "cocoop": Method("CoCoOp", "cocoop", "ce"),
    "tpt": Method("TPT", "tpt", "", labels="none"),
    "tip_adapter": Method("Tip-Adapter", "tip_adapter", "ce"),
    "tip_adapter_f": Method("Tip-Adapter-F", "tip_adapter", "ce", settings_of="tip_adapter_f"),
    "lp_plus_plus": Method("LP++", "lp_plus_plus", "ce"),
    "clap": Method("CLAP", "clap", "ce"),
    "co_teaching": Method("Co-teaching", "co_teaching", "ce", start="random"),
    "early_learning": Method("ELR", "early_learning", "ce", start="text"),
    "prompt_ctx0": Method("Ctx-0", "prompt", "ce", settings_of="bare_name"),
    "prompt_ctx4": Method("Ctx-4", "prompt", "ce"),
    "prompt_ctx8": Method("Ctx-8", "prompt", "ce"),
    "prompt_ctx32": Method("Ctx-32", "prompt", "ce"),
    "full_prompt": Method("Full-Prompt-Tuning", "full_prompt", "ce", settings_of="prompt"),
    "cls_tuning": Method("CLS-Tuning", "cls_tuning", "ce", settings_of="hand_crafted"),
    "text_finetune": Method("TEnc-FT", "text_finetune", "ce", settings_of="hand_crafted"),
    "classifier_r": Method("Classifier-R", "classifier", "ce", start="random"),
    "classifier_c": Method("Classifier-C", "classifier", "ce", start="text"),
    "linear_probe": Method("Linear probe", "linear_probe", "ce"),
    "linear_probe_gce": Method(
        "Linear probe (GCE)", "linear_probe", "gce", settings_of="linear_probe_gce"
    ),
    "linear_probe_sgd": Method(
        "Linear probe (SGD)",
        "linear_probe_sgd",
        "ce",
        measures_gradients=True,
        settings_of="classifier",
    ),
    "finetune": Method("Fine-tuning", "finetune", "ce", trains_on="images"),
    "upl": Method("UPL", "prompt", "ce", labels="pseudo_confident"),
    "robust_upl_ce": Method("Robust UPL (CE)", "prompt", "ce", labels="pseudo_random"),
    "robust_upl_gce": Method(
        "Robust UPL (GCE)", "prompt", "gce", labels="pseudo_random", settings_of="prompt_gce"
    ),
}
