"""Half precision gives the same as float32, up to its rounding error.

Towers in bfloat16 are computed here on any CPU; one that does not multiply it in hardware is slow.
"""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from open_clip import CLIP
from torch.utils._python_dispatch import TorchDispatchMode

from ptnl.backbones.loading import LoadedBackbone, tower_of
from ptnl.errors import InputError
from ptnl.machine.precision import (
    ALL_FLOAT32,
    Dtypes,
    choose_dtypes,
    dtypes_for,
    multiplies_bfloat16,
)
from ptnl.methods import prompt, text_finetune
from ptnl.text import PromptEncoder, clip_tokenizer, context_prompts
from ptnl.training.gradients import gradient_norms
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import cosine_logits
from tests.backbones import configuration, random_model
from tests.unit.test_methods import toy

CPU = torch.device("cpu")
NAMES = ["dog", "cat", "yorkshire terrier", "golden retriever", "bus", "tabby cat"]
# One rounding to bfloat16 has a relative error of at most 2^-9; over a few layers, about 1 %.
NEARLY = 0.03


@pytest.mark.parametrize(
    ("device", "capability", "expected"),
    [
        ("cpu", None, ALL_FLOAT32),
        ("mps", None, ALL_FLOAT32),
        ("cuda", (7, 5), Dtypes(torch.float16, torch.float32)),
        ("cuda", (8, 0), Dtypes(torch.float16, torch.bfloat16)),
        ("cuda", (9, 0), Dtypes(torch.float16, torch.bfloat16)),
    ],
)
def test_the_device_decides_the_types(device, capability, expected):
    assert dtypes_for(device, capability) == expected


def test_a_config_may_ask_for_float32(monkeypatch):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (9, 0))
    gpu = torch.device("cuda")
    assert choose_dtypes(gpu, "float32") == choose_dtypes(CPU, "auto") == ALL_FLOAT32
    assert choose_dtypes(gpu, "auto") == Dtypes(torch.float16, torch.bfloat16)


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16"])
def test_a_config_may_ask_for_bfloat16_on_a_cpu(monkeypatch, instructions):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {instructions: True}, raising=False)
    assert choose_dtypes(CPU, "bfloat16") == Dtypes(torch.float32, torch.bfloat16)
    assert choose_dtypes(CPU, "auto") == ALL_FLOAT32
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (8, 0))
    gpu = torch.device("cuda")
    assert choose_dtypes(gpu, "bfloat16") == choose_dtypes(gpu, "auto")


@pytest.mark.parametrize(
    ("device", "needed"),
    [
        ("cpu", "a processor with AVX512_BF16 or AMX"),
        ("cuda", "a GPU of compute capability 8.0 or more"),
        ("mps", "a CPU or an NVIDIA GPU"),
    ],
)
def test_bfloat16_is_refused_where_nothing_multiplies_it(monkeypatch, device, needed):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_f": True}, raising=False)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    with pytest.raises(InputError, match=f"precision bfloat16 needs {needed}; say auto"):
        choose_dtypes(torch.device(device), "bfloat16")


def test_torch_that_does_not_know_the_processor_takes_it_for_one_without_bfloat16(monkeypatch):
    monkeypatch.delattr("torch.cpu.get_capabilities", raising=False)
    assert not multiplies_bfloat16()


@pytest.fixture(scope="module")
def model() -> CLIP:
    return random_model({**configuration("ViT-B-32", small=True), "quick_gelu": True})


class TypesOfOperations(TorchDispatchMode):
    """Which types of numbers torch's operations get, by their names."""

    def __init__(self):
        super().__init__()
        self.used: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [x for x in args if isinstance(x, torch.Tensor) and x.is_floating_point()]
        name = function.overloadpacket.__name__
        self.used.setdefault(name, set()).update(x.dtype for x in tensors)
        return function(*args, **(kwargs or {}))


def difference(ours: torch.Tensor, exact: torch.Tensor) -> float:
    return float((ours - exact).norm() / exact.norm())


def embeddings_and_gradient(tower, device=CPU) -> tuple[torch.Tensor, torch.Tensor]:
    """Class embeddings of two runs, and the gradient of a loss like that of prompt tuning."""
    tokens = [p.tokens for p in context_prompts(clip_tokenizer(), NAMES, 16)]
    stream = torch.Generator().manual_seed(0)
    context = 0.02 * torch.randn(2, 16, tower.width, generator=stream)
    images = F.normalize(torch.randn(2, 32, tower.dimensions, generator=stream), dim=-1)
    labels = torch.randint(len(NAMES), (64,), generator=stream)
    context = context.to(device).requires_grad_()
    embeddings = PromptEncoder(tower, tokens)(context)
    logits = 100 * images.to(device) @ F.normalize(embeddings, dim=-1).mT
    F.cross_entropy(logits.flatten(0, 1), labels.to(device)).backward()
    return embeddings.detach(), context.grad


def norms_of_single_images(tower, device=CPU) -> torch.Tensor:
    """Gradient norms (4, 2) of two runs, half of whose images have a wrong label."""
    stream = torch.Generator().manual_seed(0)
    tokens = [p.tokens for p in context_prompts(clip_tokenizer(), NAMES, 4)]
    context = 0.02 * torch.randn(2, 4, tower.width, generator=stream)
    features = torch.randn(2, 8, tower.dimensions, generator=stream)
    labels = torch.randint(len(NAMES), (2, 8), generator=stream)
    clean = torch.where(torch.arange(8) % 2 == 0, labels, (labels + 1) % len(NAMES))
    encoder = PromptEncoder(tower, tokens)
    return gradient_norms(
        context.to(device),
        lambda context, images: cosine_logits(images, encoder(context), 100),
        features.to(device),
        labels.to(device),
        clean.to(device),
        cross_entropy,
    )


def test_gradients_in_bfloat16_are_close_to_those_in_float32(model):
    exact = tower_of(model)
    expected = embeddings_and_gradient(exact)
    rounded = embeddings_and_gradient(replace(exact, dtype=torch.bfloat16))
    for ours, theirs in zip(rounded, expected, strict=True):
        assert ours.dtype == torch.float32
        assert 0 < difference(ours, theirs) < NEARLY


def test_linear_layers_compute_in_bfloat16_and_all_sums_in_float32(model):
    tower = replace(tower_of(model), dtype=torch.bfloat16)
    with TypesOfOperations() as types:
        embeddings_and_gradient(tower)
    assert types.used["addmm"] == {torch.bfloat16}  # linear layers
    for name in ("native_layer_norm", "bmm", "_softmax", "nll_loss_forward", "index_put"):
        assert types.used[name] == {torch.float32}


def test_recomputed_activations_give_the_same_bfloat16_gradients(model):
    tower = replace(tower_of(model), dtype=torch.bfloat16)
    tokens = [p.tokens for p in context_prompts(clip_tokenizer(), NAMES, 4)]
    context = torch.randn(1, 4, tower.width, generator=torch.Generator().manual_seed(0))
    gradients = []
    for budget in (2**40, 0):
        leaf = context.clone().requires_grad_()
        PromptEncoder(tower, tokens, budget)(leaf).square().sum().backward()
        gradients.append(leaf.grad)
    assert difference(*gradients) < NEARLY


def test_gradients_of_single_images_in_bfloat16_are_close_to_those_in_float32(model):
    exact = tower_of(model)
    rounded = norms_of_single_images(replace(exact, dtype=torch.bfloat16))
    assert 0 < difference(rounded, norms_of_single_images(exact)) < NEARLY


def test_without_gradients_the_tower_computes_in_float32(model):
    exact = tower_of(model)
    tokens = [p.tokens for p in context_prompts(clip_tokenizer(), NAMES, 4)]
    context = torch.randn(1, 4, exact.width)
    with torch.no_grad():
        rounded = PromptEncoder(replace(exact, dtype=torch.bfloat16), tokens)(context)
        assert torch.equal(rounded, PromptEncoder(exact, tokens)(context))


@pytest.mark.parametrize(
    ("name", "method"),
    [("prompt_ce", prompt), ("prompt_gce", prompt), ("text_finetune", text_finetune)],
)
def test_training_in_bfloat16_learns_the_same_as_in_float32(tiny_backbone, name, method):
    """The weights stay float32: in bfloat16, small steps of SGD would be rounded away."""
    half = replace(tiny_backbone)
    half.__dict__["tower"] = replace(tiny_backbone.tower, dtype=torch.bfloat16)
    exact = method.tune(toy(name, tiny_backbone, epochs=6))
    rounded = method.tune(toy(name, half, epochs=6))
    for ours, theirs in zip(rounded, exact, strict=True):
        assert {w.dtype for w in ours.weights.values()} == {torch.float32}
        assert ours.history.loss.to_numpy() == pytest.approx(theirs.history.loss, rel=0.1, abs=0.01)
        probabilities = [run.test_logits.softmax(dim=-1) for run in (ours, theirs)]
        torch.testing.assert_close(*probabilities, rtol=0, atol=0.05)


@pytest.mark.parametrize("architecture", ["RN50", "ViT-B-32"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_features_in_half_precision_are_close_to_those_in_float32(architecture, dtype):
    whole = random_model(configuration(architecture, small=True))
    backbone = LoadedBackbone("small", whole, clip_tokenizer(), CPU)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = backbone.encode_image(images)
        rounded = replace(backbone, dtype=dtype).encode_image(images)
    assert 0 < difference(rounded.float(), exact) < NEARLY


@pytest.mark.gpu
@pytest.mark.parametrize("architecture", ["RN50", "ViT-B-32"])
def test_a_gpu_gives_nearly_the_same_as_the_cpu(architecture):
    gpu = torch.device("cuda")
    chosen = choose_dtypes(gpu, "auto")
    whole = random_model({**configuration(architecture, small=False), "quick_gelu": True})
    images = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    exact = whole.encode_image(images)
    expected = embeddings_and_gradient(tower_of(whole))
    whole = whole.to(gpu)
    backbone = LoadedBackbone("random", whole, clip_tokenizer(), gpu, dtype=chosen.image)
    with torch.no_grad():
        features = backbone.encode_image(images.to(gpu))
    assert features.dtype == torch.float16
    assert difference(features.float().cpu(), exact) < NEARLY
    rounded = embeddings_and_gradient(replace(tower_of(whole), dtype=chosen.text), gpu)
    for ours, theirs in zip(rounded, expected, strict=True):
        assert difference(ours.cpu(), theirs) < NEARLY
