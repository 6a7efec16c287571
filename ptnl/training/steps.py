"""A step of SGD: what it measures, and how a GPU repeats it without waiting for the host."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ptnl.training.epochs import Step

COUNTS = 8  # numbers that a step adds to an epoch's tally (see `evaluated`)
WARM_UP = 3  # steps before a graph is recorded, in which libraries choose their algorithms


def evaluated(
    step: Step, features: Tensor, leaves: Sequence[Tensor], labels: Tensor, labels_clean: Tensor
) -> tuple[list[Tensor], Tensor]:
    """Gradients of a step, one for each leaf, and what it adds to the epoch's tally (8, R).

    The tally has loss, share of right predictions, hits and number of rightly labelled images, hits
    and number of wrongly labelled ones, gradient norm, number of steps.

    Parameters
    ----------
    features : (R, N, D)
    leaves : the learnable parameters, (R, ...) each
    labels, labels_clean : (R, N)
    """
    rows, batch = torch.arange(len(labels), device=labels.device)[:, None], step.images
    loss, logits = step.evaluate(features[rows, batch])
    gradients = list(torch.autograd.grad(loss.sum(), leaves))
    norms = [torch.linalg.vector_norm(g, dim=tuple(range(1, g.ndim))) for g in gradients]
    norm = torch.stack(norms).norm(dim=0)
    seen, true = labels[rows, batch], labels_clean[rows, batch]
    guess = logits.detach().argmax(dim=-1)
    clean, noisy, right = seen == true, seen != true, (guess == true).float()
    accuracy = right.mean(dim=1)
    if step.counted is not None:
        clean, noisy = clean & step.counted, noisy & step.counted
        accuracy = (right * step.counted).sum(dim=1) / step.counted.sum(dim=1)
    counts = torch.stack(
        [
            loss.detach(),
            accuracy,
            ((guess == seen) & clean).sum(dim=1),
            clean.sum(dim=1),
            ((guess == seen) & noisy).sum(dim=1),
            noisy.sum(dim=1),
            norm,
            torch.ones_like(norm),
        ]
    )
    return gradients, counts


class ReplayedSteps:
    """Steps of SGD that differ only in images and learning rate, recorded once as a CUDA graph.

    A step of a small model consists of hundreds of short kernels. The host needs longer to launch
    them than a GPU to compute them, and a graph is launched as a whole (workflow/docs/gpu.md has
    times). It reads and writes the same memory each time, so images, features and rate are copied
    to where it expects them.
    """

    def __init__(
        self,
        step_of: Callable[[Tensor], Step],
        leaves: Sequence[Tensor],
        labels: Tensor,
        labels_clean: Tensor,
        momentum: float,
        weight_decay: float,
    ):
        """`step_of` makes a step on images (R, B), which it reads when the step is evaluated."""
        self._step_of = step_of
        self._leaves = leaves
        self._labels, self._labels_clean = labels, labels_clean
        self._momentum, self._weight_decay = momentum, weight_decay
        self._buffers = [torch.zeros_like(leaf) for leaf in leaves]
        self._rate = torch.zeros((), device=labels.device)
        self._tally = torch.zeros(COUNTS, len(labels), device=labels.device, dtype=torch.float64)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0

    def epoch(self, steps: Sequence[Step], features: Tensor, rate: float) -> Tensor:
        """Take the steps of an epoch on features (R, N, D); returns its tally (8, R)."""
        if self._taken == 0:
            self._features, self._images = features.clone(), steps[0].images.clone()
            self._step = self._step_of(self._images)
        self._features.copy_(features)
        self._rate.fill_(rate)
        self._tally.zero_()
        for step in steps:
            self._images.copy_(step.images)
            if self._taken < WARM_UP:
                self._on_a_side_stream()
            else:
                self._graph = self._graph or self._recorded()
                self._graph.replay()
            self._taken += 1
        return self._tally.clone()

    def _on_a_side_stream(self) -> None:
        """Take a step without a graph. Warm-up before recording must be on a side stream."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._take()
        torch.cuda.current_stream().wait_stream(stream)

    def _recorded(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._take()
        return graph

    def _take(self) -> None:
        gradients, counts = evaluated(
            self._step, self._features, self._leaves, self._labels, self._labels_clean
        )
        with torch.no_grad():
            for leaf, gradient, buffer in zip(self._leaves, gradients, self._buffers, strict=True):
                buffer.mul_(self._momentum).add_(gradient).add_(leaf, alpha=self._weight_decay)
                leaf.sub_(self._rate * buffer)
            self._tally.add_(counts)
