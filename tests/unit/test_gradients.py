"""Gradient norms of wrong and of right labels, compared with autograd on single samples."""

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from open_clip import CLIP

from ptnl.backbones.loading import tower_of
from ptnl.bench.reference import PlainPrompts
from ptnl.schemas import HISTORY
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.gradients import SAMPLES_TOGETHER, gradient_norms
from ptnl.training.losses import cross_entropy
from ptnl.training.measured_epochs import measured_epochs
from ptnl.training.optim import train_sgd
from ptnl.training.tuning import cosine_logits
from tests.conftest import TINY

RUNS, SAMPLES, CLASSES, DIMENSIONS = 3, SAMPLES_TOGETHER + 5, 4, 16
NAMES = ["cat", "magnifying_glass", "Persian longhair", "x"]


@pytest.fixture
def samples() -> dict[str, torch.Tensor]:
    """Samples of three runs; the last run has no wrong label."""
    stream = torch.Generator().manual_seed(0)
    clean = torch.randint(CLASSES, (RUNS, SAMPLES), generator=stream)
    noisy = clean.clone()
    noisy[:2, :5] = (clean[:2, :5] + 1) % CLASSES
    features = torch.randn(RUNS, SAMPLES, DIMENSIONS, generator=stream, dtype=torch.float64)
    return {"features": features, "labels": noisy, "labels_clean": clean}


def assert_norms_are_of_each_sample(norms, samples, own_gradient):
    """Compare with `own_gradient`: (run, sample) -> gradient of its loss in all parameters."""
    for run in range(RUNS):
        gradients = torch.stack([own_gradient(run, sample) for sample in range(SAMPLES)])
        wrong = samples["labels"][run] != samples["labels_clean"][run]
        for row, part in enumerate((wrong, ~wrong)):
            if not part.any():
                assert norms[[row, row + 2], run].isnan().all()
                continue
            of_sum = gradients[part].sum(dim=0).norm()
            mean = gradients[part].norm(dim=1).mean()
            torch.testing.assert_close(norms[row, run], of_sum)
            torch.testing.assert_close(norms[row + 2, run], mean)


def test_norms_of_several_parameters_equal_those_of_single_samples(samples):
    stream = torch.Generator().manual_seed(1)
    parameters = {
        "weights": torch.randn(RUNS, CLASSES, DIMENSIONS, generator=stream, dtype=torch.float64),
        "bias": torch.randn(RUNS, CLASSES, generator=stream, dtype=torch.float64),
    }
    before = {name: value.clone() for name, value in parameters.items()}

    def class_logits(given, features):
        return features @ given["weights"].mT + given["bias"][:, None]

    def own_gradient(run, sample):
        own = {name: value[run].clone().requires_grad_() for name, value in parameters.items()}
        logits = own["weights"] @ samples["features"][run, sample] + own["bias"]
        loss = F.cross_entropy(logits, samples["labels"][run, sample])
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(own.values()))])

    norms = gradient_norms(parameters, class_logits, **samples, loss=cross_entropy)
    assert_norms_are_of_each_sample(norms, samples, own_gradient)
    for name, value in parameters.items():
        assert value.equal(before[name])


@pytest.mark.parametrize("activation_bytes", [2**40, 0])
@pytest.mark.parametrize("repeats_prefix", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norms_of_prompts_equal_those_of_the_plain_text_tower(
    tiny_clip, tokenizer, samples, activation_bytes, repeats_prefix, dtype
):
    """They are equal if the fast tower recomputes its activations, or lays tokens out for a GPU."""
    model = CLIP(**TINY).eval().requires_grad_(False).to(dtype)
    model.load_state_dict(tiny_clip.state_dict())
    samples["features"] = samples["features"].to(dtype)
    prompts = [prompt.tokens for prompt in context_prompts(tokenizer, NAMES, 4)]
    encoder = PromptEncoder(tower_of(model), prompts, activation_bytes, repeats_prefix)
    plain = PlainPrompts(model, tokenizer, NAMES, 4)
    stream = torch.Generator().manual_seed(2)
    contexts = torch.randn(RUNS, 4, 32, generator=stream, dtype=dtype)

    def own_gradient(run, sample):
        context = contexts[run].clone().requires_grad_()
        logits = cosine_logits(samples["features"][run, sample, None], plain(context), 10.0)
        loss = F.cross_entropy(logits[0], samples["labels"][run, sample])
        return torch.autograd.grad(loss, context)[0].flatten()

    norms = gradient_norms(
        contexts,
        lambda tokens, features: cosine_logits(features, encoder(tokens), 10.0),
        **samples,
        loss=cross_entropy,
    )
    assert_norms_are_of_each_sample(norms, samples, own_gradient)


@pytest.mark.parametrize(
    ("epochs", "warmup", "expected"),
    [
        (50, 1, [1, 5, 10, 14, 18, 23, 27, 32, 36, 40, 45, 49]),
        (4, 1, [1, 2, 3]),
        (2, 0, [0, 1]),
        (1, 1, []),
    ],
)
def test_a_dozen_epochs_after_warm_up_are_measured(epochs, warmup, expected):
    assert measured_epochs(epochs, warmup) == expected


def test_only_the_chosen_runs_are_measured(samples):
    """Measuring does not change what is learnt."""
    settings = {
        "epochs": 3,
        "batch_size": 7,
        "learning_rate": 0.1,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "warmup_epochs": 1,
        "warmup_learning_rate": 1e-5,
    }
    columns = [name for name in HISTORY if name.startswith("gradient_") and name[-4:] != "norm"]
    assert len(columns) == 4

    def trained(gradients_of) -> tuple[torch.Tensor, list[pd.DataFrame]]:
        weights = torch.zeros(RUNS, CLASSES, DIMENSIONS, dtype=torch.float64, requires_grad=True)
        histories = train_sgd(
            weights,
            lambda given, features: features @ given.mT,
            lambda epoch: samples["features"],
            samples["labels"],
            samples["labels_clean"],
            [1, 2, 3],
            cross_entropy,
            settings,
            gradients_of,
        )
        return weights.detach(), histories

    plain, unmeasured = trained(())
    weights, histories = trained((1,))
    assert weights.equal(plain)
    assert all(history[columns].isna().all(axis=None) for history in unmeasured)
    assert histories[0][columns].isna().all(axis=None)
    assert histories[2][columns].isna().all(axis=None)
    assert histories[1][columns].notna().all(axis=1).tolist() == [False, True, True]
