"""How the log-likelihood grew while a model learned."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from streamhmm.plots.canvas import COLOURS, drawing, new_figure, save_figures
from streamhmm.plots.labels import GREY, INK

if TYPE_CHECKING:
    from streamhmm.models.em import ConvergenceMonitor
    from streamhmm.models.estimator import Estimator
    from streamhmm.plots.canvas import Axes, Figure

_STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
_MOST_NAMED = 12
_BELOW = 30
"""A ``tol`` so many times below every gain is not drawn: it would flatten the curves."""


def plot_training(
    runs: Estimator | Iterable[Estimator] | Mapping[str, Estimator], path: str | os.PathLike[str] | None = None
) -> Figure:
    """Draw the log-likelihood before each iteration, and what each iteration gained beside the ``tol`` that ends it.

    An iteration of a NeuralHMM is a pass over the data, and its gain the mean of several, as ``tol`` is compared with
    it. A disc marks where a run converged, a cross where it ended without.

    Args:
        runs: a fitted model, several, or several by name.
        path: where to write it, .png, .svg or .pdf; None writes nothing.

    Raises:
        ValueError: no model, or one that was not fitted; an unknown suffix.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    models = _fitted(runs)
    monitors = {name: model.monitor_ for name, model in models.items()}
    with drawing():
        figure = new_figure(9.5, 3.3)
        values, gains = figure.subplots(1, 2, width_ratios=(1.25, 1))
        for index, (name, monitor) in enumerate(monitors.items()):
            look = {"color": COLOURS[index % len(COLOURS)], "linestyle": _STYLES[index // len(COLOURS) % len(_STYLES)]}
            _draw_run(values, gains, name, monitor, look)
        _finish(values, gains, monitors)
        if any(getattr(model, "fit_method", "em") == "viterbi" for model in models.values()):
            values.set_title("log-likelihood (Viterbi training: score of the paths)")
        if path is not None:
            save_figures([figure], path)
    return figure


def _fitted(runs: Any) -> dict[str, Estimator]:
    """The models by name. Raises ValueError unless there are some, all fitted."""
    if isinstance(runs, Mapping):
        named: dict[str, Any] = dict(runs)
    elif hasattr(runs, "predict_proba"):  # a model, which may be a container of modules too
        named = {"": runs}
    else:
        named = {f"run {index}": run for index, run in enumerate(runs)}
    if not named:
        raise ValueError("there must be at least one fitted model, got none")
    for name, run in named.items():
        if not getattr(getattr(run, "monitor_", None), "history", None):
            raise ValueError(f"the model{f' {name!r}' if name else ''} was not fitted yet; call fit")
    return named


def _draw_run(values: Axes, gains: Axes, name: str, monitor: ConvergenceMonitor, look: dict[str, Any]) -> None:
    history = np.array(monitor.history)
    iterations = np.arange(1, len(history) + 1)
    values.plot(iterations, history, linewidth=1.5, label=name, **look)
    marker: dict[str, Any] = {"marker": "o" if monitor.converged else "X"}
    marker.update(markersize=7.5, markeredgecolor="white", color=look["color"], linestyle="", zorder=5)
    values.plot(iterations[-1:], history[-1:], **marker)
    gained = np.array(monitor.gains)
    above = np.where(gained > 0, gained, np.nan)  # what a logarithm shows
    gains.plot(iterations[len(history) - len(gained) :], above, linewidth=1.5, **look)
    gains.plot(iterations[-1:][: len(gained)], above[-1:], **marker)


def _finish(values: Axes, gains: Axes, monitors: Mapping[str, ConvergenceMonitor]) -> None:
    values.set(title="log-likelihood", xlabel="iteration", ylabel="nats")
    gains.set(title="gain of an iteration", xlabel="iteration", ylabel="nats", yscale="log")
    gains.yaxis.set_major_formatter("{x:g}")
    lowest = gains.dataLim.intervaly[0] / _BELOW
    for tol in sorted({monitor.tol for monitor in monitors.values() if monitor.tol > lowest}):
        gains.axhline(tol, color=GREY, linewidth=0.9, linestyle=(0, (2, 2)))
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "xytext": (0, 2)}
        gains.annotate(f"tol {tol:g}", (0.01, tol), va="bottom", fontsize=8, color=GREY, **place)
    longest = max(monitor.iter for monitor in monitors.values())
    for axes in (values, gains):
        axes.set_xlim(1 - 0.03 * longest, longest * 1.03)
        axes.locator_params(axis="x", integer=True)
        axes.grid(alpha=0.25)
        axes.tick_params(labelcolor=INK)
    values.ticklabel_format(axis="y", useOffset=False, style="plain")
    done = sum(monitor.converged for monitor in monitors.values())
    only = next(iter(monitors.values())) if len(monitors) == 1 else None
    text = f"{done} of {len(monitors)} runs converged (disc)"
    if only is not None:
        text = f"{'converged' if done else 'not converged'} after {only.iter} iterations: {only.history[-1]:.6g} nats"
    values.text(0.98, 0.04, text, transform=values.transAxes, ha="right", va="bottom", fontsize=8, color=GREY)
    if only is None and len(monitors) <= _MOST_NAMED:
        values.figure.legend(loc="outside right center", frameon=False)
