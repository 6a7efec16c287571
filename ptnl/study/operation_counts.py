"""What jobs need: floating point operations, images to read, bytes on disk. Pure, without torch.

Only the dominant operations are counted, by formula. What is left out (attention, the last layers,
start-up) is small for the paper's models, but not for the shipped ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptnl.data import Size
from ptnl.methods import METHODS
from ptnl.study.grid import gradients_at, tpt_starts
from ptnl.study.job_files import Job
from ptnl.training.measured_epochs import measured_epochs

Config = Mapping[str, Any]


@dataclass(frozen=True)
class ModelSize:
    """A CLIP model, as far as the work depends on it."""

    image_gflops: float  # forward of an image
    dimensions: int  # of features
    text_width: int
    text_layers: int
    tuned_gflops: float = 0.0  # forward of an image in the encoder that `finetune` trains
    tuned_parameters: int = 0  # and its weights

    @property
    def layer_parameters(self) -> int:
        """Weights of the text tower's layers: 12 matrices of width x width each."""
        return 12 * self.text_width**2 * self.text_layers


# Forward operations (two a multiplication with addition) were counted with torch's FlopCounterMode
# on open_clip 3.3 and timm 1.0, one image, eager attention.
MODELS = {
    "RN50": ModelSize(12.22, 1024, 512, 12, tuned_gflops=8.18, tuned_parameters=25_557_032),
    "ViT-B-32": ModelSize(8.82, 512, 512, 12, tuned_gflops=8.82, tuned_parameters=88_224_232),
    "mini-rn": ModelSize(0.0392, 128, 192, 2, tuned_gflops=0.00593, tuned_parameters=320_488),
    "mini-vit": ModelSize(0.170, 128, 192, 2),
}

# Tokens of a class alone: name, full stop and end token, as OxfordPets has them.
CLASS_TOKENS = 154 / 37
TEMPLATE_TOKENS = 6  # of a hand-crafted prompt, such as "a photo of a {}, a type of pet."
CONTEXT_OF_COCOOP = 5  # tokens before the class name, start token included
HISTORY_BYTES = 150  # of an epoch's row and of its share of the run's metrics

# What orders the trainings of a study: the same data set for all, and the size of a model for those
# whose own is not known. Counting a user's images whenever Snakemake starts would take too long.
USUAL_SIZE = Size(100, {"train": 5000, "val": 0, "test": 2500})
USUAL_MODEL = "ViT-B-32"


@dataclass(frozen=True)
class Work:
    """What a job computes, reads and leaves."""

    gflops: float = 0.0
    images: int = 0  # decoded
    bytes: int = 0  # left in the results

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.gflops + other.gflops, self.images + other.images, self.bytes + other.bytes
        )


@dataclass(frozen=True)
class _Sizes:
    """The numbers that a job's work follows from."""

    model: ModelSize
    classes: int
    images: int
    test: int
    draw: int  # images of a few-shot draw


def encodings_a_step(method: str, settings: Mapping[str, Any]) -> int:
    """How often a step of training encodes the prompts of all classes, of one run."""
    if method == "cocoop":
        return int(settings["batch_size"])  # every image has prompts of its own
    if method == "proda":
        return int(settings["prompts_together"])
    encodes = settings.get("context_length", 0) > 0 or method in ("cls_tuning", "text_finetune")
    return int(encodes)


def unsized(config: Config, sizes: Mapping[str, Size]) -> list[str]:
    """Data sets and backbones of the study whose sizes, and so whose work, are not known."""
    return [name for name in config["datasets"] if name not in sizes] + [
        name for name in config["backbones"] if name not in MODELS
    ]


def work_of(config: Config, job: Job, sizes: Mapping[str, Size]) -> Work | None:
    """What a job needs; None where the size of its data set or model is not known (`unsized`).

    Steps that compute nothing to speak of need nothing here: they take their start-up.

    sizes : data set -> its size (see `ptnl.data.counting.sizes_of`)
    """
    stage = _STAGES.get(job.record.split("/")[0])
    if stage is None:
        return Work()
    if job.dataset not in sizes or job.backbone not in MODELS:
        return None
    of = sizes[job.dataset]
    drawn = of.images["train"] if config["shots"] == "all" else config["shots"] * of.classes
    return stage(
        config,
        job,
        _Sizes(MODELS[job.backbone], of.classes, of.whole, of.images["test"], drawn),
    )


def training_gflops(config: Config, backbone: str, method: str, labels: str, runs: int) -> float:
    """The work of a training job, to compare with that of the study's other trainings.

    labels : kind of noise or of pseudo-labels
    runs : that the job trains
    """
    stage = {"features": "tune_method", "images": "finetune_backbone"}[METHODS[method].trains_on]
    size, shots = USUAL_SIZE, config["shots"]
    sizes = _Sizes(
        MODELS.get(backbone, MODELS[USUAL_MODEL]),
        size.classes,
        size.whole,
        size.images["test"],
        size.images["train"] if shots == "all" else shots * size.classes,
    )
    job = Job(f"{stage}_{labels}", (), (), "", backbone, method, labels, runs)
    return _STAGES[stage](config, job, sizes).gflops


def _encode_images(config: Config, job: Job, sizes: _Sizes) -> Work:
    return Work(
        sizes.images * sizes.model.image_gflops,
        sizes.images,
        2 * sizes.images * sizes.model.dimensions,  # float16
    )


def _encode_views(config: Config, job: Job, sizes: _Sizes) -> Work:
    # Beside the few-shot draw, one draw's worth of images for each further kind of draw.
    kinds = {file.split("/")[-2] for file in job.inputs if "/pseudoshots/" in file}
    kinds |= {file.split("/")[-3] for file in job.inputs if "/noise/" in file}
    images = sizes.draw * (1 + len(kinds))
    views = images * config["views"]
    return Work(views * sizes.model.image_gflops, images, 2 * views * sizes.model.dimensions)


def _pseudolabel_zeroshot(config: Config, job: Job, sizes: _Sizes) -> Work:
    tokens = sizes.classes * (TEMPLATE_TOKENS + CLASS_TOKENS)
    scores = 2 * sizes.images * sizes.classes * sizes.model.dimensions
    return Work(_text(sizes, tokens) + scores / 1e9, 0, _logits(sizes))


def _evaluate_random_prompts(config: Config, job: Job, sizes: _Sizes) -> Work:
    settings = config["methods"]["random_prompt"]
    tokens = settings["context_length"] + sizes.classes * CLASS_TOKENS
    scores = 2 * sizes.test * sizes.classes * sizes.model.dimensions / 1e9
    return Work(settings["draws"] * (_text(sizes, tokens) + scores), 0, 12 * sizes.classes**2)


def _encode_test_views(config: Config, job: Job, sizes: _Sizes) -> Work:
    views = sizes.test * config["methods"]["tpt"]["views"]
    return Work(views * sizes.model.image_gflops, sizes.test, 2 * views * sizes.model.dimensions)


def _evaluate_tpt(config: Config, job: Job, sizes: _Sizes) -> Work:
    starts = [CONTEXT_OF_COCOOP]
    starts += [
        config["methods"][run.method]["context_length"]
        for run in tpt_starts(config, job.dataset, job.backbone)
    ]
    # Each image: forward, backward to activations, and forward again.
    tokens = sum(context + sizes.classes * CLASS_TOKENS for context in starts)
    return Work(3 * sizes.test * _text(sizes, tokens))


def _finetune_backbone(config: Config, job: Job, sizes: _Sizes) -> Work:
    settings, model = config["methods"]["finetune"], sizes.model
    seen = 3 * settings["epochs"] * sizes.draw + sizes.test  # forward and backward; test images
    left = 4 * model.tuned_parameters + _logits(sizes) + HISTORY_BYTES * settings["epochs"]
    read = job.runs * sizes.draw + sizes.test
    return Work(job.runs * seen * model.tuned_gflops, read, job.runs * left)


def _tune_method(config: Config, job: Job, sizes: _Sizes) -> Work:
    settings, model = config["methods"][job.method], sizes.model
    epochs = settings.get("epochs", settings.get("iterations", 1))
    steps = epochs * (sizes.draw // settings.get("batch_size", sizes.draw))
    in_batch = settings.get("batch_size", sizes.draw)
    scores = 2 * in_batch * sizes.classes * model.dimensions / 1e9
    weights = sizes.classes * model.dimensions
    if "max_iterations" in settings:  # L-BFGS: scores and their gradient, at most so often
        gflops = settings["max_iterations"] * 2 * scores
    elif job.method == "text_finetune":
        tokens = sizes.classes * (TEMPLATE_TOKENS + CLASS_TOKENS)
        # Forward, and backward to activations and to weights.
        gflops = steps * (3 * _text(sizes, tokens) + 3 * scores)
        weights = model.layer_parameters
    elif job.method == "cocoop":  # every image has prompts of its own, in the test too
        tokens = CONTEXT_OF_COCOOP + sizes.classes * CLASS_TOKENS
        gflops = (2 * steps * in_batch + sizes.test) * _text(sizes, tokens)
        weights = model.dimensions * (model.dimensions + model.text_width) // 16
    elif job.method == "proda":
        gflops = _proda(settings, sizes, steps)
        weights = settings["prompts"] * settings["context_length"] * model.text_width
    elif "context_length" in settings or job.method == "cls_tuning":
        context = settings.get("context_length", TEMPLATE_TOKENS)
        # The weights are frozen: forward, and backward to activations.
        passes = 2 if context else 0
        tokens = context + sizes.classes * CLASS_TOKENS
        gflops = steps * passes * (_text(sizes, tokens) + scores)
        # Images whose gradients are measured share their forward pass, which leaves one backward.
        gflops += _measured_gradients(config, job, sizes) * min(passes, 1) * _text(sizes, tokens)
        weights = context * model.text_width
    else:  # a linear classifier by SGD
        gflops = steps * 3 * scores
    left = 4 * weights + _logits(sizes) + HISTORY_BYTES * epochs
    return Work(job.runs * gflops, 0, int(job.runs * left))


def _measured_gradients(config: Config, job: Job, sizes: _Sizes) -> float:
    """How many gradients of single images a run measures, as a mean over the job's runs."""
    settings = config["methods"][job.method]
    if gradients_at(config, job.backbone, job.method, job.labels) is None:
        return 0.0
    epochs = measured_epochs(settings["epochs"], settings["warmup_epochs"])
    return len(epochs) * sizes.draw / len(config["noise"][job.labels]["fps"])  # runs of one rate


def _proda(settings: Mapping[str, Any], sizes: _Sizes, steps: int) -> float:
    """GFLOPs of a ProDA run. Behind a name, context tokens are each class's own."""
    context, half = settings["context_length"], settings["context_length"] / 2
    at_end = context + sizes.classes * CLASS_TOKENS
    in_middle = half + sizes.classes * (CLASS_TOKENS + half)
    in_front = sizes.classes * (CLASS_TOKENS + context)
    tokens = at_end / 2 + in_middle / 4 + in_front / 4  # of a prompt, in the mean
    nameless = settings["prompts"] * (context + 2)
    step = 2 * _text(sizes, settings["prompts_together"] * tokens + nameless)
    return steps * step + float(settings["prompts"]) * _text(sizes, tokens)


def _text(sizes: _Sizes, tokens: float) -> float:
    """GFLOPs of the text tower's forward of some tokens."""
    return 2 * tokens * sizes.model.layer_parameters / 1e9


def _logits(sizes: _Sizes) -> int:
    """Bytes of a run's test logits in float16."""
    return 2 * sizes.test * sizes.classes


_STAGES = {
    "encode_images": _encode_images,
    "encode_views": _encode_views,
    "pseudolabel_zeroshot": _pseudolabel_zeroshot,
    "evaluate_random_prompts": _evaluate_random_prompts,
    "encode_test_views": _encode_test_views,
    "evaluate_tpt": _evaluate_tpt,
    "finetune_backbone": _finetune_backbone,
    "tune_method": _tune_method,
}
