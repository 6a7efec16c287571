"""Attention of blocks to a prefix and to themselves, compared with torch's own attention."""

import pytest
import torch

from ptnl.text.attention import attend_blocks, attend_within

RUNS, PREFIX, BLOCKS, SIZE, QUERIES, HEADS, WIDTH = 2, 5, 3, 4, 2, 2, 6


def operands(trained: set[str]) -> dict[str, torch.Tensor]:
    """Query, prefix and rest in float64; those that are trained require gradients."""
    stream = torch.Generator().manual_seed(0)
    shapes = {
        "query": (RUNS, BLOCKS * QUERIES, WIDTH),
        "prefix": (RUNS, PREFIX, 2 * WIDTH),
        "rest": (RUNS, BLOCKS * SIZE, 2 * WIDTH),
    }
    return {
        name: torch.randn(shape, generator=stream, dtype=torch.float64).requires_grad_(
            name in trained
        )
        for name, shape in shapes.items()
    }


@pytest.fixture
def bias() -> torch.Tensor:
    """A query sees the prefix, and of its block the tokens up to its own, the third or fourth."""
    sees = torch.ones(BLOCKS, QUERIES, PREFIX + SIZE, dtype=torch.bool)
    sees[:, 0, -1] = False
    return torch.where(sees, 0.0, -torch.inf).double()


def torchs_attention(query, prefix, rest, bias) -> torch.Tensor:
    """The same by torch, which needs the prefix in front of each block."""
    repeated = prefix[:, None].expand(-1, BLOCKS, -1, -1)
    whole = torch.cat([repeated, rest.unflatten(1, (BLOCKS, SIZE))], dim=2).flatten(1, 2)
    return attend_within(query, *whole.chunk(2, dim=-1), bias.repeat(RUNS, 1, 1), HEADS)


@pytest.mark.parametrize(
    "trained", [{"query", "prefix", "rest"}, {"prefix"}, {"query", "prefix"}, {"rest"}]
)
def test_plain_products_equal_torchs_attention(trained, bias):
    given = operands(trained)
    ours = attend_blocks(**given, bias=bias, heads=HEADS)
    theirs = torchs_attention(**given, bias=bias)
    torch.testing.assert_close(ours, theirs)
    pull = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=ours.dtype)
    leaves = [given[name] for name in sorted(trained)]
    torch.testing.assert_close(
        torch.autograd.grad(ours, leaves, pull), torch.autograd.grad(theirs, leaves, pull)
    )


def test_several_gradients_at_once_are_those_of_each(bias):
    given = operands({"query", "prefix", "rest"})
    mixed = attend_blocks(**given, bias=bias, heads=HEADS)
    pulls = torch.randn(3, *mixed.shape, generator=torch.Generator().manual_seed(1)).double()

    def gradients(pull):
        return torch.autograd.grad(mixed, list(given.values()), pull, retain_graph=True)

    together = torch.vmap(gradients)(pulls)
    each = zip(*map(gradients, pulls), strict=True)
    for ours, theirs in zip(together, each, strict=True):
        torch.testing.assert_close(ours, torch.stack(theirs))
