"""The fast text tower, compared with CoOp's own, which computes all tokens of every prompt.

The latter is in `ptnl.bench.reference`.
"""

import io
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip import CLIP
from open_clip.transformer import QuickGELU
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.func import functional_call

from ptnl.backbones.assets import verified
from ptnl.backbones.loading import load_backbone, tower_of
from ptnl.backbones.registry import SHIPPED
from ptnl.backbones.text import (
    TOKEN_IDS,
    TOKEN_ROWS,
    expand_state_dict,
    load_text_backbone,
    read_text_backbone,
)
from ptnl.bench.reference import PlainPrompts, plain_step
from ptnl.data.embedded import IMAGES
from ptnl.errors import InputError
from ptnl.io import read_parquet
from ptnl.methods import METHODS, prompt
from ptnl.text import PromptEncoder, class_prompts, context_prompts, encode_texts
from ptnl.training.epochs import batch_order
from ptnl.training.optim import learning_rates
from ptnl.training.tuning import SweepData
from tests.conftest import TINY
from tests.unit.fresh_process import loaded

NAMES = ["cat", "magnifying_glass", "Persian longhair", "antidisestablishmentarianism", "x"]
ALL_KEPT, ALL_RECOMPUTED = 2**40, 0
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def precise_clip(tiny_clip) -> CLIP:
    """The tiny CLIP in float64."""
    model = CLIP(**TINY).eval().requires_grad_(False).double()
    model.load_state_dict(tiny_clip.state_dict())
    return model


def prompts(tokenizer, names, length, position="end"):
    return [p.tokens for p in context_prompts(tokenizer, names, length, position)]


def embeddings_and_gradients(encode, contexts, weight):
    """Embeddings (R, C, D), and the gradients (R, M, W) of their weighted sum."""
    leaf = contexts.clone().requires_grad_()
    embeddings = encode(leaf)
    loss = (embeddings * weight).sum()
    gradients = torch.autograd.grad(loss, leaf)[0] if contexts.numel() else torch.zeros(())
    return embeddings.detach(), gradients


def assert_close(ours, plain, tolerance):
    """The tolerance is relative to the largest value, like the error of a floating-point sum."""
    scale = plain.abs().max()
    assert (ours - plain).abs().max() <= tolerance * scale


words = st.sampled_from(
    ["cat", "magnifying", "glass", "antidisestablishmentarianism", "x", "747", "what?"]
)
names = st.lists(words, min_size=1, max_size=6).map("_".join)


@settings(max_examples=60)
@given(
    class_names=st.lists(names, min_size=1, max_size=40),
    length=st.sampled_from([0, 1, 4, 16, 32]),
    position=st.sampled_from(["end", "middle"]),
    runs=st.integers(1, 3),
    activation_bytes=st.one_of(
        st.sampled_from([ALL_RECOMPUTED, ALL_KEPT]), st.integers(10**5, 10**7)
    ),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    repeats_prefix=st.booleans(),
)
def test_the_fast_tower_equals_the_reference(
    tiny_clip,
    precise_clip,
    tokenizer,
    class_names,
    length,
    position,
    runs,
    activation_bytes,
    dtype,
    repeats_prefix,
):
    model = {torch.float32: tiny_clip, torch.float64: precise_clip}[dtype]
    stream = torch.Generator().manual_seed(length)
    contexts = torch.randn(runs, length, 32, generator=stream, dtype=dtype)
    weight = torch.randn(runs, len(class_names), 16, generator=stream, dtype=dtype)
    encoder = PromptEncoder(
        tower_of(model),
        prompts(tokenizer, class_names, length, position),
        activation_bytes,
        repeats_prefix,
    )
    plain = PlainPrompts(model, tokenizer, class_names, length, position)
    ours = embeddings_and_gradients(encoder, contexts, weight)
    expected = embeddings_and_gradients(
        lambda leaf: torch.stack([plain(run) for run in leaf]), contexts, weight
    )
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-10}[dtype]
    for our, their in zip(ours, expected, strict=True):
        assert_close(our, their, tolerance)


def encoder_of(model, tokenizer, length=4, **options) -> PromptEncoder:
    return PromptEncoder(tower_of(model), prompts(tokenizer, NAMES, length), **options)


def test_runs_do_not_affect_each_other(tiny_clip, tokenizer):
    encoder = encoder_of(tiny_clip, tokenizer)
    contexts = torch.randn(3, 4, 32)
    together = encoder(contexts)
    alone = torch.cat([encoder(contexts[run : run + 1]) for run in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("quick_gelu", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_other_towers_of_open_clip_equal_the_reference(tokenizer, quick_gelu, layers):
    torch.manual_seed(layers)
    text = {**TINY["text_cfg"], "layers": layers, "ls_init_value": 0.3, "mlp_ratio": 2.0}
    model = CLIP(**{**TINY, "text_cfg": text}, quick_gelu=quick_gelu).double()
    model.requires_grad_(False)
    assert isinstance(model.transformer.resblocks[0].mlp.gelu, QuickGELU) == quick_gelu
    contexts = torch.randn(1, 4, 32, dtype=torch.float64)
    plain = PlainPrompts(model, tokenizer, NAMES, 4)
    assert_close(encoder_of(model, tokenizer)(contexts)[0], plain(contexts[0]), 1e-10)


@pytest.mark.parametrize("repeats_prefix", [False, True])
@pytest.mark.parametrize("activation_bytes", [ALL_KEPT, ALL_RECOMPUTED])
def test_runs_with_their_own_weights_equal_open_clip(
    precise_clip, tokenizer, activation_bytes, repeats_prefix
):
    torch.manual_seed(0)
    weights = {
        name: (w + 0.05 * torch.randn(2, *w.shape, dtype=w.dtype)).requires_grad_()
        for name, w in tower_of(precise_clip).weights.items()
    }
    texts = [f"an icon of a {name}." for name in NAMES]
    encoder = PromptEncoder(
        tower_of(precise_clip),
        [prompt.tokens for prompt in class_prompts(tokenizer, NAMES, "an icon of a {}.")],
        activation_bytes,
        repeats_prefix,
    )
    ours = encoder(torch.zeros(2, 0, 32, dtype=torch.float64), weights)
    tokens = tokenizer([text.replace("_", " ") for text in texts])
    expected = torch.stack(
        [
            functional_call(
                precise_clip, {name: w[run] for name, w in weights.items()}, (None, tokens)
            )[1]
            for run in range(2)
        ]
    )
    ours = nn.functional.normalize(ours, dim=-1)
    assert_close(ours.detach(), expected.detach(), 1e-10)
    direction = torch.randn_like(expected)
    leaves = list(weights.values())
    ours, expected = (torch.autograd.grad((x * direction).sum(), leaves) for x in (ours, expected))
    for our, their in zip(ours, expected, strict=True):
        assert_close(our, their, 1e-10)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close_to_float32(tiny_clip, tokenizer, dtype):
    half = CLIP(**TINY).eval().requires_grad_(False)
    half.load_state_dict(tiny_clip.state_dict())
    contexts = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(0))
    weight = torch.ones(2, len(NAMES), 16)
    results = [
        embeddings_and_gradients(encoder_of(model, tokenizer), contexts, weight)
        for model in (half.to(dtype), tiny_clip)
    ]
    for ours, exact in zip(*results, strict=True):
        assert ours.dtype == torch.float32
        assert_close(ours, exact, 0.1)


@pytest.mark.parametrize("repeats_prefix", [False, True])
def test_activations_stay_within_their_budget(tiny_clip, tokenizer, repeats_prefix):
    names = [f"{first} {second}" for first in NAMES for second in NAMES] * 2
    tower = tower_of(tiny_clip)
    frozen = {weight.untyped_storage().data_ptr() for weight in tower.weights.values()}

    def kept(activation_bytes: int) -> int:
        tokens = prompts(tokenizer, names, 4)
        encoder = PromptEncoder(tower, tokens, activation_bytes, repeats_prefix)
        sizes = {}

        def pack(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in frozen:
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            encoder(torch.randn(2, 4, 32, requires_grad=True))
        return sum(sizes.values())

    budgets = [10**6, 2 * 10**6, 3 * 10**6, ALL_KEPT]
    sizes = [kept(budget) for budget in budgets]
    assert all(size <= budget for size, budget in zip(sizes, budgets, strict=True))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 4


def test_embeddings_of_texts_equal_open_clips(tiny_clip, tokenizer):
    texts = ["a photo of a cat.", "an icon.", "a photo of a very long name, a type of thing."]
    expected = tiny_clip.encode_text(tokenizer(texts, context_length=77))
    torch.testing.assert_close(
        encode_texts(tower_of(tiny_clip), texts), expected, rtol=1e-5, atol=1e-5
    )


def test_a_prompt_that_does_not_fit_is_refused(tiny_clip, tokenizer):
    sentence = r"'antidis.*' has 81 tokens, 72 of them learnable, more than the backbone's 77"
    with pytest.raises(InputError, match=sentence):
        encoder_of(tiny_clip, tokenizer, length=72)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_text_side_alone_equals_that_of_the_whole_model(name):
    whole, text = load_backbone(name, CPU), load_text_backbone(name, CPU)
    assert text.logit_scale == whole.logit_scale
    assert text.tower.weights.keys() == whole.tower.weights.keys()
    texts = ["a photo of a cat.", "an icon of a music note."]
    assert torch.equal(encode_texts(text.tower, texts), encode_texts(whole.tower, texts))


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_the_text_side_of_an_own_model_is_read_and_checked(tmp_path, quick_gelu):
    text = {**TINY["text_cfg"], "ls_init_value": 0.3, "mlp_ratio": 2.0}
    config = {**TINY, "text_cfg": text, "quick_gelu": quick_gelu}
    model = CLIP(**config).requires_grad_(False)
    files = tmp_path / "config.json", tmp_path / "weights.safetensors"
    files[0].write_text(json.dumps(config))
    save_file(model.state_dict(), files[1])
    alone = read_text_backbone("tiny", *files, CPU)
    texts = ["a photo of a cat.", "x"]
    expected = encode_texts(tower_of(model), texts)
    torch.testing.assert_close(encode_texts(alone.tower, texts), expected, rtol=1e-6, atol=1e-6)

    save_file({**model.state_dict(), "ln_final.bias": torch.zeros(3)}, files[1])
    sentence = r"'ln_final.bias' has shape \(3,\), the model needs \(32,\)"
    with pytest.raises(InputError, match=sentence):
        read_text_backbone("tiny", *files, CPU)
    files[0].write_text(json.dumps({**config, "text_cfg": {**text, "pool_type": "last"}}))
    with pytest.raises(InputError, match="a text tower with pool_type is not CLIP's"):
        read_text_backbone("tiny", *files, CPU)


@pytest.fixture(scope="module")
def tiny_files(tmp_path_factory) -> tuple[Path, dict[str, torch.Tensor]]:
    """The file of a configuration, and matching weights."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "config.json").write_text(json.dumps(TINY))
    return folder / "config.json", CLIP(**TINY).requires_grad_(False).state_dict()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ln_final.bias", torch.zeros(32, dtype=torch.int8), "'ln_final.bias' is of type int8"),
        (
            "ln_final.bias",
            torch.full((32,), torch.inf),
            "'ln_final.bias' holds values that are not",
        ),
        ("logit_scale", torch.tensor(11.0), r"its logit scale is exp\(11\)"),
        ("logit_bias", torch.tensor(0.0), "holds 'logit_bias', which the model does not have"),
        ("ln_final.bias", None, "misses the weights 'ln_final.bias'"),
    ],
)
def test_weights_that_cannot_be_a_text_towers_are_refused(
    tiny_files, tmp_path, name, value, sentence
):
    config, weights = tiny_files
    changed = {**weights, name: value}
    file = tmp_path / "weights.safetensors"
    save_file({name: value for name, value in changed.items() if value is not None}, file)
    with pytest.raises(InputError, match=rf"weights\.safetensors: {sentence}"):
        read_text_backbone("tiny", config, file, CPU)


def test_files_of_a_text_tower_that_cannot_be_read_are_named(tiny_files, tmp_path):
    config, weights = tiny_files
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"weights\.safetensors: not readable as safetensors"):
        read_text_backbone("tiny", config, file, CPU)
    save_file(weights, file)
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**TINY, "text_cfg": {**TINY["text_cfg"], "width": -1}}))
    with pytest.raises(InputError, match=r"other\.json: "):
        read_text_backbone("tiny", other, file, CPU)


@pytest.mark.parametrize("tokens", [[0, 49408], [-1, 0], [0], [[0, 1]]])
def test_token_rows_outside_the_vocabulary_are_refused(tokens):
    stored = {TOKEN_ROWS: torch.zeros(2, 4), TOKEN_IDS: torch.tensor(tokens)}
    with pytest.raises(InputError, match="are not the tokens of its"):
        expand_state_dict(stored, 49408)


def test_training_on_features_does_not_import_open_clip():
    """It imports torchvision, timm and torch's compiler, which takes longer than many a job."""
    imports = "import ptnl.cli.tune_method, ptnl.methods.prompt, ptnl.text"
    calls = "ptnl.text.clip_tokenizer()"
    slow = ("open_clip", "torchvision", "timm", "torch._dynamo")
    assert loaded(f"{imports}; {calls}", *slow) == []


def test_other_towers_are_refused():
    class Tower(nn.Module):
        text_pool_type = "argmax"
        attn_mask = torch.zeros(2, 2)
        text_projection = torch.zeros(2, 2)
        transformer = nn.ModuleDict({"resblocks": nn.ModuleList([nn.Linear(1, 1)])})

    tower = Tower()
    with pytest.raises(InputError, match="blocks of type Linear"):
        tower_of(tower)
    tower.text_projection = None
    with pytest.raises(InputError, match="projection"):
        tower_of(tower)
    tower.attn_mask = None
    with pytest.raises(InputError, match="not causal"):
        tower_of(tower)


def test_prompt_tuning_equals_that_of_the_reference(tokenizer):
    """50 steps on mini-rn; CoOp's plain steps encode the images each time."""
    backbone = load_backbone("mini-rn", CPU)
    table = read_parquet(verified("icons.parquet"), IMAGES)
    table = table[table.label < 12].sample(64, random_state=0)
    images = torch.stack(
        [backbone.transform(Image.open(io.BytesIO(png)).convert("RGB")) for png in table.png]
    )
    class_names = sorted(set(table.class_name))
    labels = torch.tensor([class_names.index(name) for name in table.class_name])
    training = {
        "epochs": 25,
        "batch_size": 32,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "warmup_epochs": 1,
        "warmup_learning_rate": 1e-5,
    }
    with torch.no_grad():
        features = backbone.model.encode_image(images)
    sweep = SweepData(
        method=METHODS["prompt_ce"],
        settings={**training, "context_length": 16},
        backbone=backbone,
        class_names=class_names,
        template="",
        seeds=[7],
        features=features[None],
        labels=labels[None],
        labels_clean=labels[None],
        test_features=features[:1],
    )
    (ours,) = prompt.tune(sweep)

    plain = PlainPrompts(backbone.model, tokenizer, class_names, 16)
    context = prompt.initial_context(sweep)[0].requires_grad_()
    optimiser = torch.optim.SGD([context], lr=0, momentum=0.9, weight_decay=5e-4)
    losses = []
    for rate, epoch in zip(
        learning_rates(25, 0.05, 1, 1e-5), batch_order(7, 64, 32, 25), strict=True
    ):
        optimiser.param_groups[0]["lr"] = rate
        steps = [
            plain_step(plain, context, images[batch], labels[batch], optimiser) for batch in epoch
        ]
        losses.append(torch.stack(steps).mean().item())
    assert losses[-1] < 0.5 * losses[0]
    assert list(ours.history.loss) == pytest.approx(losses, rel=1e-4)
    torch.testing.assert_close(ours.weights["context"], context.detach(), rtol=1e-3, atol=1e-4)
