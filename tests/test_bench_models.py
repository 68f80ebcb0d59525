"""The bench of the models: that both sides learn the same from the same start, and how that is reported."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import measure
import models as bench
import models_peers
import models_report
import models_rows
from models_problem import Problem

from streamhmm import models

SMALL = Problem(3, 2, sequences=4, frames=20, mixtures=2)


def test_the_frames_are_of_the_states_that_they_were_drawn_from():
    assert SMALL.path.shape == (80,)
    assert set(SMALL.path.tolist()) == {0, 1, 2}
    assert SMALL.vectors.shape == SMALL.counts.shape == (80, 2)
    assert SMALL.symbols.shape == (80, 1)
    large = Problem(3, 2, sequences=10, frames=1000)
    means = np.stack([large.vectors[large.path == state].mean(0) for state in range(3)])
    np.testing.assert_allclose(means, large.centres[:, 0], atol=0.1)
    own = large.symbols[:, 0] // 4 == large.path
    assert 0.8 < own.mean() < 0.95


def test_an_iteration_begins_anew_at_each_call():
    call = models_peers.one_iteration(
        lambda **given: models.GMMHMM(3, n_mix=2, **given), SMALL.mixture, SMALL.vectors, SMALL.lengths
    )
    first, second = call(), call()
    assert first.monitor_.iter == 1
    learnt = [models_peers.learnt(each, SMALL.mixture, SMALL.rows) for each in (first, second)]
    np.testing.assert_array_equal(*learnt)
    assert learnt[0][0] == first.monitor_.history[0] / 80
    assert len(learnt[0]) == 1 + 3 + 9 + 12 + 12 + 6


def test_a_slow_peer_is_measured_seldom():
    times = iter([3.0, 1.0])
    seconds = models_rows.seldom(lambda threads: next(times))
    assert [seconds(1) for _ in range(4)] == [3.0, 1.0, 2.0, 2.0]


def test_every_row_runs_and_agrees_with_its_peers(tmp_path: Path):
    pytest.importorskip("hmmlearn", reason="needs the extra bench")
    names = "GaussianHMM diag, 4", "GMMHMM diag", "PoissonHMM", "CategoricalHMM", "predict_proba", "decode"
    names += "log_prob, GMMHMM", "log_prob, HSMM", "log_prob, NeuralHMM, 5", "by a network", "transitions given"
    results = {"load_before": 0.0, "rows": []}
    for name in names:
        options = Namespace(quick=True, only=name, rounds=1, threads=[1])
        (row,) = bench.run(options, measure.make_console())["rows"]
        results["rows"].append(row)
    found = {(row["name"], name): each for row in results["rows"] for name, each in row["differences"].items()}
    assert len(found) == 6
    assert all(each["met"] for each in found.values())
    assert {one["met"] for row in results["rows"] for run in row["runs"] for one in run["compared"]} == {None}
    file = tmp_path / "results" / "models.md"
    models_report.write_markdown(file, results)
    text = file.read_text()
    assert "| hmmlearn, scaling |" in text
    assert "| pytorch_hmm (recorded) | 1,168 |" in text
    assert "met |" in text


def test_pomegranate_begins_and_ends_where_ours_does():
    pytest.importorskip("pomegranate", reason="needs the extra bench")
    case = models_rows.single_iteration(Problem(3, 2, sequences=4, frames=20))
    yardstick = case.yardsticks[0]
    assert yardstick.name == "pomegranate"
    np.testing.assert_allclose(yardstick.value(), case.value(), rtol=1e-4, atol=1e-4)
