"""Time a training step as CoOp's and NLPrompt's trainers write it, and ours, in one call.

    python -m tests.measurements.peers --threads 1

Both trainers are rewritten here plainly after their code (KaiyangZhou/CoOp at 1e5ec09,
qunovo/NLPrompt at 6266a82), on open_clip's modules, with the same weights and images as ours.
Losses and gradients must agree before anything is timed. All computing is in float32.

CoOp's step encodes its images, and the prompts of all classes with 77 tokens each. NLPrompt's step
does the same. In addition its optimal transport looks at all images once an epoch: for each batch
it encodes the images twice and all prompts anew. Loading and cropping images is not timed.
"""

import argparse
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.backbones.loading import LoadedBackbone
from ptnl.bench.reference import PlainPrompts
from ptnl.bench.step_cost import bench_backbone, class_names, fastest
from ptnl.data import datasets_of
from ptnl.features.encode import ImageEncoder
from ptnl.machine.memory import keep_freed_memory
from ptnl.methods import METHODS
from ptnl.methods.nlprompt import transport
from ptnl.methods.prompt import CONTEXT_STD, sweep_prompts
from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.grid import sweeps
from ptnl.study.jobs import study_jobs
from ptnl.study.operation_counts import MODELS, work_of
from ptnl.text import PromptEncoder
from ptnl.training.losses import cross_entropy, mean_absolute_error
from ptnl.training.optim import train_sgd
from ptnl.training.tuning import SweepData, cosine_logits

# Backbone -> the overlays of the study whose prompt tuning is counted.
STUDIES = {"mini-rn": (), "ViT-B-32": ("workflow/studies/paper.yaml",)}
CLASSES = (37, 101)  # time is taken to be linear in the classes between and beyond these
RUNS = (1, 4, 16)
CONTEXT, BATCH, STEPS = 16, 32, 2  # STEPS: steps in one call of ours
SGD = {"lr": 0.002, "momentum": 0.9, "weight_decay": 5e-4}
LARGEST_DIFFERENCE = 1e-4  # relative, of losses and gradients

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (B, C), labels (B) -> the mean


class Peer:
    """The model of both trainers: images and the prompts of all classes give logits."""

    def __init__(self, backbone: LoadedBackbone, names: Sequence[str], context: Tensor):
        self.model = backbone.model
        self.prompts = PlainPrompts(backbone.model, backbone.tokenizer, names, len(context))
        self.context = context.clone().requires_grad_()
        self.optimiser = torch.optim.SGD([self.context], **SGD)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (B, C) of normalised images (B, 3, S, S)."""
        features = self.model.encode_image(images)
        classes = self.prompts(self.context)
        features = features / features.norm(dim=-1, keepdim=True)
        classes = classes / classes.norm(dim=-1, keepdim=True)
        return self.model.logit_scale.exp() * features @ classes.t()

    def step(self, images: Tensor, labels: Tensor, loss_of: Loss) -> float:
        """One step of SGD; its loss. Both trainers read loss and accuracy at every step."""
        logits = self(images)
        loss = loss_of(logits, labels)
        self.optimiser.zero_grad()
        if not torch.isfinite(loss):
            raise FloatingPointError("the peer's loss is no longer finite")
        loss.backward()
        self.optimiser.step()
        (logits.argmax(dim=-1) == labels).float().mean().item()
        return loss.item()

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What NLPrompt's transport computes for a batch: features and probabilities."""
        return self.model.encode_image(images), self(images).softmax(dim=-1)


def peers_mae(logits: Tensor, labels: Tensor) -> Tensor:
    """NLPrompt's loss on wrong labels: GCE with q = 1."""
    p = logits.softmax(dim=1)[torch.arange(len(labels)), labels]
    return (1 - (p + 1e-6)).mean()


def toy_sweep(backbone: LoadedBackbone, names: list[str], runs: int, samples: int) -> SweepData:
    """R runs on random features and labels."""
    features = torch.randn(runs, samples, backbone.tower.dimensions, device=backbone.device)
    labels = torch.randint(len(names), (runs, samples), device=backbone.device)
    return SweepData(
        method=METHODS["nlprompt"],
        settings={
            "context_length": CONTEXT,
            "epochs": STEPS,
            "batch_size": samples,
            "learning_rate": SGD["lr"],
            "momentum": SGD["momentum"],
            "weight_decay": SGD["weight_decay"],
            "warmup_epochs": 1,
            "warmup_learning_rate": 1e-5,
            "ot_cost": "log",
            "ot_regularisation": 0.001,
        },
        backbone=backbone,
        class_names=names,
        template="a photo of a {}.",
        seeds=list(range(runs)),
        features=features,
        labels=labels,
        labels_clean=labels,
        test_features=features[0, :1],
    )


class Ours:
    """Prompt tuning as a study does it: R runs at once, on features."""

    def __init__(self, backbone: LoadedBackbone, names: list[str], runs: int, shots: int = 16):
        self.sweep = toy_sweep(backbone, names, runs, BATCH)
        self.all_images = toy_sweep(backbone, names, runs, shots * len(names))
        prompts = [prompt.tokens for prompt in sweep_prompts(self.sweep)]
        self.encoder = PromptEncoder(backbone.tower, prompts)
        context = torch.randn(runs, CONTEXT, backbone.tower.width, device=backbone.device)
        self.context = (CONTEXT_STD * context).requires_grad_()
        self.scale = backbone.logit_scale

    def logits(self, context: Tensor, features: Tensor) -> Tensor:
        return cosine_logits(features, self.encoder(context), self.scale)

    def steps(self) -> None:
        """Train R runs for STEPS steps, and record what a study records."""
        sweep = self.sweep
        train_sgd(
            self.context,
            self.logits,
            sweep.features_at,
            sweep.labels,
            sweep.labels_clean,
            sweep.seeds,
            cross_entropy,
            sweep.settings,
        )

    @torch.no_grad()
    def look(self) -> None:
        """NLPrompt's transport of all images of an epoch, R runs."""
        transport(self.all_images, lambda features: self.logits(self.context, features), 0)


@torch.no_grad()
def some_images(backbone: LoadedBackbone) -> Tensor:
    return torch.randn(BATCH, 3, *[backbone.image_size] * 2, device=backbone.device)


def differences(backbone: LoadedBackbone, names: list[str]) -> dict[str, float]:
    """Loss -> largest relative difference between the peers' loss and gradient and ours."""
    images = some_images(backbone)
    ours = Ours(backbone, names, 1)
    peer = Peer(backbone, names, ours.context[0].detach())
    labels = torch.randint(len(names), (BATCH,), device=backbone.device)
    with torch.no_grad():
        features = backbone.model.encode_image(images)[None]
    found = {}
    for name, theirs, own in (
        ("cross-entropy", F.cross_entropy, cross_entropy),
        ("mean absolute error", peers_mae, mean_absolute_error),
    ):
        loss = own(ours.logits(ours.context, features), labels[None]).mean()
        (gradient,) = torch.autograd.grad(loss, ours.context)
        their_loss = theirs(peer(images), labels)
        (their_gradient,) = torch.autograd.grad(their_loss, peer.context)
        of_loss = (loss - their_loss).abs() / their_loss.abs()
        of_gradient = (gradient[0] - their_gradient).abs().max() / their_gradient.abs().max()
        found[name] = max(of_loss.item(), of_gradient.item())
    return found


@dataclass(frozen=True)
class Line:
    """Seconds as a linear function of the number of classes, measured at two numbers."""

    classes: tuple[int, int]
    seconds: tuple[float, float]

    def at(self, classes: int) -> float:
        (low, high), (first, last) = self.classes, self.seconds
        return first + (classes - low) * (last - first) / (high - low)


@dataclass(frozen=True)
class Rates:
    """Measured seconds for a step, for a look of the transport, and for encoding an image."""

    coop: Line  # for a step
    nlprompt: Line  # for a step, with its share of the transport
    ours: Mapping[int, Line]  # number of fused runs -> for a step of one run
    ours_look: Mapping[int, Line]  # number of fused runs -> transport, per step of one run
    image: float  # for an image in our encoder, in batches

    def of_sweep(self, runs: int, classes: int, with_look: bool) -> float:
        """Seconds for a step of one run, in a sweep of `runs` runs."""
        fused = max(count for count in self.ours if count <= runs)
        look = self.ours_look[fused].at(classes) if with_look else 0.0
        return self.ours[fused].at(classes) + look


def measure(
    backbone: LoadedBackbone, classes: Sequence[int], runs: Sequence[int], repeats: int
) -> Rates:
    """Time the peers and ours in turns."""
    images, work = some_images(backbone), {}
    for count in classes:
        names = class_names(backbone.tokenizer, count)
        context = CONTEXT_STD * torch.randn(CONTEXT, backbone.tower.width)
        peer = Peer(backbone, names, context.to(backbone.device))
        labels = torch.randint(count, (BATCH,), device=backbone.device)
        work["step", count] = lambda p=peer, y=labels: p.step(images, y, F.cross_entropy)
        work["look", count] = lambda p=peer: p.look(images)
        for fused in runs:
            ours = Ours(backbone, names, fused)
            work["ours", fused, count] = ours.steps
            work["our look", fused, count] = ours.look
    encoder = ImageEncoder(backbone)
    side = backbone.image_size
    pixels = torch.randint(0, 256, (encoder.batch, 3, side, side), dtype=torch.uint8)
    work["image"] = lambda: encoder(pixels)
    seconds = fastest(backbone.device, repeats, work)

    def line(*kind: object, share: Callable[[int], float] = lambda count: 1.0) -> Line:
        times = [share(count) * seconds[*kind, count] for count in classes]
        return Line((classes[0], classes[-1]), (times[0], times[-1]))

    # NLPrompt looks at as many batches in an epoch as it takes steps.
    step, look = line("step"), line("look")
    both = Line(step.classes, tuple(sum(p) for p in zip(step.seconds, look.seconds, strict=True)))
    return Rates(
        coop=step,
        nlprompt=both,
        ours={fused: line("ours", fused, share=lambda c, f=fused: 1 / STEPS / f) for fused in runs},
        ours_look={
            fused: line("our look", fused, share=lambda c, f=fused: 1 / (16 * c // BATCH) / f)
            for fused in runs
        },
        image=seconds["image"] / len(pixels),
    )


def prompt_tuning(config: Mapping[str, Any]) -> pd.DataFrame:
    """The sweeps of a study that tune a shared context: classes, runs, and steps for each run."""
    rows = []
    for sweep in sweeps(config):
        settings = config["methods"][sweep.method]
        if METHODS[sweep.method].module != "prompt" or settings["context_length"] == 0:
            continue
        classes = datasets_of(config)[sweep.dataset].classes
        steps = settings["epochs"] * (config["shots"] * classes // settings["batch_size"])
        rows.append((sweep.dataset, classes, len(sweep.runs), steps))
    return pd.DataFrame(rows, columns=["dataset", "classes", "runs", "steps"])


def encoded_images(config: Mapping[str, Any]) -> int:
    """How many images and views our study encodes beforehand; the peers do so in every step."""
    found = 0.0
    for job in study_jobs(config):
        if job.rule in ("encode_images", "encode_views"):
            found += work_of(config, job).gflops / MODELS[job.backbone].image_gflops
    return round(found)


def hours(sweeps: pd.DataFrame, images: int, rates: Rates) -> dict[str, float]:
    """Hours that the prompt tuning of a study takes with each trainer."""

    def of(step: Callable[[int, int], float], encoded: int) -> float:
        rows = zip(sweeps.runs, sweeps.classes, sweeps.steps, strict=True)
        training = sum(runs * steps * step(runs, classes) for runs, classes, steps in rows)
        return (training + encoded * rates.image) / 3600

    return {
        "CoOp": of(lambda runs, classes: rates.coop.at(classes), 0),
        "ours, CoOp": of(lambda runs, classes: rates.of_sweep(runs, classes, False), images),
        "NLPrompt": of(lambda runs, classes: rates.nlprompt.at(classes), 0),
        "ours, NLPrompt": of(lambda runs, classes: rates.of_sweep(runs, classes, True), images),
    }


def step_table(name: str, rates: Rates) -> pd.DataFrame:
    """Milliseconds for a step of one run; a row for each number of classes and of fused runs."""
    rows = []
    for at, classes in enumerate(rates.coop.classes):
        for fused, ours in rates.ours.items():
            own = ours.seconds[at]
            with_look = own + rates.ours_look[fused].seconds[at]
            coop, nlprompt = rates.coop.seconds[at], rates.nlprompt.seconds[at]
            rows.append(
                {
                    "model": name,
                    "classes": classes,
                    "fused runs": fused,
                    "CoOp (ms)": 1e3 * coop,
                    "ours (ms)": 1e3 * own,
                    "ratio": coop / own,
                    "NLPrompt (ms)": 1e3 * nlprompt,
                    "ours, NLPrompt (ms)": 1e3 * with_look,
                    "ratio, NLPrompt": nlprompt / with_look,
                }
            )
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame) -> str:
    """A Markdown table with three digits, or whole numbers from 100."""

    def shown(cell: object) -> str:
        if isinstance(cell, str):
            return cell
        return f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}"

    sides = ["left", *["right"] * (len(table.columns) - 1)]
    return table.map(shown).to_markdown(index=False, colalign=sides, disable_numparse=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbones", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--classes", nargs=2, type=int, default=CLASSES)
    parser.add_argument("--runs", nargs="+", type=int, default=RUNS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--repeats",
        type=int,
        default=3,
        help="rounds, of which the fastest counts; the first also warms up",
    )
    args = parser.parse_args(argv)
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    print(f"{processor()}, {args.threads} thread(s), torch {torch.__version__}, {date.today()}\n")
    steps, studies = [], []
    for name in args.backbones:
        backbone = bench_backbone(name, torch.device("cpu"))
        for loss, off in differences(
            backbone, class_names(backbone.tokenizer, args.classes[0])
        ).items():
            print(f"{name}, {loss}: loss and gradient differ by {off:.0e} at most", flush=True)
            if off > LARGEST_DIFFERENCE:
                sys.exit("the peers compute something else; nothing was timed")
        rates = measure(backbone, args.classes, args.runs, args.repeats)
        steps.append(step_table(name, rates))
        overlays = [REPOSITORY / path for path in STUDIES[name]]
        config = read_study(REPOSITORY, overlays, {})
        tuned = prompt_tuning(config)
        taken = hours(tuned, encoded_images(config), rates)
        studies.append({"model": name, "study": config["study"], "runs": tuned.runs.sum()} | taken)
    print(f"\n{as_markdown(pd.concat(steps))}\n\nHours of the prompt tuning of a study\n")
    print(as_markdown(pd.DataFrame(studies)))


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
