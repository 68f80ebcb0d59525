"""Long sequences in segments, and many in blocks: the same as the whole, with little held at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from model_cases import LENGTHS, NAMES, close, drawn, known

from streamhmm.models import GaussianHMM, Topology, hmm, long_sequence

CUTS = (1, 2, 7, 14, 15, 16, 29, 30, 31)
"""Frames of a segment, of 30."""


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes every sequence long, in segments of so many frames of three states."""

    def cut(frames: int) -> None:
        monkeypatch.setattr(hmm, "WHOLE_CELLS", 0)
        monkeypatch.setattr(hmm, "BLOCK_CELLS", 0)
        monkeypatch.setattr(long_sequence, "SEGMENT_CELLS", 3 * frames)

    return cut


def answers(model: Any, x: np.ndarray, lengths: Any = None) -> list[Any]:
    """Everything that goes through the engine."""
    found = model.expectation(model._sequences(x, lengths))
    numbers = [found.log_likelihood, *found.counts, *found.statistics.values()]
    return [*numbers, model.score(x, lengths), model.predict_proba(x, lengths), *model.decode(x, lengths)]


def slopes(model: Any, x: torch.Tensor, lengths: Any = None) -> list[torch.Tensor]:
    """Gradients of the parameters and the frames."""
    x = x.clone().requires_grad_()
    result = model.log_prob(x, lengths)
    weights = torch.arange(1.0, len(result) + 1, dtype=torch.float64)
    return list(torch.autograd.grad((weights * result).sum(), [*model.parameters(), x], allow_unused=True))


@pytest.mark.parametrize("frames", CUTS)
@pytest.mark.parametrize("name", ["diag", "mixture full", "categorical"])
def test_segments_change_nothing(name: str, frames: int, segmented: Any) -> None:
    x, _ = drawn(name, 30)
    model = known(name)
    expected, expected_slopes = answers(model, x), slopes(model, torch.from_numpy(x).double())
    segmented(frames)
    for found, wanted in zip(answers(model, x), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-9)
    for slope, wanted in zip(slopes(model, torch.from_numpy(x).double()), expected_slopes, strict=True):
        if wanted is None:  # symbols have no slope
            assert not slope.any()
        else:
            torch.testing.assert_close(slope, wanted, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_many_sequences_some_of_them_long(name: str, segmented: Any) -> None:
    x, _ = drawn(name)
    model = known(name, n_iter=3, tol=-np.inf)
    best = known(name, n_iter=3, tol=-np.inf, fit_method="viterbi")
    expected = [answers(model, x, LENGTHS), slopes(model, torch.from_numpy(x).double(), LENGTHS)]
    fitted = [known(name, n_iter=3, tol=-np.inf, fit_method=each).fit(x, LENGTHS) for each in ("em", "viterbi")]
    segmented(11)
    found = [answers(model, x, LENGTHS), slopes(model, torch.from_numpy(x).double(), LENGTHS)]
    for values, wanted in zip(found, expected, strict=True):
        for value, want in zip(values, wanted, strict=True):
            if want is not None:
                np.testing.assert_allclose(value, want, rtol=1e-10, atol=1e-9)
    close(model.fit(x, LENGTHS), fitted[0], atol=1e-9)
    close(best.fit(x, LENGTHS), fitted[1], atol=1e-9)


def strict_model() -> GaussianHMM:
    """Left to right with variances so small that a frame tells states apart by thousands of nats."""
    model = GaussianHMM(3, topology=Topology.left_to_right(3), covariance_type="spherical", n_features=1)
    model.means_, model.covars_ = [[0.0], [1.0], [2.0]], [1e-4, 1e-4, 1e-4]
    model.startprob_ = [1, 0, 0]
    model.transmat_ = [[0.9, 0.1, 0], [0, 0.9, 0.1], [0, 0, 1]]
    return model


@pytest.mark.parametrize("frames", [2, 3, 10, 29])
def test_what_is_improbable_so_far_may_win_later(frames: int, segmented: Any) -> None:
    """The last ten frames force a path through states that had next to no probability before."""
    model, x = strict_model(), np.zeros((30, 1))
    x[20:] = 2
    data = [x, x[::-1].copy(), np.zeros((30, 1)), np.full((30, 1), 2.0)]
    expected = [answers(model, each) for each in data]
    segmented(frames)
    for each, values in zip(data, expected, strict=True):
        for found, wanted in zip(answers(model, each), values, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_precision_is_that_of_the_parameters(kind: torch.dtype, segmented: Any) -> None:
    x, _ = drawn("diag")
    model = known("diag", dtype=kind)
    expected = answers(model, x)
    segmented(13)
    tolerance = 1e-4 if kind == torch.float32 else 1e-10
    for found, wanted in zip(answers(model, x), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
    assert model.predict_proba(torch.from_numpy(x)).dtype == kind


def test_impossible_ones_are_still_named(segmented: Any) -> None:
    model = strict_model()
    segmented(1)
    assert model.score(np.zeros((2, 1))) == -np.inf
    assert model.decode(np.zeros((2, 1)))[1].tolist() == [-1, -1]
    assert not model.predict_proba(np.zeros((2, 1))).any()
    assert not any(slope.any() for slope in slopes(model, torch.zeros(2, 1, dtype=torch.float64)))
    with pytest.raises(ValueError, match="sequence 1 of 2 frames is impossible for this model"):
        model.fit(np.zeros((5, 1)), [3, 2])


def test_scores_of_one_segment_are_held(segmented: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most frames that emissions score at once, and that the engine is given at once."""
    model, (x, _) = known("diag", n_iter=1), drawn("diag", 500)
    seen: list[int] = []
    scores = type(model.emission).scores
    monkeypatch.setattr(type(model.emission), "scores", lambda own, x: (seen.append(len(x)), scores(own, x))[1])
    for name in ("log_likelihood", "forward_backward"):
        original = getattr(long_sequence, name)

        def spy(given: torch.Tensor, *rest: Any, _original: Any = original, **options: Any) -> Any:
            seen.append(len(given))
            return _original(given, *rest, **options)

        monkeypatch.setattr(long_sequence, name, spy)
    segmented(50)
    model.fit(x)
    slopes(model, torch.from_numpy(x))
    answers(model, x)
    assert max(seen) == 51  # the frame before a segment goes with it
    assert seen.count(50) + seen.count(51) >= 4 * 10
