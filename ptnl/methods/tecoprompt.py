"""TecoPrompt (ECCV 2026): NLPrompt's transport, made stable over epochs, and labels rewritten.

Its code (haji-mimi/TecoPrompt at 5adeff4) is followed. The confidence of the transport in the class
of an image is averaged over epochs. By that average, and by whether the transport confirms the
label, images are clean, in between or noisy. If the transport gave the same class with high
confidence for many epochs, the label is rewritten for good. The code trains clean images and those
in between with the cross-entropy, in separate batches (the paper names the GCE for the latter), and
the others with MAE.
"""

import torch
from torch import Tensor

from ptnl.methods.nlprompt import PartSteps, transport
from ptnl.methods.prompt import train_context
from ptnl.training.epochs import Epoch, Plan, Score
from ptnl.training.tuning import SweepData, TunedRun

# Constants of its code.
DECAY = 0.8  # of the average over epochs
SURE, UNSURE = 0.8, 0.2  # averages from which an image is clean, or in between
REWRITE = 0.99  # confidence that counts towards rewriting a label
STREAK = 8  # epochs in a row of the same class


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one context (M, W) per run."""
    return train_context(sweep, lambda score: plan_of(sweep, score))


def plan_of(sweep: SweepData, score: Score) -> Plan:
    """Split the images, and rewrite labels, in every epoch."""
    steps_of = PartSteps(sweep, score)
    memory = Memory(sweep.labels)

    def plan(epoch: int) -> Epoch:
        memory.see(transport(sweep, score, epoch))
        clean, between = memory.parts(sweep.settings["batch_size"])
        steps = steps_of(epoch, [clean, between], memory.labels)
        return Epoch(steps, clean | between, memory.labels)

    return plan


class Memory:
    """What TecoPrompt remembers of the images of R runs: labels, confidence, classes."""

    def __init__(self, labels: Tensor):
        self.labels = labels.clone()  # (R, N), some of them rewritten
        self.confidence: Tensor | None = None  # (R, N), average over epochs
        self._classes = labels  # (R, N), those that the transport gave last
        self._streak = torch.zeros_like(labels)  # for how many epochs it has surely given them

    def see(self, coupling: Tensor) -> None:
        """Update the memory by an epoch's coupling (R, N, C)."""
        largest, classes = coupling.max(dim=-1)
        confidence = (largest * coupling.shape[1]).clamp(max=1)
        if self.confidence is None:
            self.confidence = confidence
        else:
            self.confidence = DECAY * self.confidence + (1 - DECAY) * confidence
        again = torch.where(classes == self._classes, self._streak + 1, 1)
        self._streak = torch.where(confidence >= REWRITE, again, 0)
        self._classes = classes
        self.labels = torch.where(self._streak >= STREAK, classes, self.labels)

    def parts(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """The clean images and those in between, (R, N) each.

        If those in between are fewer than a batch, they count as clean.
        """
        assert self.confidence is not None  # `see` was called before
        agrees = self._classes == self.labels
        clean = agrees & (self.confidence >= SURE)
        between = agrees & (self.confidence >= UNSURE) & ~clean
        few = between.sum(dim=1, keepdim=True) < batch_size
        return clean | (between & few), between & ~few
