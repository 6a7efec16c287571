"""ProDA (Lu et al., CVPR 2022): a distribution of prompts, learnt by many contexts.

The authors' code is not public; two public copies (LAMDASZ-ML/BMIPRS at d4a3054,
ml-stat-Sustech/CLIP_Calibration at 91f7020) agree on what is done here. Each step trains a few of
the contexts. Its loss is an upper bound of the expected cross-entropy under a normal distribution
of class embeddings, with the covariance of those few, plus a term that keeps contexts apart from
each other. The test uses the mean of all prompts.
"""

from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.errors import InputError
from ptnl.machine.random_streams import random_stream
from ptnl.methods.prompt import CONTEXT_STD
from ptnl.text import PromptEncoder, context_prompts
from ptnl.text.prompts import learnable, tokenise
from ptnl.training.epochs import Epoch, Plan, Step, shared_batches
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import SweepData, TunedRun, initial_normal, train_sweep

PARTS = {"front": 1, "middle": 1, "end": 2}  # position of the name -> quarters of the contexts


class Encoders:
    """Unit class embeddings of contexts that have the class name at different positions."""

    def __init__(self, sweep: SweepData):
        length, contexts = sweep.settings["context_length"], sweep.settings["prompts"]
        tower, tokenizer = sweep.backbone.tower, sweep.backbone.tokenizer
        self._encoders = [
            PromptEncoder(
                tower,
                [
                    prompt.tokens
                    for prompt in context_prompts(tokenizer, sweep.class_names, length, position)
                ],
            )
            for position in PARTS
        ]
        quarters = [part for part, count in enumerate(PARTS.values()) for _ in range(count)]
        self.position = np.repeat(quarters, contexts // 4)  # (K), of each context
        start, *stop = tokenise(tokenizer, ".")
        self._nameless = PromptEncoder(tower, [[start, *learnable(0, length), *stop]])

    def classes(self, contexts: Tensor, chosen: np.ndarray) -> Tensor:
        """Class embeddings (R, P, C, D) of the contexts (R, P) chosen from all (R, K, M, W)."""
        runs, together = chosen.shape
        flat = contexts[torch.arange(runs)[:, None], torch.from_numpy(chosen)].flatten(0, 1)
        position = self.position[chosen].ravel()
        groups = [np.flatnonzero(position == part) for part in range(len(PARTS))]
        parts = [
            encoder(flat[torch.from_numpy(group)])
            for encoder, group in zip(self._encoders, groups, strict=True)
            if len(group)
        ]
        back = torch.from_numpy(np.argsort(np.concatenate(groups)))
        embeddings = F.normalize(torch.cat(parts)[back.to(flat.device)], dim=-1)
        by_run: Tensor = embeddings.unflatten(0, (runs, together))
        return by_run

    def mean(self, contexts: Tensor) -> Tensor:
        """Mean of the class embeddings (R, C, D) of all contexts, not normalised again."""
        runs, count = contexts.shape[:2]
        of_each = (self.classes(contexts, np.full((runs, 1), c))[:, 0] for c in range(count))
        return reduce(torch.add, of_each) / count

    def likeness(self, contexts: Tensor) -> Tensor:
        """Mean absolute cosine (R) between the contexts' prompts without a class name."""
        runs, count = contexts.shape[:2]
        prompts = self._nameless(contexts.flatten(0, 1))[:, 0]
        unit = F.normalize(prompts, dim=-1).unflatten(0, (runs, count))
        return mean_likeness(unit)


def mean_likeness(unit: Tensor) -> Tensor:
    """Mean absolute cosine (R) between different ones of K unit vectors (R, K, D)."""
    cosine = (unit @ unit.mT).abs()
    count = unit.shape[1]
    others = cosine.sum(dim=(1, 2)) - cosine.diagonal(dim1=1, dim2=2).sum(dim=1)
    return others / (count * (count - 1))


def spread(images: Tensor, classes: Tensor, labels: Tensor) -> Tensor:
    """Variance (R, B, C) of the difference between a class's score and the label's.

    Class embeddings have a normal distribution. In each dimension, its covariance between classes
    is that of P prompts, divided by P + 1 as in the code. Written out, the variance is a sum over
    prompts, so the covariance matrix is never computed.

    Parameters
    ----------
    images : unit features (R, B, D)
    classes : embeddings (R, P, C, D)
    labels : (R, B)
    """
    runs, prompts = classes.shape[:2]
    apart = classes - classes.mean(dim=1, keepdim=True)
    square = images.square()[:, None]  # (R, 1, B, D)
    # Several images have the same label. `gather` would add up their gradients in any order on a
    # GPU; an index adds them in one order.
    run = torch.arange(runs, device=labels.device)[:, None, None]
    prompt = torch.arange(prompts, device=labels.device)[:, None]
    of_label = apart[run, prompt, labels[:, None]]  # (R, P, B, D)
    own = square @ apart.square().mT  # (R, P, B, C)
    of_own_label = own.gather(3, labels[:, None, :, None].expand(-1, prompts, -1, 1))
    between = (square * of_label) @ apart.mT
    return (of_own_label + own - 2 * between).sum(dim=1) / (prompts + 1)


def bounded_logits(images: Tensor, classes: Tensor, labels: Tensor, scale: float) -> Tensor:
    """Logits (R, B, C) whose cross-entropy is an upper bound of the expected one; see `spread`."""
    scores = scale * images @ classes.mean(dim=1).mT
    return scores + scale**2 / 2 * spread(images, classes, labels)


def prompt_order(seed: int, prompts: int, together: int, steps: int) -> np.ndarray:
    """The contexts (steps, together) that a run's steps train, in rounds of all contexts."""
    stream = random_stream("prompts", seed)
    rounds = -(-steps * together // prompts)
    order = np.concatenate([stream.permutation(prompts) for _ in range(rounds)])
    return order[: steps * together].reshape(steps, together)


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train K contexts (K, M, W) per run."""
    settings, scale = sweep.settings, sweep.backbone.logit_scale
    if settings["prompts"] % settings["prompts_together"]:
        raise InputError(
            f"proda: {settings['prompts_together']} prompts_together do not divide "
            f"{settings['prompts']} prompts; choose a divisor"
        )
    encoders = Encoders(sweep)
    shape = (settings["prompts"], settings["context_length"], sweep.backbone.tower.width)
    drawn = [initial_normal("context", shape, CONTEXT_STD, seed) for seed in sweep.seeds]
    contexts = torch.stack(drawn).to(sweep.backbone.device).requires_grad_()

    def class_logits(contexts: Tensor, features: Tensor) -> Tensor:
        return scale * F.normalize(features, dim=-1) @ encoders.mean(contexts).mT

    histories = train_sweep(
        sweep, contexts, class_logits, plan_of=lambda _: _plan(sweep, encoders, contexts)
    )
    with torch.inference_mode():
        logits = class_logits(contexts, sweep.test_features)
    return [
        TunedRun({"contexts": contexts[run].detach()}, history, logits[run])
        for run, history in enumerate(histories)
    ]


def _plan(sweep: SweepData, encoders: Encoders, contexts: Tensor) -> Plan:
    """The batches of prompt tuning, each of which trains a few of the contexts."""
    settings, scale = sweep.settings, sweep.backbone.logit_scale
    batches = shared_batches(sweep.seeds, sweep.labels, settings)
    epochs, steps = batches.shape[:2]
    together = settings["prompts_together"]
    order = np.stack(
        [prompt_order(seed, settings["prompts"], together, epochs * steps) for seed in sweep.seeds],
        axis=1,
    )  # (epochs x steps, R, together)

    def step(images: Tensor, chosen: np.ndarray) -> Step:
        labels = sweep.labels.gather(1, images)

        def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
            unit = F.normalize(features, dim=-1)
            classes = encoders.classes(contexts, chosen)
            bound = cross_entropy(bounded_logits(unit, classes, labels, scale), labels)
            loss = bound.mean(dim=1) + settings["alpha"] * encoders.likeness(contexts)
            return loss, scale * unit @ classes.mean(dim=1).mT

        return Step(images, evaluate)

    def plan(epoch: int) -> Epoch:
        first = epoch * steps
        return Epoch([step(batches[epoch, at], order[first + at]) for at in range(steps)])

    return plan
