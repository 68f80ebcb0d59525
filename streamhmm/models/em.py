"""Iterations that raise a likelihood, and the record of how they went."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from rich.console import Console
from rich.progress import Progress
from torch import nn

PRECISION = 1.5e-8
"""A log-likelihood may fall by so much, relatively, for rounding alone."""
_SHOWN = 20  # rows of the table


@dataclass
class ConvergenceMonitor:
    """How the log-likelihood grew, with the names of hmmlearn's monitor; ``print`` shows it as a table.

    Attributes:
        tol: it has converged when an iteration gains less.
        n_iter: iterations at most.
        verbose: show a progress bar on a terminal.
        history: log-likelihood before each M step; of Viterbi training: the best paths' scores.
        seconds: how long each iteration took.
    """

    tol: float
    n_iter: int
    verbose: bool = False
    history: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def iter(self) -> int:
        """Iterations done."""
        return len(self.history)

    @property
    def gains(self) -> list[float]:
        """What the last iterations gained, nats: all but the first."""
        return [after - before for before, after in pairwise(self.history)]

    @property
    def gain(self) -> float:
        """What the last iteration gained, nats; NaN before there are two."""
        return self.history[-1] - self.history[-2] if self.iter >= 2 else float("nan")

    @property
    def converged(self) -> bool:
        """The last iteration gained less than ``tol``."""
        return self.gain < self.tol

    @property
    def outcome(self) -> str:
        """Why it ended, in words."""
        if self.converged:
            return f"converged: iteration {self.iter} gained {self.gain:.3g}, less than tol = {self.tol:g}"
        if self.iter >= self.n_iter:
            return f"not converged: all n_iter = {self.n_iter} iterations are done, the last gained {self.gain:.3g}"
        return f"not converged: ended after {self.iter} of n_iter = {self.n_iter} iterations"

    def report(self, log_likelihood: float, seconds: float = float("nan")) -> None:
        """Take note of one iteration."""
        self.history.append(log_likelihood)
        self.seconds.append(seconds)

    def warn_of_fall(self) -> None:
        """Warns RuntimeWarning where the last iteration lowered the log-likelihood by more than rounding does."""
        if self.gain < -PRECISION * max(1.0, abs(self.history[-1])):
            fall = f"iteration {self.iter} lowered the log-likelihood by {-self.gain:.3g}"
            warnings.warn(f"{fall}: priors or floors outweigh the data", RuntimeWarning, stacklevel=5)

    def __str__(self) -> str:
        lines = ["iteration    log-likelihood          gain   seconds"]
        for index, (value, took) in enumerate(zip(self.history, self.seconds, strict=True)):
            if _SHOWN // 2 <= index < self.iter - _SHOWN // 2:
                lines += ["        …"] if index == _SHOWN // 2 else []
                continue
            gain = f"{value - self.history[index - 1]:+.6f}" if index else ""
            lines.append(f"{index + 1:>9} {value:>17.6f} {gain:>13} {took:>9.3f}")
        return "\n".join([*lines, self.outcome])


def iterate(step: Callable[[], float], monitor: ConvergenceMonitor, label: str = "EM", rises: bool = True) -> None:
    """Repeat ``step``, which returns the log-likelihood before it, until the monitor says stop.

    Warns:
        RuntimeWarning: the log-likelihood fell, where each step ``rises``.
    """
    hidden = not (monitor.verbose and sys.stderr.isatty())
    with Progress(console=Console(stderr=True), disable=hidden, transient=True) as progress:
        task = progress.add_task(label, total=monitor.n_iter)
        for _ in range(monitor.n_iter):
            begin = time.perf_counter()
            value = step()
            monitor.report(value, time.perf_counter() - begin)
            told = f"{label}, log-likelihood {value:.6g}, gain {monitor.gain:.3g}"
            progress.update(task, advance=1, description=told)
            if rises:
                monitor.warn_of_fall()
            if monitor.converged:
                break


class Snapshot:
    """The parameters of a model as they are now."""

    def __init__(self, model: nn.Module) -> None:
        self._values = [(parameter, parameter.detach().clone()) for parameter in model.parameters()]

    @torch.no_grad()
    def restore(self) -> None:
        """Make them so again."""
        for parameter, value in self._values:
            parameter.copy_(value)
