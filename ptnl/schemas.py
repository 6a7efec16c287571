"""The columns, types and values of every Parquet file: the contracts between stages.

Without pandas: the Snakefile imports it.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

# Column name -> Arrow type, by Arrow's own alias.
Schema = Mapping[str, Literal["binary", "bool", "double", "int64", "string"]]

# One row per image, in the order of the data set's own split file: the few-shot draw relies on it.
MANIFEST: Schema = {
    "image": "string",  # path below the data set's image folder
    "label": "int64",
    "class_name": "string",
    "split": "string",  # train, val or test
}

# The K-shot draw: train and val rows of the manifest, class by class in first-appearance order.
# Where a class has too few images, some are drawn twice.
SHOTS: Schema = dict(MANIFEST)

# What training sees: `label` may be wrong, `label_clean` never is.
NOISY_SHOTS: Schema = {
    "image": "string",
    "label_clean": "int64",
    "label": "int64",
    "is_noisy": "bool",
}

# The images of a seed's augmented views, in the order of their features.
VIEW_IMAGES: Schema = {"image": "string"}

# Zero-shot predictions for every image of the manifest, in its order.
PSEUDO_LABELS: Schema = {
    "image": "string",
    "split": "string",
    "label": "int64",
    "label_pseudo": "int64",
    "confidence": "double",  # softmax probability of label_pseudo
    "label_confused": "int64",  # of the wrong classes, the one that scores highest
}

# One row per epoch. Accuracies in percent, on the training shots as the epoch met them.
HISTORY: Schema = {
    "epoch": "int64",
    "learning_rate": "double",
    "loss": "double",
    "accuracy_true": "double",  # against the clean labels, all shots
    "accuracy_clean": "double",  # shots whose label is right
    "accuracy_noisy": "double",  # shots whose label is wrong, against that wrong label; NaN if none
    "gradient_norm": "double",  # of the learnable parameters, mean over the epoch's steps
    # Gradient norms at the start of the epoch (`ptnl.training.gradients`), NaN where they were not
    # measured: of the loss summed over the shots whose label is wrong, and over the others; and
    # the means, over the same shots, of the norms of each shot's own gradient.
    "gradient_noisy": "double",
    "gradient_clean": "double",
    "gradient_noisy_mean": "double",
    "gradient_clean_mean": "double",
    # How the epoch splits the shots by whether their label is taken as right, in percent; NaN where
    # the method makes no split. A label that the method has rewritten is judged as rewritten.
    "taken_as_clean": "double",  # share of the shots
    "split_precision": "double",  # of those, the share whose label is right
    "split_recall": "double",  # of the shots whose label is right, the share taken as clean
}

# One row per measured epoch of a run with wrong labels: how strongly they and the right ones pull.
GRADIENTS: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "shots": "int64",
    "seed": "int64",
    "epoch": "int64",
    "gradient_noisy": "double",  # norm of the loss gradient summed over the wrongly labelled shots
    "gradient_clean": "double",  # and over the others
    "ratio": "double",  # gradient_noisy / gradient_clean
    "gradient_noisy_mean": "double",  # mean norm of the wrongly labelled shots' own gradients
    "gradient_clean_mean": "double",  # and of the others
    "ratio_mean": "double",  # gradient_noisy_mean / gradient_clean_mean
}

# One row per (noise, rate, method): how a method ranks over data sets; 95 % intervals over seeds.
RANKS: Schema = {
    "noise": "string",
    "rate": "double",  # percent of wrong labels asked for
    "method": "string",
    "methods": "int64",  # that are ranked
    "datasets": "int64",
    "seeds": "int64",
    "rank": "double",  # mean over data sets and seeds, 1 the most accurate
    "rank_low": "double",
    "rank_high": "double",
    "gain": "double",  # top-1 accuracy over that of prompt tuning, points
    "gain_low": "double",
    "gain_high": "double",
}

# One row per epoch that splits the shots of a run with wrong labels; see `HISTORY`.
SPLITS: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "shots": "int64",
    "seed": "int64",
    "epoch": "int64",
    "taken_as_clean": "double",
    "split_precision": "double",
    "split_recall": "double",
}

# The run's identity, in the order in which tables are sorted.
RUN_KEYS = ("dataset", "backbone", "method", "noise", "fp", "seed")

# One row per run.
RUNS: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",  # wrong labels among the shots of a class
    "seed": "int64",
    "shots": "int64",
    "rate": "double",  # percent of wrong labels asked for: 100 fp / shots
    "rate_realised": "double",  # percent of wrong labels found
    "shots_per_class": "double",  # different images trained on, mean over classes
    "accuracy": "double",  # top-1 on the test split, percent
    "epochs": "int64",
    "parameters": "int64",  # trained numbers
    # What the run's job cost: all runs of a job share it, and its seconds count once a job.
    "job_runs": "int64",  # runs trained side by side in the job
    "job_seconds": "double",  # wall time
    "memory_gib": "double",  # peak of the process
    "device": "string",
    "device_gib": "double",  # peak of tensors on the GPU; 0 on the CPU
    "commit": "string",
    "torch": "string",
}

# One row per (data set, backbone, method, noise, fp): statistics over seeds.
SUMMARY: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "rate": "double",
    "rate_realised": "double",  # percent of wrong labels found, mean
    "mean": "double",  # top-1 accuracy, percent
    "sd": "double",  # sample standard deviation; NaN for a single seed
    "n": "int64",
}

# One row per (data set, backbone, kind of noise, rate, method), with its distance to a baseline.
OVERVIEW: Schema = {
    "dataset": "string",
    "backbone": "string",
    "noise": "string",  # `own` where no given label is used
    "fp": "int64",
    "rate": "double",
    "method": "string",
    "mean": "double",  # top-1 accuracy, percent
    "sd": "double",  # sample standard deviation; NaN for a single run
    "n": "int64",  # seeds, or draws of random prompts
    "baseline": "string",  # the method that it is compared with; empty for the baseline itself
    "difference": "double",  # points above the baseline, mean of the seeds' differences
    "low": "double",  # 95 % confidence interval; NaN for a single seed
    "high": "double",
}

# One row per (data set, backbone, method, noise, fp): the mean of the logits of its seeds.
ENSEMBLES: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "accuracy": "double",  # top-1 on the test split, percent
    "n": "int64",  # members
}

# One row per prompt of random context tokens.
RANDOM_PROMPTS: Schema = {
    "dataset": "string",
    "backbone": "string",
    "draw": "int64",
    "accuracy": "double",  # top-1 on the test split, percent
}

# One row per prompt that is tuned on each test image (TPT).
TPT: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",  # that tuned the prompt it starts at; empty for "a photo of a"
    "noise": "string",
    "fp": "int64",
    "seed": "int64",
    "rate": "double",
    "accuracy_start": "double",  # top-1 on the test split of the prompt it starts at, percent
    "accuracy": "double",  # and after one step on each image
}

# What jobs cost, one row for each stage, method and device. The time of a stage that makes no runs
# comes from the records of its jobs (`ptnl.study.job_records`), which do not name the device.
COST: Schema = {
    "stage": "string",
    "method": "string",  # empty where a stage serves all methods
    "device": "string",
    "jobs": "int64",
    "runs": "int64",
    "hours": "double",  # wall time of all jobs
    "seconds_a_run": "double",  # NaN where the stage makes no runs
    "encodings_a_step": "int64",  # of the prompts of all classes, in training; 0 where none
    "memory_gib": "double",  # peak of a process
    "device_gib": "double",  # peak of tensors on the GPU
}

# Random prompts' predictions, one row per (true, predicted) pair of classes, in order of label.
CONFUSION: Schema = {
    "dataset": "string",
    "backbone": "string",
    "true_class": "string",
    "predicted_class": "string",
    "percent": "double",  # of the test images of the true class, mean over the prompts
}

# One row per (sweep, rate, class): how many of its test images are recognised.
CLASS_ACCURACY: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "rate": "double",
    "class_name": "string",
    "images": "int64",  # test images of the class
    "mean": "double",  # percent of them, mean over seeds
    "sd": "double",  # NaN for a single run
    "n": "int64",
}

# One row per (sweep, rate, pair of classes that is confused at all).
MISTAKES: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "true_class": "string",
    "predicted_class": "string",
    "percent": "double",  # of the test images of the true class, mean over seeds
}

# One row per (method, noise, rate, test image), of the study's first seed and of zero-shot CLIP.
PREDICTIONS: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "rate": "double",
    "seed": "int64",
    "image": "string",  # as the manifest calls it
    "label": "int64",  # the true one
    "class_name": "string",
    "predicted": "int64",
    "predicted_class": "string",
    # Logit of the true class minus the greatest of the others, in the method's own logits: positive
    # where the image is recognised, and near zero where that is a close call.
    "margin": "double",
}

# One row per test image that every method gets wrong at every rate, the most misleading first.
HARD_IMAGES: Schema = {
    "dataset": "string",
    "image": "string",
    "class_name": "string",
    "predicted_class": "string",  # what it is taken for most often
    "agreeing": "int64",  # predictions that say so
    "predictions": "int64",  # of all methods and rates
    "hard": "int64",  # such images in the data set; the first ones are listed
    "thumbnail": "binary",  # WebP, at most 64 pixels wide and high
}

# One row per (run, epoch).
CURVES: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "rate": "double",
    "seed": "int64",
    "epoch": "int64",
    "loss": "double",
    "accuracy_true": "double",  # see `HISTORY`
    "accuracy_clean": "double",
    "accuracy_noisy": "double",
}

# One row per claim of the paper.
CLAIMS: Schema = {
    "claim": "string",
    "statement": "string",
    "source": "string",  # section and table or figure of the paper
    "statistic": "string",
    "comparison": "string",  # the weakest one of the claim; empty without enough runs
    "unit": "string",
    "estimate": "double",  # of that comparison, positive where the claim is right
    "low": "double",  # 95 % confidence interval
    "high": "double",
    "seeds": "int64",
    "datasets": "string",  # those it was judged on, parted by commas
    "verdict": "string",  # holds, does not hold, undecided, not enough runs
    "finding": "string",  # the verdict as a sentence, with what it rests on
}

# One row per (backbone, number of classes, number of fused runs): what a step of prompt tuning
# costs, ours and the plain reference's. Seconds are of one step of one run.
BENCH: Schema = {
    "backbone": "string",
    "device": "string",
    "threads": "int64",
    "precision": "string",  # of ours: auto, float32 or bfloat16; the reference is in float32
    "classes": "int64",
    "runs": "int64",  # trained side by side by ours; the reference trains one
    "tokens": "int64",  # that pass the text tower
    "tokens_reference": "int64",
    # Classes that the reference was timed on; if fewer, its text tower's time is scaled to all.
    "classes_reference": "int64",
    "text_seconds": "double",  # text tower, forward and backward
    "text_seconds_reference": "double",
    "text_ratio": "double",  # reference / ours
    "step_seconds": "double",  # whole step; ours on cached features
    "step_seconds_reference": "double",  # and with the image encoder on the batch
    "step_ratio": "double",
    "image_seconds": "double",  # the image encoder on a batch: what ours pays once for its views
    "gflops": "double",  # 1e9 floating point operations a second in our text tower
    "gflops_peak": "double",  # and in a product of large square matrices
    "gib": "double",  # peak memory of our step of all runs; NaN where the system does not tell
    "gib_reference": "double",  # of the reference's step of `classes_reference` classes
}

# What a run leaves in its folder; `metrics.json` is written last.
RUN_FILES = ("history.parquet", "weights.safetensors", "logits.npy", "metrics.json")
ZERO_SHOT_FILES = ("logits.npy", "metrics.json")  # where nothing is trained


# The columns that tell the rows of a schema apart.
KEYS: tuple[tuple[Schema, tuple[str, ...]], ...] = (
    (MANIFEST, ("image",)),
    (VIEW_IMAGES, ("image",)),
    (PSEUDO_LABELS, ("image",)),
    (HISTORY, ("epoch",)),
    (GRADIENTS, (*RUN_KEYS, "epoch")),
    (RUNS, RUN_KEYS),
    (SUMMARY, RUN_KEYS[:-1]),
    (ENSEMBLES, RUN_KEYS[:-1]),
    (RANDOM_PROMPTS, ("dataset", "backbone", "draw")),
    (PREDICTIONS, (*RUN_KEYS, "image")),
    (HARD_IMAGES, ("dataset", "image")),
    (CLAIMS, ("claim",)),
)

# Least and greatest value of a column, in whatever schema it stands. Its values are finite.
RANGES = {
    **dict.fromkeys(
        ("label", "label_clean", "label_pseudo", "label_confused", "predicted"), (0, math.inf)
    ),
    **dict.fromkeys(("fp", "draw", "epoch", "epochs", "parameters", "n"), (0, math.inf)),
    **dict.fromkeys(("job_seconds", "learning_rate", "sd"), (0, math.inf)),
    **dict.fromkeys(("shots", "job_runs"), (1, math.inf)),
    **dict.fromkeys(("accuracy", "accuracy_true", "accuracy_clean", "accuracy_noisy"), (0, 100)),
    **dict.fromkeys(("rate", "rate_realised", "mean", "percent"), (0, 100)),
    "shots_per_class": (0, math.inf),
    "loss": (-math.inf, math.inf),
    "confidence": (0, 1),
}
MAY_BE_NAN = {"accuracy_clean", "accuracy_noisy", "sd"}  # of the above
ROUNDING = 1e-4  # by which a computed value may leave its range

# Columns of names that are never empty.
NAMES = {"image", "class_name", "predicted_class", "dataset", "backbone", "noise", "claim"}


def rows_of(frame: "pd.DataFrame") -> Iterator[Any]:
    """The rows of a table one by one, with an attribute for each column.

    The declared schemas say of what type a column is, and pandas' own types cannot: here it is Any.
    """
    return frame.itertuples(index=False)


def fault_in(frame: "pd.DataFrame", schema: Schema) -> str:
    """What is wrong with the values of a frame that has the columns of a schema; empty if nothing.

    Rows are counted from 1.
    """
    for name in schema:
        column = frame[name]
        if name in RANGES:
            low, high = RANGES[name]
            wrong = (
                (column < low - ROUNDING) | (column > high + ROUNDING) | (column.abs() == math.inf)
            )
            if name not in MAY_BE_NAN:
                wrong |= column.isna()
        elif name in NAMES:
            wrong = column == ""
        elif name == "split":
            wrong = ~column.isin(("train", "val", "test"))
        elif name == "is_noisy":
            wrong = column != (frame.label != frame.label_clean)
        else:
            continue
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            return f"{name} is {column.iloc[row]} in row {row + 1}"
    keys = next((list(keys) for known, keys in KEYS if known is schema), [])
    if keys and (twice := frame.duplicated(keys)).any():
        told = frame.loc[twice, keys].iloc[0].to_dict()
        return f"several rows are of {', '.join(f'{key} {value}' for key, value in told.items())}"
    return ""
