"""The epochs of a training in which gradients are measured (paper, section 4.4).

It does not import torch, because planning a study uses it.
"""

import numpy as np

MEASURED_EPOCHS = 12  # of a training, at most


def measured_epochs(epochs: int, warmup_epochs: int) -> list[int]:
    """The epochs, counted from 0, at whose start gradients are measured.

    They are spread evenly over the epochs after warm-up, first and last included. During warm-up
    the parameters hardly change, so all its epochs would give the same measurement.
    """
    count = min(MEASURED_EPOCHS, epochs - warmup_epochs)
    if count <= 0:
        return []
    return [int(epoch) for epoch in np.linspace(warmup_epochs, epochs - 1, count).round()]
