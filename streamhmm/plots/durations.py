"""How long a model stays in each of its states."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.plots.canvas import drawing, new_figure, save_figures
from streamhmm.plots.labels import GREY, INK
from streamhmm.plots.states import as_array, chain_names, decoded_path, runs_of, state_colour, state_names

if TYPE_CHECKING:
    from streamhmm.models.estimator import Estimator
    from streamhmm.plots.canvas import Axes, Figure

LONGEST_FRAMES = 4096
_COLUMNS = 4
_MOST_BINS, _FEWEST = 40, 6
_NONE, _NEARLY_ALL = 1e-6, 0.9999
_SHOWN = 0.99
"""The share of visits that the axis has room for."""


class _Panel(NamedTuple):
    """A state: its name, probabilities of 1 … D frames, and the frames of each decoded visit."""

    name: str
    chances: NDArray[np.float64]
    visits: list[int]
    cut: int


def plot_durations(
    model: Estimator,
    X: Any = None,
    lengths: Any = None,
    path: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    frame_s: float | None = None,
    **given: Any,
) -> Figure:
    """Draw how long each state lasts: the model's distribution, and the histogram of the visits in a decoded path.

    That of an HMM follows from its transitions: geometric for a single state, of phase type where several share an
    emission (:func:`streamhmm.models.visits.visit_lengths`). A semi-Markov model has its own; where several of its
    states share an emission, no histogram is drawn. Where transitions vary with time, there is only that. Visits
    that the beginning or the end of a sequence may have cut off are left out of the histogram, unless all sequences
    begin and end there.

    Args:
        model: with parameters.
        X, lengths: observations to decode; None draws the model alone.
        path: where to write it, .png, .svg or .pdf; None writes nothing.
        names: of the states; by default their numbers.
        frame_s: seconds a frame lasts; by default durations are in frames.
        given: what the model's ``predict`` takes besides, such as a neural one's ``context``.

    Raises:
        ValueError: observations that the model does not take, a wrong number of names, an unknown suffix.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    labels = state_names(model, names)
    chances, visits = _chances(model), _visits(model, X, lengths, **given)
    if len(chances) > len(labels):  # a path does not tell which of the states of an emission it is in
        labels, visits = chain_names(model, labels), []
    panels = _panels(labels, chances, visits)
    with drawing():
        rows = -(-len(panels) // _COLUMNS)
        columns = -(-len(panels) // rows)
        figure = new_figure(0.6 + 2.8 * columns, 0.5 + 2.1 * rows)
        grid = figure.subplots(rows, columns, squeeze=False)
        for state, panel in enumerate(panels):
            _draw(grid.flat[state], panel, state_colour(state), frame_s)
        for empty in grid.flat[len(panels) :]:
            empty.axis("off")
        figure.supxlabel("duration (frames)" if frame_s is None else "duration (s)", fontsize=9, color=INK)
        figure.supylabel("share of the visits, per frame", fontsize=9, color=INK)
        if path is not None:
            save_figures([figure], path)
    return figure


def _chances(model: Estimator) -> NDArray[np.float64]:
    """(S, D); NaN where transitions, and so durations, vary with time."""
    if getattr(model, "transitions", None) is not None:
        return np.full((model.n_components, 1), np.nan)
    own = getattr(model, "durations_", None)
    if own is not None:
        return np.asarray(as_array(own), dtype=np.float64)
    from streamhmm.models.visits import visit_lengths

    return np.asarray(as_array(visit_lengths(model.chain, LONGEST_FRAMES)))


def _visits(model: Estimator, x: Any, lengths: Any, **given: Any) -> list[tuple[int, int, bool]]:
    """State, frames, and whether it may be longer in truth."""
    if x is None:
        return []
    states, each = decoded_path(model, x, lengths, **given)
    topology = model.chain.topology
    whole = not bool(topology.first.all()) and not bool(topology.last.all())
    return [(run.state, run.frames, run.cut and not whole) for run in runs_of(states, each)]


def _panels(labels: list[str], chances: NDArray[np.float64], visits: list[tuple[int, int, bool]]) -> list[_Panel]:
    panels = []
    for state, name in enumerate(labels):
        own = [(frames, cut) for number, frames, cut in visits if number == state]
        whole = [frames for frames, cut in own if not cut]
        panels.append(_Panel(name, chances[state], whole, len(own) - len(whole)))
    return panels


def _draw(axes: Axes, panel: _Panel, colour: str, frame_s: float | None) -> None:
    total, scale = panel.chances.sum(), frame_s or 1.0
    reached = int(np.searchsorted(np.cumsum(panel.chances), _SHOWN * total)) if total > _NONE else 0
    shown = max([reached + 1, _FEWEST, *panel.visits])
    if panel.visits:
        bins = min(shown, _MOST_BINS, max(_FEWEST, math.ceil(2 * math.sqrt(len(panel.visits)))))
        width = -(-shown // bins)
        edges = np.arange(0, shown + width, width) + 0.5
        counts, _ = np.histogram(panel.visits, edges)
        axes.stairs(counts / len(panel.visits) / width, edges * scale, fill=True, color=colour, alpha=0.3)
    if total > _NONE:
        frames = np.arange(1, min(shown, len(panel.chances)) + 1)
        dots: dict[str, Any] = {"marker": "o", "markersize": 2.8} if shown <= _MOST_BINS else {}
        axes.plot(frames * scale, panel.chances[: len(frames)], color=colour, linewidth=1.3, **dots)
    axes.set_title(panel.name, color=INK)
    drawn = bool(panel.visits) or total > _NONE
    axes.set(xlim=(0, (shown + 0.5) * scale), ylim=(0, 1.35 * axes.dataLim.ymax if drawn else 1))
    text = "\n".join(_notes(panel, frame_s))
    axes.text(0.98, 0.98, text, transform=axes.transAxes, ha="right", va="top", fontsize=7.5, color=GREY)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.locator_params(axis="y", nbins=4)
    axes.locator_params(axis="x", nbins=5, integer=frame_s is None)
    if not drawn:
        axes.set_yticks([])


def _notes(panel: _Panel, frame_s: float | None) -> list[str]:
    unit, scale = ("frames", 1.0) if frame_s is None else ("s", frame_s)
    total = panel.chances.sum()
    if np.isnan(total):
        lines = ["model: varies with time"]
    elif total <= _NONE:
        lines = ["model: to the end"]
    elif total < _NEARLY_ALL:  # too little of it is known to tell the mean
        lines = [f"model: {1 - total:.0%} beyond {len(panel.chances) * scale:g} {unit}"]
    else:
        mean = float(panel.chances @ np.arange(1, len(panel.chances) + 1)) / total
        lines = [f"model: mean {mean * scale:.3g} {unit}"]
    if panel.visits:
        lines.append(f"{len(panel.visits)} visits: mean {np.mean(panel.visits) * scale:.3g} {unit}")
    if panel.cut:
        lines.append(f"{panel.cut} cut off, left out")
    return lines
