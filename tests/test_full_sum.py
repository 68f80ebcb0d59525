"""The training loss, against sums over all paths written out."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from streamhmm.acoustic.training.full_sum import full_sum
from streamhmm.acoustic.training.targets import MASKED, FrameTargets

V = 5


def posteriors(batch: int, frames: int, seed: int = 1) -> Tensor:
    logits = torch.randn(batch, frames, V, generator=torch.Generator().manual_seed(seed))
    return logits.log_softmax(-1).requires_grad_()


def targets(
    labels: list[int], ranges: list[list[tuple[int, int]]], anchor: float = 0.0, nominal: list[list[int]] | None = None
) -> FrameTargets:
    both = torch.tensor(ranges)
    said = both[..., 0] if nominal is None else torch.tensor(nominal)
    return FrameTargets(torch.tensor(labels), both[..., 0], both[..., 1], said, torch.full(both.shape[:-1], anchor))


def summed_over_paths(scores: Tensor, labels: list[int], ranges: list[tuple[int, int]]) -> float:
    """log Σ over all sequences of phones that keep to the ranges and never go back or leave one out."""
    total = 0.0
    for path in itertools.product(*(range(first, last + 1) for first, last in ranges)):
        if all(step in (0, 1) for step in (b - a for a, b in itertools.pairwise(path))):
            known = [(t, labels[u]) for t, u in enumerate(path) if labels[u] != MASKED]
            total += math.exp(sum(float(scores[t, label]) for t, label in known))
    return math.log(total)


DOUBTFUL = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2)]
UNKNOWN = [(3, 3), (3, 4), (3, 4), (4, 5), (5, 5)]
LABELS = [0, 1, 2, 3, MASKED, 4]


def test_full_sum_is_the_sum_over_all_paths() -> None:
    x = posteriors(2, 5)
    loss = full_sum(x, targets(LABELS, [DOUBTFUL, UNKNOWN])).detach()
    rows = zip(x.detach(), (DOUBTFUL, UNKNOWN), strict=True)
    expected = -sum(summed_over_paths(row, LABELS, ranges) for row, ranges in rows) / 10
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_full_sum_without_doubt_is_cross_entropy() -> None:
    x = posteriors(1, 4)
    certain = targets([2, 0], [[(0, 0), (0, 0), (1, 1), (1, 1)]])
    by_frame = torch.nn.functional.nll_loss(x[0], torch.tensor([2, 2, 0, 0]))
    torch.testing.assert_close(full_sum(x, certain), by_frame)


def test_anchor_weighs_paths_by_the_square_of_their_distance() -> None:
    """Two phones, six frames, nominally three each: a boundary n frames away costs anchor · n² / 2."""
    x, anchor = posteriors(1, 6), 0.7
    anchored = targets([0, 1], [[(0, 0), *[(0, 1)] * 4, (1, 1)]], anchor, [[0, 0, 0, 1, 1, 1]])
    likelihoods = [
        x[0, :place, 0].sum() + x[0, place:, 1].sum() - anchor * (place - 3) ** 2 / 2 for place in range(1, 6)
    ]
    torch.testing.assert_close(full_sum(x, anchored), -torch.logsumexp(torch.stack(likelihoods), 0) / 6)


def test_gradient_reaches_doubtful_frames_of_allowed_phones_only() -> None:
    x = posteriors(1, 5)
    (gradient,) = torch.autograd.grad(full_sum(x, targets(LABELS[:3], [DOUBTFUL])), x)
    allowed = torch.tensor([[first <= v <= last for v in range(V)] for first, last in DOUBTFUL])
    assert torch.equal(gradient[0] != 0, allowed)
    torch.testing.assert_close(gradient.sum(), torch.tensor(-1.0))


def test_row_without_a_path_teaches_nothing() -> None:
    x = posteriors(2, 2)
    impossible = [(0, 0), (2, 2)]  # two steps ahead in one frame
    loss = full_sum(x, targets([0, 1, 2], [impossible, [(0, 0), (1, 1)]]))
    (gradient,) = torch.autograd.grad(loss, x)
    assert math.isfinite(float(loss.detach()))
    assert float(gradient[0].abs().max()) == 0.0
    assert float(gradient[1].abs().max()) > 0.0
