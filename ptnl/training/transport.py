"""Entropic optimal transport between the images of a run and the classes, for R runs at once."""

import math

import torch
from torch import Tensor

CHECK_EVERY = 10  # iterations between two looks at the error, as in POT's `ot.sinkhorn`
# Largest logarithm of a scaling between two looks. Up to it, entries of the scaled kernel that
# underflow in float64 (below exp(-745)) are too small to matter.
LARGEST_LOG = 300.0


def sinkhorn(
    cost: Tensor, regularisation: float, max_iterations: int = 1000, tolerance: float = 1e-6
) -> Tensor:
    """The coupling (R, N, C) of N images and C classes, both with uniform weights, in float64.

    If the regularisation is a thousandth of the cost, exp(-cost / regularisation) itself underflows
    in float64, and the whole coupling would be zero. So the potentials are kept as logarithms. The
    kernel is computed with the potentials included, and between two looks at the error, it is
    scaled only by their changes (Peyré & Cuturi 2019, section 4.4). If even these are too large,
    the iterations are done on logarithms. A run stops when its marginal over classes is within
    `tolerance` (Euclidean norm), so its coupling is the same beside other runs.

    Parameters
    ----------
    cost : (R, N, C)
    regularisation : weight of the entropy, in the unit of the cost
    max_iterations : rounded up to a multiple of `CHECK_EVERY`
    """
    kernel = -cost.double() / regularisation
    runs, _, classes = kernel.shape
    coupling = torch.empty_like(kernel)
    left = torch.arange(runs, device=kernel.device)
    by_image = -kernel.amax(dim=2, keepdim=True)  # (R, N, 1), logarithms
    by_class = kernel.new_zeros(runs, 1, classes)
    for done in range(0, max_iterations, CHECK_EVERY):
        scaled = (kernel + by_image + by_class).exp()
        more_image, more_class = _scale(scaled)
        largest = torch.maximum(
            more_image.abs().amax(dim=(1, 2)), more_class.abs().amax(dim=(1, 2))
        )
        lost = ~(largest < LARGEST_LOG)  # if a sum was zero, they are not finite
        by_image, by_class = by_image + more_image, by_class + more_class
        if lost.any():
            by_image[lost], by_class[lost] = _scale_logarithms(
                kernel[lost], (by_image - more_image)[lost]
            )
        found = (kernel + by_image + by_class).exp()
        error = (found.sum(dim=1) - 1 / classes).norm(dim=1)
        ended = (error < tolerance) | (done + CHECK_EVERY >= max_iterations)
        coupling[left[ended]] = found[ended]
        left, kernel = left[~ended], kernel[~ended]
        by_image, by_class = by_image[~ended], by_class[~ended]
        if not len(left):
            break
    return coupling


def _scale(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Iterate on a kernel (R, N, C); returns logarithms of the scalings of images and classes."""
    _, images, classes = kernel.shape
    of_image = kernel.new_ones(len(kernel), images, 1)
    for _ in range(CHECK_EVERY):
        of_class = 1 / (classes * (kernel.mT @ of_image))
        of_image = 1 / (images * (kernel @ of_class))
    return of_image.log(), of_class.log().mT


def _scale_logarithms(kernel: Tensor, by_image: Tensor) -> tuple[Tensor, Tensor]:
    """The same iterations on the logarithm of a kernel, starting at the images' potentials."""
    _, images, classes = kernel.shape
    for _ in range(CHECK_EVERY):
        by_class = -math.log(classes) - torch.logsumexp(kernel + by_image, dim=1, keepdim=True)
        by_image = -math.log(images) - torch.logsumexp(kernel + by_class, dim=2, keepdim=True)
    return by_image, by_class
