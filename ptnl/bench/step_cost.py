"""What a step of prompt tuning costs: ours beside the plain reference, measured in one run.

Class names and images are made up, and so are the weights of backbones that are not shipped: none
of them changes the work. The reference computes in float32, ours in whichever types are asked for.
"""

import ctypes
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np
import open_clip
import pandas as pd
import torch
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ptnl.backbones.loading import LoadedBackbone, load_backbone
from ptnl.backbones.registry import SHIPPED
from ptnl.bench.reference import PlainPrompts, plain_step
from ptnl.machine.linear import has_onednn
from ptnl.machine.linear import product as matrix_product
from ptnl.machine.precision import choose_dtypes
from ptnl.methods.prompt import CONTEXT_STD
from ptnl.schemas import BENCH
from ptnl.text import PromptEncoder, TextTower, context_prompts
from ptnl.text.prompts import Prompt
from ptnl.training.losses import cross_entropy
from ptnl.training.run_files import device_name
from ptnl.training.steps import WARM_UP
from ptnl.training.tuning import cosine_logits

# Model configurations of open_clip that are measured with random weights: the paper's backbones.
UNTRAINED = ("RN50-quickgelu", "ViT-B-32", "ViT-B-32-quickgelu")

# Tokens of the 37 names of OxfordPets: 80 in all, so that suffixes of the name, the full stop and
# the end token make 154.
NAME_LENGTHS = np.random.default_rng(0).permutation([1] * 10 + [2] * 16 + [3] * 7 + [4] * 3 + [5])

PEAK_SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices whose product sets the peak
SHORTEST = 0.2  # seconds; work that takes less is repeated for so long

Work = Callable[[], object]


@dataclass(frozen=True)
class Setting:
    """What is the same in all steps that are compared."""

    context_length: int = 16
    batch_size: int = 32
    # The reference is timed on as many classes at most, and its time scaled to more: its work is in
    # proportion to them, and it has no memory for many.
    reference_classes: int = 101
    repeats: int = 3  # of which the fastest counts


def bench_backbone(name: str, device: torch.device) -> LoadedBackbone:
    """A shipped backbone, or one of `UNTRAINED` with random weights, frozen."""
    if name in SHIPPED:
        return load_backbone(name, device)
    torch.manual_seed(0)
    model = CLIP(**open_clip.get_model_config(name)).eval().requires_grad_(False)
    return LoadedBackbone(name, model.to(device), SimpleTokenizer(), device)


def class_names(tokenizer: SimpleTokenizer, classes: int) -> list[str]:
    """Names as long as those of OxfordPets, of words that are one token each."""
    words: Iterator[str] = cycle(
        word.removesuffix("</w>")
        for word in tokenizer.decoder.values()
        if word.endswith("</w>") and word.removesuffix("</w>").isalpha() and len(word) > 7
    )
    return [" ".join(islice(words, int(n))) for n in islice(cycle(NAME_LENGTHS), classes)]


def measure(
    backbone: LoadedBackbone,
    classes: int,
    runs: Sequence[int],
    setting: Setting,
    precisions: Sequence[str] = ("float32",),
) -> pd.DataFrame:
    """Time steps of some number of classes, fused for every number of `runs`.

    Ours in every precision (see `ptnl.machine.precision.choose_dtypes`) and the reference take
    turns, so that a machine that slows down does so for all. Returns one row per precision and
    number of runs (see `ptnl.schemas.BENCH`).
    """
    device, model = backbone.device, backbone.model
    names = class_names(backbone.tokenizer, classes)
    sample = names[: setting.reference_classes]
    lengths = [len(p.tokens) for p in _prompts(backbone, names, setting)]
    images = torch.randn(setting.batch_size, 3, *[backbone.image_size] * 2, device=device)
    dtypes = {precision: choose_dtypes(device, precision).text for precision in precisions}
    towers = {name: replace(backbone.tower, dtype=dtype) for name, dtype in dtypes.items()}
    ours = {
        f"{precision} {count}": _our_work(backbone, towers[precision], names, count, setting)
        for precision, count in product(precisions, runs)
    }
    plain_text, plain_whole = _plain_work(backbone, sample, images, setting)
    # These first calls are the warm-up, too.
    flops = {case: _flops(text) for case, (text, _) in ours.items()}
    gib = {case: peak_gib(device, whole) for case, (_, whole) in ours.items()}
    plain_gib = peak_gib(device, plain_whole)
    seconds = fastest(
        device,
        setting.repeats,
        {
            **{f"product {name}": _square(device, dtype) for name, dtype in dtypes.items()},
            "images": torch.no_grad()(lambda: model.encode_image(images)),
            "plain text": plain_text,
            "plain whole": plain_whole,
            **{f"text {case}": replayed(device, text) for case, (text, _) in ours.items()},
            **{f"whole {case}": replayed(device, whole) for case, (_, whole) in ours.items()},
        },
    )
    # What the sample lacks is text alone: a step's images are the same for any number of classes.
    more_text = (classes / len(sample) - 1) * seconds["plain text"]
    rows = []
    for precision, count in product(precisions, runs):
        case = f"{precision} {count}"
        text, whole = seconds[f"text {case}"] / count, seconds[f"whole {case}"] / count
        text_reference = seconds["plain text"] + more_text
        whole_reference = seconds["plain whole"] + more_text
        rows.append(
            {
                "backbone": backbone.name,
                "device": device_name(device),
                "threads": torch.get_num_threads(),
                "precision": precision,
                "classes": classes,
                "runs": count,
                "tokens": 1
                + setting.context_length
                + sum(lengths)
                - classes * (1 + setting.context_length),
                "tokens_reference": classes * model.context_length,
                "classes_reference": len(sample),
                "text_seconds": text,
                "text_seconds_reference": text_reference,
                "text_ratio": text_reference / text,
                "step_seconds": whole,
                "step_seconds_reference": whole_reference,
                "step_ratio": whole_reference / whole,
                "image_seconds": seconds["images"],
                "gflops": flops[case] / (count * text) / 1e9,
                "gflops_peak": _square_gflops(device, seconds[f"product {precision}"]),
                "gib": gib[case],
                "gib_reference": plain_gib,
            }
        )
    return pd.DataFrame(rows, columns=list(BENCH))


def fastest(device: torch.device, repeats: int, work: dict[str, Work]) -> dict[str, float]:
    """Seconds of a call of each work: the best of some rounds, in which they take turns."""
    rounds = [{name: _seconds(device, call) for name, call in work.items()} for _ in range(repeats)]
    return {name: min(times[name] for times in rounds) for name in work}


def replayed(device: torch.device, work: Work) -> Work:
    """The work as a study computes it: on a GPU recorded once, then replayed as a CUDA graph."""
    if device.type != "cuda":
        return work
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()

    def replay(memory: Work = work) -> None:
        """The graph reads and writes the work's memory, which must live as long as it does."""
        graph.replay()

    return replay


def product_gflops(device: torch.device) -> float:
    """1e9 floating point operations a second in a product of large square matrices."""
    seconds = fastest(device, 3, {"product": _square(device, torch.float32)})["product"]
    return _square_gflops(device, seconds)


def _square(device: torch.device, dtype: torch.dtype) -> Work:
    """The product of two large square matrices."""
    side = PEAK_SIDE[device.type]
    a, b = torch.randn(2, side, side, device=device).to(dtype)
    return lambda: matrix_product(a, b)


def _square_gflops(device: torch.device, seconds: float) -> float:
    return 2 * PEAK_SIDE[device.type] ** 3 / seconds / 1e9


def peak_gib(device: torch.device, work: Work) -> float:
    """The most memory held during `work`, in GiB: the whole process's, or the GPU's tensors.

    NaN on systems other than Linux, which do not tell.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) / 2**30
    high_water = Path("/proc/self/clear_refs")
    if not high_water.exists():
        work()
        return float("nan")
    ctypes.CDLL(None).malloc_trim(0)  # what earlier work has freed does not count
    high_water.write_text("5")  # resets the mark
    work()
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 2**20


def _prompts(backbone: LoadedBackbone, names: Sequence[str], setting: Setting) -> list[Prompt]:
    return context_prompts(backbone.tokenizer, names, setting.context_length)


def _context(backbone: LoadedBackbone, setting: Setting, *runs: int) -> Tensor:
    """A random context (*runs, M, W) to be trained."""
    width = backbone.tower.width
    context = torch.randn(*runs, setting.context_length, width, device=backbone.device)
    return (CONTEXT_STD * context).requires_grad_()


def _sgd(context: Tensor) -> torch.optim.Optimizer:
    return torch.optim.SGD([context], lr=1e-6, momentum=0.9, weight_decay=5e-4)


def _text_work(encode: Callable[[Tensor], Tensor], context: Tensor) -> Work:
    """Class embeddings, and the gradient of something of theirs."""
    return lambda: torch.autograd.grad(encode(context).square().sum(), context)


def _our_work(
    backbone: LoadedBackbone,
    tower: TextTower,
    names: Sequence[str],
    runs: int,
    setting: Setting,
) -> tuple[Work, Work]:
    """Our text tower, and our step, on cached features, for R runs at once."""
    prompts = [prompt.tokens for prompt in _prompts(backbone, names, setting)]
    encoder = PromptEncoder(tower, prompts)
    context = _context(backbone, setting, runs)
    dimensions = tower.dimensions
    features = torch.randn(runs, setting.batch_size, dimensions, device=backbone.device)
    labels = torch.randint(len(names), features.shape[:2], device=backbone.device)
    optimiser, scale = _sgd(context), backbone.logit_scale

    def step() -> None:
        logits = cosine_logits(features, encoder(context), scale)
        optimiser.zero_grad()
        cross_entropy(logits, labels).mean(dim=1).sum().backward()
        optimiser.step()

    return _text_work(encoder, context), step


def _plain_work(
    backbone: LoadedBackbone, names: Sequence[str], images: Tensor, setting: Setting
) -> tuple[Work, Work]:
    """The reference's text tower, and its step, images and all."""
    prompts = PlainPrompts(backbone.model, backbone.tokenizer, names, setting.context_length)
    context = _context(backbone, setting)
    labels = torch.randint(len(names), images.shape[:1], device=backbone.device)
    optimiser = _sgd(context)
    return (
        _text_work(prompts, context),
        lambda: plain_step(prompts, context, images, labels, optimiser),
    )


def _flops(work: Work) -> int:
    of_linear = {torch.ops.mkldnn._linear_pointwise: _linear_flops} if has_onednn() else {}
    with FlopCounterMode(display=False, custom_mapping=of_linear) as counter:
        work()
    return int(counter.get_total_flops())


def _linear_flops(x: Sequence[int], weight: Sequence[int], *_: object, **__: object) -> int:
    """Floating point operations of a linear layer, by the shapes of its input and weight."""
    return 2 * math.prod(x) * weight[0]


def _seconds(device: torch.device, work: Work) -> float:
    """Seconds of a call: the wall's, or one CPU thread's own, which other programs disturb less."""
    clock = time.perf_counter
    if device.type == "cpu" and torch.get_num_threads() == 1:
        clock = time.process_time

    def timed(calls: int) -> float:
        _synchronise(device)
        started = clock()
        for _ in range(calls):
            work()
        _synchronise(device)
        return clock() - started

    # A GPU computes after a call has returned, so time one whole call to know how many are needed.
    once = timed(1)
    if once >= SHORTEST:
        return once
    calls = math.ceil(SHORTEST / once)
    return timed(calls) / calls


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def as_table(bench: pd.DataFrame) -> str:
    """Measurements as text, a line per row; `~` marks what is scaled from fewer classes."""
    is_scaled = bench.classes_reference < bench.classes
    mark = is_scaled.map({True: "~", False: ""})
    columns = {
        ("", "backbone"): bench.backbone,
        ("", "classes"): bench.classes,
        ("", "runs"): bench.runs,
        ("", "tokens"): bench.tokens,
        ("", "precision"): bench.precision,
    }
    for title, part in {"text tower (s)": "text", "whole step (s)": "step"}.items():
        columns |= {
            (title, "ours"): bench[f"{part}_seconds"].map("{:.3g}".format),
            (title, "reference"): mark + bench[f"{part}_seconds_reference"].map("{:.3g}".format),
            (title, "ratio"): bench[f"{part}_ratio"].map("{:.1f}x".format),
        }
    columns |= {
        ("our text tower", "GFLOP/s"): bench.gflops.map("{:.0f}".format),
        ("our text tower", "of peak"): (bench.gflops / bench.gflops_peak).map("{:.0%}".format),
        ("memory (GiB)", "ours"): bench.gib.map("{:.2f}".format),
        ("memory (GiB)", "reference"): bench.gib_reference.map("{:.2f}".format),
    }
    return pd.DataFrame(columns).to_string(index=False)
