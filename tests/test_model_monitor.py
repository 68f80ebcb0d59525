"""How a fit is told of, and what is left when it is interrupted."""

from __future__ import annotations

import io
import itertools
import sys
from typing import Any

import numpy as np
import pytest
from model_cases import close, drawn, known

from streamhmm.models.em import ConvergenceMonitor


@pytest.mark.parametrize("at", ["expectation", "maximise", "_maximise"])
def test_ctrl_c_leaves_the_last_whole_iteration(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = drawn("diag")
    model, calls = known("diag", tol=-np.inf), itertools.count()
    original = getattr(model, at)

    def interrupted(*arguments: Any) -> Any:
        result = original(*arguments)
        if next(calls) == 2:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(model, at, interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x)
    close(model, known("diag", tol=-np.inf, n_iter=2).fit(x), atol=0)
    assert model.monitor_.outcome == "not converged: ended after 2 of n_iter = 10 iterations"


def test_the_monitor_tells_how_it_went() -> None:
    monitor = ConvergenceMonitor(tol=0.5, n_iter=3)
    assert (monitor.iter, monitor.converged, str(np.isnan(monitor.gain))) == (0, False, "True")
    monitor.report(-10.0, 0.25)
    monitor.report(-8.0, 0.5)
    assert (monitor.iter, monitor.gain, monitor.converged, monitor.history) == (2, 2.0, False, [-10.0, -8.0])
    assert monitor.outcome == "not converged: ended after 2 of n_iter = 3 iterations"
    monitor.report(-7.0, 0.125)
    assert monitor.outcome == "not converged: all n_iter = 3 iterations are done, the last gained 1"
    monitor.report(-6.75, 0.125)
    assert str(monitor).splitlines() == [
        "iteration    log-likelihood          gain   seconds",
        "        1        -10.000000                   0.250",
        "        2         -8.000000     +2.000000     0.500",
        "        3         -7.000000     +1.000000     0.125",
        "        4         -6.750000     +0.250000     0.125",
        "converged: iteration 4 gained 0.25, less than tol = 0.5",
    ]


def test_the_table_leaves_out_the_middle_of_many_iterations() -> None:
    monitor = ConvergenceMonitor(tol=0.0, n_iter=100)
    for step in range(50):
        monitor.report(float(step))
    rows = str(monitor).splitlines()
    assert [row.split()[0] for row in rows[1:-1]] == [*map(str, range(1, 11)), "…", *map(str, range(41, 51))]


def test_a_terminal_shows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen, pipe = Terminal(), io.StringIO()
    x, _ = drawn("diag")
    for stream, verbose in ((screen, True), (pipe, True)):
        monkeypatch.setattr(sys, "stderr", stream)
        model = known("diag", n_iter=2, verbose=verbose, tol=-np.inf).fit(x)
    assert f"EM, log-likelihood {model.monitor_.history[-1]:.6g}, gain {model.monitor_.gain:.3g}" in screen.getvalue()
    assert pipe.getvalue() == ""


def test_a_fall_is_warned_of() -> None:
    x, _ = drawn("diag")
    model = known("diag", n_iter=2, means_prior=50.0, means_weight=1000.0)
    with pytest.warns(
        RuntimeWarning, match="iteration 2 lowered the log-likelihood by .*: priors or floors outweigh"
    ) as told:
        model.fit(x)
    assert told[0].filename == __file__
