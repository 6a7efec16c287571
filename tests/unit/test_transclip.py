"""The benchmark's TransCLIP computes what its paper describes."""

import torch
import torch.nn.functional as F

from tests.measurements.transclip import log_likelihoods, neighbour_graph, transduced


def clusters() -> tuple[torch.Tensor, torch.Tensor]:
    """Unit features (90, 12) around three centres, and the centre of each."""
    generator = torch.Generator().manual_seed(0)
    true = torch.arange(90) % 3
    centres = torch.eye(12, dtype=torch.float64)[:3]
    noise = 0.1 * torch.randn(90, 12, generator=generator, dtype=torch.float64)
    return F.normalize(centres[true] + noise, dim=-1), true


def test_log_likelihoods_are_those_of_diagonal_gaussians():
    unit, _ = clusters()
    mean, variance = unit[:3], torch.linspace(0.1, 1, 12, dtype=torch.float64)
    expected = [[-0.5 * ((x - m) ** 2 / variance).sum() for m in mean] for x in unit]
    torch.testing.assert_close(log_likelihoods(unit, mean, variance), torch.tensor(expected))


def test_every_image_is_linked_to_its_three_nearest():
    unit, _ = clusters()
    graph = neighbour_graph(unit)
    for row in (0, 17, 89):
        similar = unit @ unit[row]
        similar[row] = -1
        expected = similar.argsort(descending=True)[:3]
        assert sorted(graph[row].nonzero()[:, 0].tolist()) == sorted(expected.tolist())
        torch.testing.assert_close(graph[row, expected], similar[expected])


def test_images_get_the_class_of_their_cluster():
    """Zero-shot is wrong, and unsure, for every seventh image; nearly all get corrected."""
    unit, true = clusters()
    predicted = true.clone()
    predicted[::7] = (predicted[::7] + 1) % 3
    zero_shot = torch.full((90, 3), 0.05, dtype=torch.float64)
    zero_shot[torch.arange(90), predicted] = 0.9
    zero_shot[::7] = zero_shot[::7] ** 0.2  # unsure, but still for the wrong class
    zero_shot /= zero_shot.sum(dim=1, keepdim=True)
    assigned = transduced(unit, zero_shot)
    torch.testing.assert_close(assigned.sum(dim=1), torch.ones(90, dtype=torch.float64))
    assert (zero_shot.argmax(dim=1) == true).double().mean() < 0.9
    assert (assigned.argmax(dim=1) == true).double().mean() > 0.95
