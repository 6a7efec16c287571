"""LP++ (Huang et al., CVPR 2024): a linear probe, blended with text embeddings class by class.

Its code (FereshteShakeri/FewShot-CLIP-Strong-Baseline at f81054f) is followed: batches hold all
images, and step sizes and starts follow from the data, so there is nothing to choose. There are
three differences. The last iteration is reported, not the one that is best on validation labels.
Biases start at zero, not at random. And a blending step uses the gradient of its own iteration, as
in the paper, not the sum of all before it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.methods.zero_shot import class_embeddings
from ptnl.training.fitted import fitted_histories
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import SweepData, TunedRun

# Constants of its code.
MOMENTUM = 0.9
BLEND_EVERY = 10  # iterations
BLEND_START = 250  # times the mean cosine of images with the text of their label


def tune(sweep: SweepData) -> list[TunedRun]:
    """Fit one probe (C, D) with biases (C) and blending weights (C) per run."""
    features = F.normalize(sweep.features, dim=-1)  # (R, N, D)
    names = class_embeddings(sweep.backbone, sweep.class_names, sweep.template)
    text = F.normalize(names, dim=-1)  # (C, D)
    cosine = features @ text.T  # (R, N, C)
    member = F.one_hot(sweep.labels, len(text)).to(features.dtype)  # (R, N, C)
    counts = member.sum(dim=1)
    samples = features.shape[1]

    weights = member.mT @ features  # (R, C, D), sums over a class's images
    bias = torch.zeros_like(counts)
    own = (member * cosine).sum(dim=1) / counts.clamp(min=1)
    blend = (BLEND_START * own.mean(dim=1, keepdim=True)).expand(-1, len(text)).clone()
    curvature = torch.linalg.eigvalsh(features.mT @ features)[:, -1]
    rate = (4 * samples / curvature)[:, None]  # (R, 1)
    blend_rate = samples / (4 * cosine.square().sum(dim=1).amax(dim=1, keepdim=True))
    leaves = [weights.requires_grad_(), bias.requires_grad_(), blend.requires_grad_()]
    momentum = [torch.zeros_like(weights), torch.zeros_like(bias)]

    def logits_of(images: Tensor, cosines: Tensor) -> Tensor:
        return images @ weights.mT + bias[:, None] + blend[:, None] * cosines

    for iteration in range(sweep.settings["iterations"]):
        logits = logits_of(features, cosine)
        loss = cross_entropy(logits, sweep.labels).mean(dim=1)
        *gradients, of_blend = torch.autograd.grad(loss.sum(), leaves)
        with torch.no_grad():
            for leaf, buffer, gradient in zip(leaves, momentum, gradients, strict=False):
                buffer.mul_(MOMENTUM).add_(gradient)
                leaf -= rate[..., None] * buffer if leaf.ndim == 3 else rate * buffer
            if (iteration + 1) % BLEND_EVERY == 0:
                blend -= blend_rate * of_blend
    norm = torch.stack([g.flatten(1).norm(dim=1) for g in (*gradients, of_blend)]).norm(dim=0)
    with torch.no_grad():
        logits = logits_of(features, cosine)
        loss = cross_entropy(logits, sweep.labels).mean(dim=1)
        test = F.normalize(sweep.test_features, dim=-1)
        test_logits = logits_of(test, test @ text.T)
    histories = fitted_histories(
        logits,
        sweep.labels,
        sweep.labels_clean,
        loss,
        iterations=sweep.settings["iterations"],
        gradient_norm=norm,
    )
    weights, bias, blend = (leaf.detach() for leaf in leaves)
    return [
        TunedRun(
            {"weight": weights[run], "bias": bias[run], "blend": blend[run]},
            history,
            test_logits[run],
        )
        for run, history in enumerate(histories)
    ]
