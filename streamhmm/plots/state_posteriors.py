"""How probable each state of a model is over time, under the observations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamhmm.plots.canvas import drawing, new_figure, save_figures
from streamhmm.plots.labels import GREY, INK
from streamhmm.plots.states import Decoded, decoded, runs_of, state_colour, state_names

if TYPE_CHECKING:
    from streamhmm.models.estimator import Estimator
    from streamhmm.plots.canvas import Axes, Figure

WIDTH_IN = 11.0
MOST_ROWS = 10
"""States that get a row and a colour of their own; more are drawn as an image."""
_MOST_LINES = 6
_MOST_BINS = 2000
_DECODED = "#d55e00"
_LINES = (INK, "#0b6e99", "#8a6d3b", "#8a8f98", "#5b2a86", "#3f7d20")


def plot_posteriors(
    model: Estimator,
    X: Any,
    lengths: Any = None,
    path: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    frame_s: float | None = None,
    observations: bool = True,
    **given: Any,
) -> Figure:
    """Draw the probability of each state in each frame, the decoded path, and the observations above.

    Up to ten states have a row each: the area is the probability from 0 to 1, the bar under it the decoded path, whose
    colours stand behind the observations too. More are an image. Sequences stand one after another, with lines between.

    Args:
        model: with parameters.
        X, lengths: observations, as :meth:`~streamhmm.models.estimator.Estimator.fit` takes them.
        path: where to write it, .png, .svg or .pdf; None writes nothing.
        names: of the states; by default their numbers.
        frame_s: seconds a frame lasts, for a time axis; by default the axis counts frames.
        observations: draw them: lines, dots for whole numbers, an image for more than six features.
        given: what the model's ``predict`` takes besides, such as a neural one's ``context``.

    Raises:
        ValueError: observations that the model does not take, a wrong number of names, an unknown suffix.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    labels = state_names(model, names)
    found = decoded(model, X, lengths, **given)
    features = [str(name) for name in getattr(X, "columns", range(found.frames.shape[1]))]
    with drawing():
        figure = _figure(found, labels, features if observations else [], frame_s)
        if path is not None:
            save_figures([figure], path)
    return figure


def _figure(found: Decoded, labels: list[str], features: list[str], frame_s: float | None) -> Figure:
    scale = 1.0 if frame_s is None else frame_s
    rows = len(labels) <= MOST_ROWS
    height = 0.5 * len(labels) if rows else min(8.0, max(2.5, 0.17 * len(labels)))
    heights = [1.9, height] if features else [height]
    figure = new_figure(WIDTH_IN, sum(heights) + 0.9)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    if features:
        _draw_observations(axes[0], found, features, scale, coloured=rows)
    (_draw_rows if rows else _draw_image)(axes[-1], found, labels, scale)
    axes[-1].set_xlabel("frame" if frame_s is None else "time (s)")
    for axis in axes:
        for edge in np.cumsum(found.lengths)[:-1]:
            axis.axvline(edge * scale, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        axis.set_xlim(0, max(1, len(found.states)) * scale)
    return figure


def _draw_observations(axes: Axes, found: Decoded, features: list[str], frame_s: float, coloured: bool) -> None:
    axes.set_title("observations", color=INK)
    end = len(found.frames) * frame_s
    if len(features) > _MOST_LINES:
        spread = np.nanstd(found.frames, axis=0)
        values = (found.frames - np.nanmean(found.frames, axis=0)) / np.where(spread > 0, spread, 1)
        extent = (0.0, end, -0.5, len(features) - 0.5)
        image = axes.imshow(values.T, cmap="cividis", vmin=-2.5, vmax=2.5, aspect="auto", origin="lower", extent=extent)
        axes.set_ylabel("feature")
        axes.figure.colorbar(image, ax=axes, label="standard deviations", pad=0.01, fraction=0.03)
        return
    times = (np.arange(len(found.frames)) + 0.5) * frame_s
    whole = bool((found.frames == np.round(found.frames)).all())
    look: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 2.5} if whole else {"linewidth": 0.9}
    for column, name in enumerate(features):
        axes.plot(times, found.frames[:, column], color=_LINES[column], label=name, **look)
    if whole:
        axes.locator_params(axis="y", integer=True)
    if coloured:
        behind: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "alpha": 0.16, "linewidth": 0, "zorder": 0}
        for state, spans in _spans(found, frame_s).items():
            axes.broken_barh(spans, (0, 1), color=state_colour(state), **behind)
    axes.margins(y=0.08)
    if len(features) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title="feature", fontsize=8)


def _draw_rows(axes: Axes, found: Decoded, labels: list[str], frame_s: float) -> None:
    axes.set_title("states: probability (area, from 0 to 1) and decoded path (bar)", color=INK)
    means, edges = _binned(found.posteriors)
    for state in range(len(labels)):
        base = float(-state)
        area: dict[str, Any] = {"baseline": base, "color": state_colour(state)}
        axes.stairs(base + 0.74 * means[:, state], edges * frame_s, fill=True, alpha=0.55, linewidth=0, **area)
        axes.stairs(base + 0.74 * means[:, state], edges * frame_s, linewidth=0.8, **area)
        axes.axhline(base, color=GREY, linewidth=0.5)
    for state, spans in _spans(found, frame_s).items():
        axes.broken_barh(spans, (-state - 0.16, 0.13), color=state_colour(state))
    axes.set_yticks(-np.arange(len(labels)) + 0.3, labels)
    axes.set_ylim(-len(labels) + 0.78, 0.82)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)


def _draw_image(axes: Axes, found: Decoded, labels: list[str], frame_s: float) -> None:
    axes.set_title("probability of the states, and the decoded path (orange)", color=INK)
    means, edges = _binned(found.posteriors)
    extent = (0.0, edges[-1] * frame_s, len(labels) - 0.5, -0.5)
    image = axes.imshow(means.T, cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    for state, spans in _spans(found, frame_s).items():
        axes.broken_barh(spans, (state + 0.33, 0.14), color=_DECODED, linewidth=0)
    step = 1 + (len(labels) - 1) // 45
    axes.set_yticks(range(0, len(labels), step), labels[::step])
    axes.tick_params(axis="y", labelsize=7, length=0, pad=2, labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.figure.colorbar(image, ax=axes, label="probability", pad=0.01, fraction=0.03)


def _spans(found: Decoded, frame_s: float) -> dict[int, list[tuple[float, float]]]:
    """Begin and length of each decoded stretch, by state."""
    spans: dict[int, list[tuple[float, float]]] = {}
    for run in runs_of(found.states, found.lengths):
        spans.setdefault(run.state, []).append((run.start * frame_s, run.frames * frame_s))
    return spans


def _binned(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Means over as many frames as a dot of the picture has, and the edges between these, in frames."""
    count = max(1, len(values))
    edges = np.unique(np.linspace(0, count, min(count, _MOST_BINS) + 1).astype(int))
    return np.add.reduceat(values, edges[:-1]) / np.diff(edges)[:, None], edges
