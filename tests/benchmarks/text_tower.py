"""The text tower against the plain reference: one training step's class embeddings and gradients.

    python tests/benchmarks/text_tower.py --tower ViT-B-32 --classes 37 101 1000 --runs 1 4

Both are timed in turn, forward and backward, and the best of the repeats counts. The reference has
no memory for many classes and takes a time in proportion to them: it is timed on as many as
`--reference-classes` and scaled. It trains one run at a time, so R runs take it R times as long.
Weights and class names are random: neither changes the work.
"""

import argparse
import ctypes
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from torch.utils.flop_counter import FlopCounterMode

from ptnl.text import PromptEncoder, context_prompts
from tests.reference import PlainPrompts

TOWERS = {
    "ViT-B-32": {"context_length": 77, "width": 512, "heads": 8, "layers": 12},
    "mini": {"context_length": 48, "width": 128, "heads": 4, "layers": 2},
}
# Tokens of the 37 names of OxfordPets: 80 in all, so that suffixes of the name, the full stop and
# the end token make 154.
NAME_LENGTHS = np.random.default_rng(0).permutation([1] * 10 + [2] * 16 + [3] * 7 + [4] * 3 + [5])


def class_names(tokenizer: SimpleTokenizer, classes: int) -> list[str]:
    """Names as long as those of OxfordPets, of words that are one token each."""
    words: Iterator[str] = cycle(
        word.removesuffix("</w>")
        for word in tokenizer.decoder.values()
        if word.endswith("</w>") and word.removesuffix("</w>").isalpha() and len(word) > 7
    )
    return [" ".join(islice(words, int(n))) for n in islice(cycle(NAME_LENGTHS), classes)]


def tower(name: str, device: torch.device) -> CLIP:
    """A CLIP with the text tower of that name and next to no image encoder."""
    vision = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 32, "image_size": 32}
    torch.manual_seed(0)
    text = {**TOWERS[name], "vocab_size": 49408}
    model = CLIP(embed_dim=text["width"], vision_cfg=vision, text_cfg=text)
    return model.eval().requires_grad_(False).to(device)


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    """Time of `work`: the wall's, or one CPU thread's own, which other programs disturb less."""
    clock = time.perf_counter
    if device.type == "cpu" and torch.get_num_threads() == 1:
        clock = time.process_time
    started = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - started


def matrix_peak(device: torch.device) -> float:
    """GFLOP/s of the product of two 2048-cubes in float32."""
    a, b = torch.randn(2, 2048, 2048, device=device)
    return 2 * 2048**3 / min(seconds(device, lambda: a @ b) for _ in range(5)) / 1e9


def peak_gib(device: torch.device, work: Callable[[], object]) -> float:
    """The most memory that the process (or its share of the GPU) has held during `work`, in GiB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) / 2**30
    ctypes.CDLL(None).malloc_trim(0)  # what earlier work has freed does not count
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    work()
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 2**20


def step(encode: Callable, *shape: int, device: torch.device) -> Callable[[], object]:
    """Forward and backward of contexts of some shape."""
    context = (0.02 * torch.randn(shape, device=device)).requires_grad_()

    def work():
        (gradient,) = torch.autograd.grad(encode(context).square().sum(), context)
        return gradient

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tower", choices=TOWERS, default="ViT-B-32")
    parser.add_argument("--classes", type=int, nargs="+", default=[37])
    parser.add_argument("--runs", type=int, nargs="+", default=[1])
    parser.add_argument("--context-length", type=int, default=16)
    parser.add_argument("--reference-classes", type=int, default=37)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device, tokenizer = torch.device(args.device), SimpleTokenizer()
    model, length = tower(args.tower, device), args.context_length
    width = TOWERS[args.tower]["width"]
    print(f"{args.tower} on {device}, {args.threads} threads, seconds a step")
    columns = "classes", "runs", "tokens", "ours", "reference", "ratio", "GFLOP/s", "of peak", "GiB"
    print(" ".join(f"{column:>9}" for column in columns))
    for classes in args.classes:
        names = class_names(tokenizer, classes)
        prompts = [prompt.tokens for prompt in context_prompts(tokenizer, names, length)]
        tokens = 1 + length + sum(len(prompt) - 1 - length for prompt in prompts)
        encoder = PromptEncoder(model, prompts)
        sample = names[: args.reference_classes]
        reference = PlainPrompts(model, tokenizer, sample, length)
        plain = step(reference, length, width, device=device)
        for runs in args.runs:
            ours = step(encoder, runs, length, width, device=device)
            memory = peak_gib(device, ours)
            with FlopCounterMode(display=False) as counter:
                ours()
            times = [
                (seconds(device, ours), seconds(device, plain), matrix_peak(device))
                for _ in range(args.repeats)
            ]
            fast, slow = (min(column) for column in list(zip(*times, strict=True))[:2])
            slow *= runs * classes / len(sample)
            flops, peak = counter.get_total_flops() / fast / 1e9, max(t[2] for t in times)
            print(
                f"{classes:9d} {runs:9d} {tokens:9d} {fast:9.4f} {slow:9.3f} {slow / fast:9.1f} "
                f"{flops:9.0f} {flops / peak:9.0%} {memory:9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
