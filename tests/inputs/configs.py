"""Malformed configs: changes to config.yaml, and words of the sentence that refuses them.

The sentence names the key and, where there is one, the right word that is nearest.
"""

from typing import Any

NAN, INFINITE = float("nan"), float("inf")
OWN = {"folder": "x", "template": "a {}."}

Case = tuple[
    dict[str, Any], str, str
]  # changes, and two parts of the sentence: the key, and some words


def at(path: str, value: Any) -> dict[str, Any]:
    """A nested mapping that holds a value at a path of keys."""
    *parents, key = path.split("/")
    changes: dict[str, Any] = {key: value}
    for parent in reversed(parents):
        changes = {parent: changes}
    return changes


def wrong(path: str, value: Any, says: str, key: str = "") -> Case:
    return at(path, value), key or path.replace("/", "."), says


def typo(path: str, meant: str, value: Any = 1) -> Case:
    return wrong(path, value, f"(did you mean {meant!r}?)")


TYPOS: list[Case] = [
    *(
        typo(key, meant)
        for key, meant in {
            "stud": "study",
            "protocl": "protocol",
            "data_rot": "data_root",
            "pathvar": "pathvars",
            "devise": "device",
            "gpu_shares": "gpu_share",
            "presision": "precision",
            "fuze": "fuse",
            "dataset": "datasets",
            "datasets_options": "dataset_options",
            "source": "sources",
            "dataset_method": "dataset_methods",
            "on_bad_images": "on_bad_image",
            "transparent": "transparent_on",
            "primary_backbones": "primary_backbone",
            "backbone": "backbones",
            "view": "views",
            "train_transforms": "train_transform",
            "shot": "shots",
            "Seeds": "seeds",
            "noises": "noise",
            "random_noises": "random_noise",
            "method": "methods",
        }.items()
    ),
    *(
        typo(f"methods/{name}", meant, {})
        for name, meant in {
            "promt_ce": "prompt_ce",
            "prompt_gce_": "prompt_gce",
            "zeroshot": "zero_shot",
            "linear_prob": "linear_probe",
            "Classifier_R": "classifier_r",
            "text_fine_tune": "text_finetune",
            "full_promt": "full_prompt",
            "ulp": "upl",
        }.items()
    ),
    *(
        typo(f"methods/prompt_ce/{name}", meant)
        for name, meant in {
            "epoch": "epochs",
            "batchsize": "batch_size",
            "learningrate": "learning_rate",
            "momentun": "momentum",
            "weight_decai": "weight_decay",
            "warm_up_epochs": "warmup_epochs",
            "contextlength": "context_length",
        }.items()
    ),
    typo("methods/linear_probe/max_iteration", "max_iterations"),
    typo("methods/prompt_gce/Q", "q"),
    typo("methods/random_prompt/draw", "draws"),
    typo("noise/symetric", "symmetric", {}),
    typo("noise/pair_flip", "pairflip", {}),
    typo("noise/symmetric/fp", "fps", [0]),
    typo("noise/symmetric/method", "methods", ["prompt_ce"]),
    typo("dataset_options/dtd/split", "splits", "coop"),
    typo("dataset_options/dtd/sizes/trian", "train"),
    typo("dataset_options/mine/template_", "template", "a {}."),
    typo("backbones/mini-rn/method", "methods", ["prompt_ce"]),
    typo("backbones/mine/weight", "weights", "a.pt"),
    wrong("methods/prompt_ce/lr", 0.1, "known are: batch_size, class_token_position"),
    wrong("methods/zero_shot/epochs", 3, "unknown key"),
]

VALUES: list[Case] = [
    *(wrong(key, None, "None is not of type") for key in ("shots", "seeds", "datasets", "device")),
    wrong("study", "a/b", "holds other characters than letters, digits"),
    wrong("study", "", "holds other characters"),
    wrong("study", 2024, "put it in quotes"),
    wrong("protocol", ["paper"], "is not of type 'string'"),
    wrong("data_root", "", "should be non-empty"),
    wrong("data_root", 5, "put it in quotes"),
    wrong("device", "gpu", "does not match"),
    wrong("device", "cuda:", "does not match"),
    wrong("gpu_share", 0, "less than the minimum of 1"),
    wrong("gpu_share", 1.5, "is not of type 'integer'"),
    wrong("gpu_share", "4", "write 4, without quotes, or --config gpu_share=4"),
    wrong(
        "precision", "float16", "is not one of auto, float32, bfloat16 (did you mean 'bfloat16'?)"
    ),
    wrong("fuse", "yes", "write true, without quotes, or --config fuse=True"),
    wrong("fuse", "false", "write false, without quotes, or --config fuse=False"),
    wrong("fuse", "never", "is not of type 'boolean'"),
    wrong("fuse", 1, "is not of type 'boolean'"),
    wrong("datasets", "icons", "is not of type 'array'"),
    wrong("datasets", [], "should be non-empty"),
    wrong("datasets", ["icons", "icons"], "has non-unique elements"),
    wrong("datasets", [1], "is not of type 'string'", "datasets.0"),
    wrong("sources", "mirror.yaml", "is not of type 'array'"),
    wrong("on_bad_image", "ignore", "is not one of stop, skip"),
    wrong("on_bad_image", "Skip", "(did you mean 'skip'?)"),
    wrong("transparent_on", "gray", "is not one of white, black, grey (did you mean 'grey'?)"),
    wrong("views", -1, "less than the minimum of 0"),
    wrong("views", "many", "does not match"),
    wrong("views", True, "is not of type"),
    wrong("train_transform", "dassl", "is not one of dassl_legacy, dassl_current"),
    wrong("shots", 0, "less than the minimum of 1"),
    wrong("shots", 16.0, "without a dot"),
    wrong("shots", "sixteen", "does not match"),
    wrong("shots", [16], "is not of type"),
    wrong("seeds", [], "should be non-empty"),
    wrong("seeds", 1, "is not of type 'array'"),
    wrong("seeds", [1, 1], "has non-unique elements"),
    wrong("seeds", [-1], "less than the minimum of 0", "seeds.0"),
    wrong("seeds", [1.0], "without a dot", "seeds.0"),
    wrong("seeds", [2**40], "greater than the maximum", "seeds.0"),
    wrong("noise", {"confusion": None, "symmetric": None}, "should be non-empty"),
    wrong("noise", "symmetric", "is not of type 'object'"),
    wrong("noise/symmetric/fps", [], "should be non-empty"),
    wrong("noise/symmetric/fps", 8, "is not of type 'array'"),
    wrong("noise/symmetric/fps", [0, 0.5], "write 8 for half of 16", "noise.symmetric.fps.1"),
    wrong("noise/symmetric/fps", ["8"], "write 8, without quotes, in", "noise.symmetric.fps.0"),
    wrong("noise/symmetric/fps", [-2], "less than the minimum", "noise.symmetric.fps.0"),
    wrong("noise/symmetric/fps", [8, 8], "has non-unique elements"),
    wrong("noise/symmetric/methods", [], "should be non-empty"),
    wrong("random_noise", "confusion", "is not one of symmetric, symmetric_global"),
    wrong("random_noise", "symetric", "(did you mean 'symmetric'?)"),
    wrong("methods", ["prompt_ce"], "is not of type 'object'"),
    wrong("methods/prompt_ce", [], "is not of type 'object'"),
    wrong("methods/prompt_ce/epochs", 0, "less than the minimum of 1"),
    wrong("methods/prompt_ce/epochs", 12.0, "without a dot"),
    wrong("methods/prompt_ce/epochs", "12", "it is text: write 12, without quotes, in a file"),
    wrong("methods/prompt_ce/batch_size", 0, "less than the minimum of 1"),
    wrong("methods/prompt_ce/batch_size", None, "None is not of type 'integer'"),
    wrong("methods/prompt_ce/context_length", 0, "less than the minimum of 1"),
    wrong("methods/prompt_ce/class_token_position", "last", "is not one of end, middle, front"),
    wrong("methods/prompt_ce/learning_rate", 0, "less than or equal to the minimum of 0"),
    wrong("methods/prompt_ce/learning_rate", "5e-4", "it is text: write 0.0005, without"),
    wrong("methods/prompt_ce/learning_rate", "1e-5", "it is text: write 1.0e-05, without"),
    wrong("methods/prompt_ce/learning_rate", "fast", "is not of type 'number'"),
    wrong("methods/prompt_ce/learning_rate", True, "is not of type 'number'"),
    wrong("methods/prompt_ce/learning_rate", NAN, "it has to be finite"),
    wrong("methods/prompt_ce/learning_rate", INFINITE, "it has to be finite"),
    wrong("methods/prompt_ce/momentum", 1, "greater than or equal to the maximum of 1"),
    wrong("methods/prompt_ce/momentum", NAN, "it has to be finite"),
    wrong("methods/prompt_ce/weight_decay", -1, "less than the minimum of 0"),
    wrong("methods/prompt_ce/weight_decay", INFINITE, "it has to be finite"),
    wrong("methods/prompt_ce/warmup_epochs", -1, "less than the minimum of 0"),
    wrong("methods/prompt_ce/warmup_learning_rate", NAN, "it has to be finite"),
    wrong("methods/prompt_gce/q", 0, "less than or equal to the minimum of 0"),
    wrong("methods/prompt_gce/q", 1.5, "greater than the maximum of 1"),
    wrong("methods/prompt_gce/q", NAN, "it has to be finite"),
    wrong("methods/prompt_sce/alpha", -INFINITE, "it has to be finite"),
    wrong("methods/prompt_sce/beta", -1, "less than the minimum of 0"),
    wrong("methods/prompt_ctx0/context_length", 4, "0 was expected"),
    wrong("methods/random_prompt/draws", 1, "less than the minimum of 2"),
    wrong("methods/linear_probe/c", 0, "less than or equal to the minimum of 0"),
    wrong("methods/linear_probe/c", NAN, "it has to be finite"),
    wrong("methods/linear_probe/c", INFINITE, "it has to be finite"),
    wrong("methods/linear_probe/max_iterations", 0, "less than the minimum of 1"),
    wrong("pathvars", "results", "is not of type 'object'"),
    wrong("pathvars/results", 5, "put it in quotes"),
]

REFERENCES: list[Case] = [
    wrong("protocol", "papr", "(did you mean 'paper'?); choose from"),
    wrong("datasets", ["icon"], "(did you mean 'icons'?); choose from icons, symbols"),
    wrong("datasets", ["birds"], "or give your own: dataset_options.birds.folder or .manifest"),
    wrong("primary_backbone", "mini", "'mini' is unknown to the study (did you mean 'mini-"),
    wrong("primary_backbone", "RN50", "'RN50' is unknown to the study"),
    wrong("random_noise", "pairflip", "'pairflip' is unknown to the study; choose from symmetric"),
    wrong("noise/confusion/methods", ["prompt_cee"], "(did you mean 'prompt_ce'?)"),
    wrong("noise/confusion/methods", ["prompt_mae"], "'prompt_mae' is unknown to the study"),
    wrong("noise/confusion/methods", ["zero_shot"], "zero_shot takes no labels from noise"),
    wrong("noise/confusion/methods", ["upl"], "upl takes no labels from noise"),
    wrong("noise/confusion/datasets", ["dtd"], "'dtd' is unknown to the study; choose from icons"),
    wrong("noise/confusion/datasets", ["symbol"], "(did you mean 'symbols'?)"),
    wrong("noise/confusion/backbones", ["RN50"], "'RN50' is unknown to the study"),
    wrong("noise/symmetric/fps", [0, 17], "17 wrong labels do not fit into 16 shots"),
    wrong("shots", 4, "8 wrong labels do not fit into 4 shots", "noise.symmetric.fps"),
    wrong("shots", "all", "a number of wrong labels is no rate", "noise.symmetric"),
    wrong("methods/prompt_ce", {"epochs": 3, "warmup_epochs": 4}, "4 are more than its 3 epochs"),
    wrong("methods/finetune", {"epochs": 1, "warmup_epochs": 2}, "2 are more than its 1 epochs"),
    wrong("dataset_methods", {"dtd": ["prompt_ce"]}, "'dtd' is unknown to the study"),
    wrong("dataset_methods/icons", ["promptce"], "(did you mean 'prompt_ce'?)"),
    wrong("dataset_methods/icons", ["prompt_mae"], "'prompt_mae' is unknown to the study"),
    wrong("backbones/mini-vit/methods", ["prompt_xe"], "(did you mean 'prompt_"),
    wrong("backbones", {"RN51": {}}, "'RN51' is unknown (did you mean 'RN50"),
    wrong("backbones/mine", {"model": "RN50"}, "needs its open_clip tag (pretrained) or its weig"),
    wrong("backbones/mini-rn", {"weights": "w.pt"}, "the package ships its weights"),
    wrong("backbones/RN50", {"sha256": "0" * 64}, "is a dependency of 'sha256'"),
    wrong("backbones/RN50", {"weights": "a", "sha256": "12"}, "does not match", "RN50.sha256"),
    wrong("backbones/RN50", {"image_encoder": "resnet"}, "'resnet' is unknown", "image_encoder"),
    wrong("backbones/a b", {}, "holds other characters", "backbones"),
    wrong("backbones/mini-vit", {"methods": ["finetune"]}, "mini-vit", "backbones"),
    wrong("dataset_options/dtd", {"folder": "x"}, "not an option of dtd; it takes splits", "dtd"),
    wrong("dataset_options/dtd/splits", "cop", "is not one of coop, native (did you mean 'coop'?)"),
    wrong("dataset_options/icons", {"flips": True}, "it takes none", "dataset_options.icons.flips"),
    wrong("dataset_options/ucf101/frames", "cuts", "(did you mean 'cut'?)"),
    wrong("dataset_options/fgvc_aircraft", {"splits": "coop"}, "it takes source, sizes", "splits"),
    wrong("dataset_options/my birds", OWN, "holds other characters", "dataset_options"),
    wrong(
        "dataset_options/mine", {"folder": "x"}, "missing; it is the hand-crafted", "mine.template"
    ),
    wrong("dataset_options/mine", {**OWN, "template": "a bird"}, "has to hold {} once", "template"),
    wrong("dataset_options/mine", {**OWN, "template": "{} {}"}, "has to hold {} once", "template"),
    wrong("dataset_options/mine", {**OWN, "template": "{0}"}, "has to hold {} once", "template"),
    wrong(
        "dataset_options/mine", {**OWN, "manifest": "y"}, "has both a folder and a manifest", "mine"
    ),
    wrong("dataset_options/mine", {**OWN, "images": "y"}, "not an option of mine", "mine.images"),
    wrong("dataset_options/mine", {**OWN, "flips": "no"}, "is not of type 'boolean'", "mine.flips"),
    wrong("dataset_options/mine", {**OWN, "folder": ""}, "should be non-empty", "mine.folder"),
    wrong("dataset_options/mine", {**OWN, "names": 3}, "put it in quotes", "mine.names"),
    wrong("dataset_options/mine", {**OWN, "sizes": {"train": -1}}, "less than the", "sizes.train"),
    wrong("dataset_options/dtdd", {"splits": "coop"}, "(did you mean 'dtd'?)", "datasets"),
    wrong("dataset_options", [OWN], "is not of type 'object'"),
]

# The text of a whole overlay, and two parts of the sentence: the key, and some words.
TEXTS: list[tuple[str, str, str]] = [
    ("shots: 4\nseeds: [1]\nshots: 8\n", "shots", "stands twice, in lines 1 and 3"),
    ("methods:\n  prompt_ce: {epochs: 2, epochs: 3}\n", "epochs", "stands twice"),
    ("noise: {symmetric: {fps: [0]}, symmetric: {fps: [8]}}\n", "symmetric", "stands twice"),
    ("backbones:\n  1: {}\n", "backbones", "the key 1 needs quotes"),
    ("noise:\n  yes: {}\n", "noise", "the key True needs quotes"),
    ("1: 2\n", "the top level", "the key 1 needs quotes"),
    ("study: 2024-11-05\n", "study", "put it in quotes"),
    ("study: 2024_11_05\n", "study", "put it in quotes"),
    ("shots: 1e1\n", "shots", "does not match"),
    ("methods: {linear_probe: {c: .nan}}\n", "methods.linear_probe.c", "it has to be finite"),
    ("methods: {linear_probe: {c: -.inf}}\n", "methods.linear_probe.c", "it has to be finite"),
    ("shots: [\n", "overlay.yaml", "not readable as YAML"),
    ("shots: 4\n\tseeds: [1]\n", "overlay.yaml", "not readable as YAML"),
    ("- shots\n- 4\n", "overlay.yaml", "holds no keys and values"),
    ("just words\n", "overlay.yaml", "holds no keys and values"),
    ("", "overlay.yaml", "holds no keys and values"),
    ("study: !!python/object/apply:os.system [true]\n", "overlay.yaml", "not readable as YAML"),
    ("shots: *none\n", "overlay.yaml", "not readable as YAML"),
]
