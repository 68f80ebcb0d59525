"""Expectation maximisation, and the record of how it went."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.progress import Progress

PRECISION = 1.5e-8
"""A log-likelihood may fall by so much, relatively, for rounding alone."""


@dataclass
class ConvergenceMonitor:
    """How the log-likelihood grew.

    Attributes:
        tol: it has converged when an iteration gains less.
        n_iter: iterations at most.
        history: log-likelihood (with the priors' share where there is one) before each M step.
    """

    tol: float
    n_iter: int
    verbose: bool = False
    history: list[float] = field(default_factory=list)

    @property
    def iter(self) -> int:
        """Iterations done."""
        return len(self.history)

    @property
    def converged(self) -> bool:
        """The last iteration gained less than ``tol``."""
        return self.iter >= 2 and self.history[-1] - self.history[-2] < self.tol

    def report(self, log_likelihood: float) -> None:
        """Take note of one iteration.

        Warns:
            RuntimeWarning: the log-likelihood fell.
        """
        gain = log_likelihood - self.history[-1] if self.history else float("nan")
        self.history.append(log_likelihood)
        if gain < -PRECISION * max(1.0, abs(log_likelihood)):
            text = (
                f"iteration {self.iter} lowered the log-likelihood by {-gain:.3g}: priors or floors outweigh the data"
            )
            warnings.warn(text, RuntimeWarning, stacklevel=4)


def iterate(step: Callable[[], float], monitor: ConvergenceMonitor) -> None:
    """Repeat ``step``, which returns the log-likelihood before it, until the monitor says stop."""
    monitor.history.clear()
    with Progress(disable=not (monitor.verbose and sys.stderr.isatty()), transient=True) as progress:
        task = progress.add_task("EM", total=monitor.n_iter)
        for _ in range(monitor.n_iter):
            monitor.report(step())
            progress.update(task, advance=1, description=f"EM, log-likelihood {monitor.history[-1]:.6g}")
            if monitor.converged:
                break
