"""Stepwise EM: one batch that is all the data is EM; many come near to it; data may come from anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from model_cases import LENGTHS, NAMES, close, copy_of, drawn, known, make

from streamhmm.models import GMMHMM, GaussianHMM
from streamhmm.models.stepwise import StepSize


def cut(x: np.ndarray, size: int) -> list[tuple[np.ndarray, list[int]]]:
    return [(x[first : first + size], [len(x[first : first + size])]) for first in range(0, len(x), size)]


@pytest.mark.parametrize("name", NAMES)
def test_one_batch_with_full_steps_is_em(name: str) -> None:
    x, _ = drawn(name)
    whole = known(name, n_iter=4, tol=-np.inf).fit(x, LENGTHS)
    batches = known(name).fit_batches([(x, LENGTHS)], n_passes=4, decay=0.0)
    close(batches, whole)
    np.testing.assert_allclose(batches.monitor_.history, whole.monitor_.history, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_the_weighted_means_of_batches(name: str) -> None:
    """Two batches with step sizes 1 and η give the M step of (1 − η) · first + η · second, each by mean frame."""
    x, _ = drawn(name)
    model, first, second = known(name), known(name), known(name)
    model.fit_batches([x[:60], x[60:]], decay=0.6, offset=2.0)
    eta = 3.0**-0.6
    found = first.expectation(first._sequences(x[:60], None))
    kept = {key: value * (1 - eta) / 60 for key, value in first.emission.about_zero(found.statistics).items()}
    kept_counts = [value * (1 - eta) / 60 for value in found.counts]
    first.maximise(found)
    second.load_state_dict(first.state_dict())
    found = second.expectation(second._sequences(x[60:], None))
    for key, value in second.emission.about_zero(found.statistics).items():
        found.statistics[key] = 100 * (kept[key] + eta * value / 40)
    statistics = second.emission.about_means(found.statistics)
    counts = [100 * (a + eta * b / 40) for a, b in zip(kept_counts, found.counts, strict=True)]
    second.maximise(found._replace(counts=type(found.counts)(*counts), statistics=statistics))
    close(model, second)


@pytest.mark.parametrize("name", NAMES)
def test_many_batches_come_near_to_em(name: str) -> None:
    """After six passes within 2 nats of EM after forty, or where that is slow, beyond EM after six."""
    x, _ = drawn(name, 600)
    start = make(name, random_state=1, n_iter=0).fit(x)
    forty, six = (copy_of(start, name, n_iter=count, tol=-np.inf).fit(x).score(x) for count in (40, 6))
    found = copy_of(start, name).fit_batches(cut(x, 50), n_passes=6, burn_in=2).score(x)
    assert forty > start.score(x) + 50
    assert found > min(forty - 2, six)


def test_batches_come_from_anywhere(tmp_path: Any) -> None:
    x, _ = drawn("diag", 120)
    expected = known("diag").fit_batches([x[:60], x[60:]], n_passes=2)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    loader = torch.utils.data.DataLoader(torch.from_numpy(x).reshape(2, 60, 2), batch_size=1)
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(x).reshape(2, 60, 2), torch.tensor([60, 60]))
    sources: list[Any] = [
        lambda: (mapped[first : first + 60] for first in (0, 60)),
        [mapped[:60], mapped[60:]],
        loader,
        torch.utils.data.DataLoader(pairs, batch_size=1),
    ]
    for source in sources:
        close(known("diag").fit_batches(source, n_passes=2), expected)
    close(known("diag").fit_batches(iter([x[:60], x[60:]])), known("diag").fit_batches([x[:60], x[60:]]))


def test_partial_fit_is_the_same_one_by_one() -> None:
    x, _ = drawn("mixture diag", 120)
    expected = known("mixture diag").fit_batches([x[:60], x[60:]], decay=0.8, n_frames=120)
    model = known("mixture diag")
    for part in (x[:60], x[60:]):
        assert model.partial_fit(part, decay=0.8, n_frames=120) is model
    close(model, expected)
    fresh = make("mixture diag", random_state=0).partial_fit(x).partial_fit(x)
    assert fresh.score(x) > make("mixture diag", random_state=0, n_iter=0).fit(x).score(x)
    again = make("mixture diag", random_state=0).fit_batches([x])
    close(again, make("mixture diag", random_state=0, n_iter=1).fit(x))


def test_burn_in_only_gathers() -> None:
    x, _ = drawn("poisson")
    model, before = known("poisson"), known("poisson")
    model.fit_batches([x, x], burn_in=2)
    close(model, before, atol=0)
    model.fit_batches([x, x], burn_in=1)
    close(model, known("poisson", n_iter=1).fit(x))


def test_priors_weigh_what_they_weigh_in_em() -> None:
    x, _ = drawn("diag")
    prior = {"transmat_prior": 5.0, "means_prior": 1.0, "means_weight": 20.0}
    whole = known("diag", n_iter=1, **prior).fit(x)
    close(known("diag", **prior).fit_batches([x]), whole)
    half = known("diag", **prior).fit_batches([x], n_frames=2 * len(x))
    twice = known("diag", n_iter=1, **prior).fit(np.concatenate((x, x)), [len(x)] * 2)
    close(half, twice)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batches": []}, ValueError, "there must be at least one batch, got none"),
        ({"batches": [np.zeros((0, 2))]}, ValueError, "X must have rows to learn from, got none"),
        ({"decay": 1.5}, ValueError, "decay must be in 0 … 1, got 1.5"),
        ({"offset": 0.5}, ValueError, "offset must be at least 1, got 0.5"),
        ({"batches": [np.zeros((3, 4))]}, ValueError, "X must have 2 features, got 4"),
        (
            {"batches": iter([np.zeros((3, 2))]), "n_passes": 2},
            TypeError,
            "batches can be gone through once only",
        ),
    ],
)
def test_wrong_calls_are_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        known("diag").fit_batches(**{"batches": [drawn("diag")[0]], **arguments})


@pytest.mark.parametrize("kind", ["spherical", "diag", "full", "tied"])
@pytest.mark.parametrize("family", [GaussianHMM, GMMHMM])
def test_statistics_of_several_moments_add_up(family: type[Any], kind: str) -> None:
    """About zero they are the same whatever the parameters are; there and back changes nothing."""
    x, weights = torch.from_numpy(drawn("diag")[0]), torch.rand(sum(LENGTHS), 3, dtype=torch.float64)
    found = []
    for shift in (0.0, 5.0):
        model = family(3, covariance_type=kind, n_features=2)
        model.means_ = model.means_ + shift
        with torch.no_grad():
            sums = model.emission.statistics(x, weights)
        found.append(model.emission.about_zero(sums))
        for key, value in model.emission.about_means(found[-1]).items():
            torch.testing.assert_close(value, sums[key])
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key])


def test_an_empty_batch_is_refused_later_too() -> None:
    model = known("diag").partial_fit(drawn("diag")[0])
    with pytest.raises(ValueError, match="X must have rows to learn from, got none"):
        model.partial_fit(np.zeros((0, 2)))


def test_step_sizes() -> None:
    assert [StepSize(1.0, 1.0).at(batch) for batch in range(4)] == [1, 1 / 2, 1 / 3, 1 / 4]
    assert [StepSize(0.0, 7.0).at(batch) for batch in (0, 5)] == [1, 1]
