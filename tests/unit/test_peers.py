"""The benchmark of peers: their steps compute what ours do, and hours follow from the study."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from ptnl.bench import step_cost as bench
from tests.measurements import peers
from tests.measurements.peers import Line, Ours, Peer, Rates

NAMES = ["cat", "sea lion", "fire engine"]


def rates(**changes) -> Rates:
    """A step takes the peers 1 or 3 s per class, and ours 0.01 s; of four fused, 0.0025 s."""
    line = {count: Line((10, 20), (0.1 / count, 0.2 / count)) for count in (1, 4)}
    return Rates(
        **{
            "coop": Line((10, 20), (10.0, 20.0)),
            "nlprompt": Line((10, 20), (30.0, 60.0)),
            "ours": line,
            "ours_look": line,
            "image": 36.0,
            **changes,
        }
    )


def test_losses_and_gradients_of_peers_agree_with_ours(tiny_backbone):
    assert max(peers.differences(tiny_backbone, NAMES).values()) < peers.LARGEST_DIFFERENCE


def test_a_different_loss_is_detected(tiny_backbone, monkeypatch):
    monkeypatch.setattr(peers, "peers_mae", lambda logits, labels: F.cross_entropy(logits, labels))
    found = peers.differences(tiny_backbone, NAMES)
    assert found["cross-entropy"] < peers.LARGEST_DIFFERENCE < found["mean absolute error"]


def test_training_as_a_peer_gives_the_same_prompts(tiny_backbone):
    """Both take two steps on the same images, the first at the learning rate of the warm-up."""
    ours = Ours(tiny_backbone, NAMES, 1)
    peer = Peer(tiny_backbone, NAMES, ours.context[0].detach())
    images = peers.some_images(tiny_backbone)
    with torch.no_grad():
        ours.sweep.features[0] = tiny_backbone.model.encode_image(images)
    ours.steps()
    for rate in (1e-5, peers.SGD["lr"]):
        peer.optimiser.param_groups[0]["lr"] = rate
        peer.step(images, ours.sweep.labels[0], F.cross_entropy)
    trained = ours.context[0].detach()
    torch.testing.assert_close(trained, peer.context.detach(), rtol=1e-4, atol=1e-7)


def test_a_look_gives_features_and_probabilities_without_gradients(tiny_backbone):
    peer = Peer(tiny_backbone, NAMES, torch.zeros(4, tiny_backbone.tower.width))
    images = peers.some_images(tiny_backbone)
    features, probabilities = peer.look(images)
    torch.testing.assert_close(features, tiny_backbone.model.encode_image(images))
    torch.testing.assert_close(probabilities, peer(images).softmax(dim=-1))
    assert not probabilities.requires_grad


def test_every_step_is_timed(tiny_backbone, monkeypatch):
    monkeypatch.setattr(bench, "SHORTEST", 0.0)
    found = peers.measure(tiny_backbone, (2, 4), (1, 2), 1)
    lines = [found.coop, found.nlprompt, *found.ours.values(), *found.ours_look.values()]
    assert all(line.classes == (2, 4) and min(line.seconds) > 0 for line in lines)
    assert min(np.subtract(found.nlprompt.seconds, found.coop.seconds)) > 0
    table = peers.step_table("tiny", found)
    assert table[["classes", "fused runs"]].values.tolist() == [[2, 1], [2, 2], [4, 1], [4, 2]]
    assert len(peers.as_markdown(table).splitlines()) == 6


def test_time_is_a_line_over_classes():
    assert Line((10, 20), (1.0, 3.0)).at(5) == 0.0
    assert Line((10, 20), (1.0, 3.0)).at(100) == 19.0


def test_hours_are_those_of_steps_and_images():
    sweeps = pd.DataFrame(
        {"dataset": ["a", "b"], "classes": [10, 36], "runs": [16, 1], "steps": [360, 100]}
    )
    hours = peers.hours(sweeps, images=100, rates=rates())
    assert hours["CoOp"] == pytest.approx(16 * 360 * 10 / 3600 + 36 * 100 / 3600)
    assert hours["NLPrompt"] == pytest.approx(3 * hours["CoOp"])
    # The 16 runs of the first sweep are fused by four; the single run of the second is alone.
    training = 16 * 360 * 0.025 / 3600 + 100 * 0.36 / 3600
    assert hours["ours, CoOp"] == pytest.approx(training + 1)  # and 100 images take 36 s each
    assert hours["ours, NLPrompt"] == pytest.approx(2 * training + 1)


def test_sweeps_are_those_of_the_papers_study(root):
    overlay = root / "workflow/studies/paper.yaml"
    grid = peers.prompt_tuning(peers.read_study(root, [overlay], {}))
    assert (grid.classes.max(), grid.runs.max()) == (1000, 16)
    assert set(grid[grid.dataset == "oxford_pets"].steps) == {50 * (16 * 37 // 32)}
