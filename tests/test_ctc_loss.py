"""``log_likelihood`` on CTC graphs against torch's own ``ctc_loss``: losses and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import streamhmm as sh

DTYPES = (torch.float32, torch.float64)
CLOSE = {torch.float32: 1e-4, torch.float64: 1e-9}


def log_probabilities(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.from_numpy(rng.normal(scale=scale, size=shape)).log_softmax(-1)


def torch_loss(logits: Tensor, labels: list[list[int]], lengths: Tensor, blank: int) -> Tensor:
    """−log-likelihood of each sequence. torch's gradient holds for log_softmax inputs only, so it is part of this."""
    target_lengths = torch.tensor([len(each) for each in labels])
    targets = torch.tensor([label for each in labels for label in each], dtype=torch.int64)
    inputs = logits.log_softmax(-1).transpose(0, 1)
    return torch.nn.functional.ctc_loss(inputs, targets, lengths, target_lengths, blank=blank, reduction="none")


def our_loss(logits: Tensor, labels: list[list[int]], lengths: Tensor, blank: int) -> Tensor:
    graphs = [sh.Graph.ctc(each, blank=blank) for each in labels]
    return -sh.log_likelihood(logits.log_softmax(-1), graphs, lengths)


def random_labels(rng: np.random.Generator, count: int, columns: int, blank: int) -> list[int]:
    """Labels of which about every third repeats the one before."""
    others = [column for column in range(columns) if column != blank]
    labels: list[int] = []
    for _ in range(count):
        repeat = bool(labels) and rng.random() < 1 / 3
        labels.append(labels[-1] if repeat else int(rng.choice(others)))
    return labels


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_losses_and_gradients_equal_those_of_torch(seed: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(seed)
    columns, frames, batch = int(rng.integers(2, 90)), int(rng.integers(20, 120)), 6
    blank = int(rng.integers(0, columns))
    labels = [random_labels(rng, int(rng.integers(1, 20)), columns, blank) for _ in range(batch - 1)] + [[]]
    least = [2 * len(each) + 1 for each in labels]  # enough for any repetitions
    lengths = torch.tensor([int(rng.integers(min(low, frames), frames + 1)) for low in least])
    logits = torch.from_numpy(rng.normal(scale=3, size=(batch, frames, columns)))
    share = torch.from_numpy(rng.normal(size=batch))
    theirs, ours = logits.clone().requires_grad_(), logits.to(dtype, copy=True).requires_grad_()
    expected, loss = torch_loss(theirs, labels, lengths, blank), our_loss(ours, labels, lengths, blank)
    finite = expected.isfinite()
    assert finite.sum() >= batch - 2
    assert loss.isfinite().tolist() == finite.tolist()
    torch.testing.assert_close(loss[finite], expected[finite], rtol=1e-6, atol=CLOSE[dtype])
    (share * expected)[finite].sum().backward()
    (share * loss)[finite].sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, atol=CLOSE[dtype])


def test_the_gradient_of_the_scores_is_that_of_log_probabilities() -> None:
    """torch gives γ's share with exp(scores) added, which log_softmax's own gradient takes away; ours is γ itself."""
    rng = np.random.default_rng(0)
    scores, labels = log_probabilities(rng, 1, 40, 7), [random_labels(rng, 9, 7, 0)]
    leaf = scores.clone().requires_grad_()
    sh.log_likelihood(leaf, [sh.Graph.ctc(labels[0])]).sum().backward()
    torch.testing.assert_close(leaf.grad, sh.posteriors(scores, sh.Graph.ctc(labels[0]), by="pdf"))
    theirs = scores.clone().requires_grad_()
    targets = torch.tensor(labels)
    torch.nn.functional.ctc_loss(
        theirs.transpose(0, 1), targets, torch.tensor([40]), torch.tensor([9]), reduction="sum"
    ).backward()
    torch.testing.assert_close(theirs.grad, scores.exp() - leaf.grad)


@pytest.mark.parametrize("columns", [40, 70])
def test_the_size_of_a_training_step(columns: int) -> None:
    rng = np.random.default_rng(1)
    labels = [random_labels(rng, 100, columns, 0) for _ in range(4)]
    logits = torch.from_numpy(rng.normal(size=(4, 1000, columns)).astype(np.float32))
    lengths = torch.tensor([1000, 999, 700, 401])
    theirs, ours = logits.double().requires_grad_(), logits.clone().requires_grad_()
    expected, loss = torch_loss(theirs, labels, lengths, 0), our_loss(ours, labels, lengths, 0)
    torch.testing.assert_close(loss, expected, rtol=1e-7, atol=1e-4)
    expected.sum().backward()
    loss.sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-4)
