"""The quality of predictions, measured on the labels that there are. Pure."""

from dataclasses import dataclass

import numpy as np

CALIBRATION_BINS = 15  # as in Guo et al. 2017
NORMAL_95 = 1.96


@dataclass(frozen=True)
class Quality:
    """The quality of predictions for labelled images, in percent."""

    top1: float
    macro_recall: float  # mean over the classes that have labelled images
    calibration_error: float  # expected calibration error


def quality(probabilities: np.ndarray, labels: np.ndarray) -> Quality:
    """Top-1 accuracy, macro recall and calibration error of probabilities (N, C), labels (N)."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    is_right = predicted == labels
    recalls = [is_right[labels == label].mean() for label in np.unique(labels)]
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        (bins == number).mean()
        * abs(confidence[bins == number].mean() - is_right[bins == number].mean())
        for number in np.unique(bins)
    ]
    return Quality(
        *(100 * float(value) for value in (is_right.mean(), np.mean(recalls), sum(gaps)))
    )


def accuracy_gain(
    ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray
) -> tuple[float, float, float]:
    """Difference of two top-1 accuracies on the same images, with its 95 % interval, in percent."""
    differences = (ours.argmax(axis=1) == labels).astype(float)
    differences -= theirs.argmax(axis=1) == labels
    mean, spread = differences.mean(), differences.std(ddof=1) / np.sqrt(len(labels))
    return (
        100 * float(mean),
        100 * float(mean - NORMAL_95 * spread),
        100 * float(mean + NORMAL_95 * spread),
    )
