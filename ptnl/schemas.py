"""The columns and types of every Parquet file: the contracts between stages."""

from ptnl.io import Schema

# One row an image, in the order of the data set's own split file: the few-shot draw relies on it.
MANIFEST: Schema = {
    "image": "string",  # path below the data set's image folder
    "label": "int64",
    "class_name": "string",
    "split": "string",  # train, val or test
}

# The K-shot draw: train and val rows of the manifest, class by class in first-appearance order.
SHOTS: Schema = MANIFEST

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
}

# One row an epoch. Accuracies in percent, on the training shots as the epoch met them.
HISTORY: Schema = {
    "epoch": "int64",
    "learning_rate": "double",
    "loss": "double",
    "accuracy_true": "double",  # against the clean labels, all shots
    "accuracy_clean": "double",  # shots whose label is right
    "accuracy_noisy": "double",  # shots whose label is wrong, against that wrong label; NaN if none
    "gradient_norm": "double",  # of the learnable parameters, mean over the epoch's steps
}

# The run's identity, in the order in which tables are sorted.
RUN_KEYS = ("dataset", "backbone", "method", "noise", "fp", "seed")

# One row a run.
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
    "accuracy": "double",  # top-1 on the test split, percent
    "epochs": "int64",
    "parameters": "int64",  # trained numbers
    "seconds": "double",  # wall time of the run's sweep, divided by its runs
    "device": "string",
    "commit": "string",
    "torch": "string",
}

# One row a (data set, backbone, method, noise, fp): statistics over seeds.
SUMMARY: Schema = {
    "dataset": "string",
    "backbone": "string",
    "method": "string",
    "noise": "string",
    "fp": "int64",
    "rate": "double",
    "mean": "double",  # top-1 accuracy, percent
    "sd": "double",  # sample standard deviation; NaN for a single seed
    "n": "int64",
}

# What a run leaves in its folder; `metrics.json` is written last.
RUN_FILES = ("history.parquet", "weights.safetensors", "logits.npy", "metrics.json")
ZERO_SHOT_FILES = ("logits.npy", "metrics.json")  # where nothing is trained
