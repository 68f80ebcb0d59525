"""The errors of alignments drawn: how many are how large, and of which phones and speakers."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from streamhmm.metrics import CLASSES, THRESHOLDS_MS, Evaluation, Row
from streamhmm.metrics.phone_classes import PAUSE
from streamhmm.plots.canvas import drawing, new_figure, save_figures

if TYPE_CHECKING:
    from streamhmm.plots.canvas import Axes, Figure

COLOURS = {"words": "#0072b2", "phones": "#d55e00"}
"""Okabe & Ito (2008): told apart by the colour-blind too."""
_STYLES = {"words": "-", "phones": (0, (4, 1.5))}
_GREY, _INK = "#67707b", "#1b1f24"
_SHOWN_MS = 200.0
_HISTOGRAM_MS, _BIN_MS = 80.0, 4.0
_MOST_BARS = 24
_FEWEST = 5
"""Boundaries of which a median is drawn."""


def plot_comparison(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Draw an evaluation into a file, .png, .svg or .pdf.

    Above: the share of boundaries within each distance of the reference, with the usual limits marked, and a histogram
    of the signed errors. Below: the median by phone class with its interval, by what meets at a boundary, and by
    speaker, where these are known.

    Raises:
        ValueError: an unknown suffix.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    with drawing():
        save_figures([_figure(evaluation)], path)


def _figure(evaluation: Evaluation) -> Figure:
    speakers = next(iter(evaluation.speakers.items()), None)
    bars = min(len(speakers[1]), _MOST_BARS) if speakers else 0
    heights = [4.0] + ([3.6] if evaluation.classes else []) + ([0.9 + 0.24 * bars] if speakers else [])
    figure = new_figure(11.0, sum(heights) + 0.4)
    rows: Any = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    top = rows[0].subgridspec(1, 2, width_ratios=(1.25, 1))
    _draw_cumulated(figure.add_subplot(top[0]), evaluation)
    _draw_histogram(figure.add_subplot(top[1]), evaluation)
    if evaluation.classes:
        below = rows[1].subgridspec(1, 2, width_ratios=(1.25, 1))
        order = [kind for kind in CLASSES if kind in evaluation.classes]
        classes = {kind: evaluation.classes[kind] for kind in order}
        _draw_bars(figure.add_subplot(below[0]), "phones by class", classes, COLOURS["phones"])
        _draw_pairs(figure.add_subplot(below[1]), evaluation)
    if speakers:
        tier, by_speaker = speakers
        _draw_bars(figure.add_subplot(rows[-1]), f"{tier} by speaker", _worst(by_speaker), COLOURS[tier])
    return figure


def _draw_cumulated(axes: Axes, evaluation: Evaluation) -> None:
    """Missed boundaries are within no distance, so a curve may end below 100 %."""
    for limit in THRESHOLDS_MS:
        axes.axvline(limit, color=_GREY, linewidth=0.6, alpha=0.5, zorder=0)
    for tier, errors in evaluation.errors.items():
        sizes = np.sort(np.abs(errors[~np.isnan(errors)])) * 1000
        shares = 100 * np.arange(1, len(sizes) + 1) / len(errors)
        end = shares[-1:] if len(shares) else [0.0]
        x, y = np.concatenate([[0.0], sizes, [max([_SHOWN_MS, *sizes[-1:]])]]), np.concatenate([[0.0], shares, end])
        label = f"{tier} (n = {len(errors)})"
        axes.step(x, y, where="post", color=COLOURS[tier], linestyle=_STYLES[tier], linewidth=1.8, label=label)
    axes.set_xscale("symlog", linthresh=20, linscale=1.0)
    axes.set(xlim=(0, _SHOWN_MS), ylim=(0, 101), xlabel="distance from the reference (ms)")
    axes.set(title="boundaries within a distance", ylabel="% of boundaries")
    ticks = (0, *THRESHOLDS_MS, _SHOWN_MS)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="y", alpha=0.25)
    axes.legend(loc="lower right", frameon=False)


def _draw_histogram(axes: Axes, evaluation: Evaluation) -> None:
    edges = np.arange(-_HISTOGRAM_MS - _BIN_MS / 2, _HISTOGRAM_MS + _BIN_MS, _BIN_MS)
    notes = []
    for tier, errors in evaluation.errors.items():
        known = 1000 * errors[~np.isnan(errors)]
        if not len(known):
            continue
        counts, _ = np.histogram(known, edges)
        shares = 100 * counts / len(known)
        axes.stairs(shares, edges, color=COLOURS[tier], fill=True, alpha=0.2)
        axes.stairs(shares, edges, color=COLOURS[tier], linestyle=_STYLES[tier], linewidth=1.4)
        offset = float(np.median(known))
        axes.axvline(offset, color=COLOURS[tier], linestyle=_STYLES[tier], linewidth=1.0)
        beyond = 100 * np.mean(abs(known) > _HISTOGRAM_MS)
        notes.append(f"{tier}: median {offset:+.1f} ms\n{beyond:.1f} % further than ±{_HISTOGRAM_MS:g} ms")
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.set(title="errors", xlabel="hypothesis − reference (ms)", ylabel=f"% in {_BIN_MS:g} ms")
    axes.set_xlim(-_HISTOGRAM_MS, _HISTOGRAM_MS)
    axes.text(0.02, 0.98, "\n".join(notes), transform=axes.transAxes, va="top", fontsize=8, color=_GREY)
    axes.set_ylim(top=axes.get_ylim()[1] * 1.15)


def _draw_bars(axes: Axes, title: str, rows: Mapping[str, Row], colour: str) -> None:
    """Medians with their intervals, and what share lies within 20 ms."""
    names = [_shortened(name or ".") for name in rows]
    figures = [row.figures["median_ms"] for row in rows.values()]
    places = np.arange(len(names))[::-1]
    medians = [0.0 if math.isnan(figure.value) else figure.value for figure in figures]
    axes.barh(places, medians, height=0.62, color=colour, alpha=0.75)
    spans = [(f, place) for f, place in zip(figures, places, strict=True) if not math.isnan(f.low)]
    axes.hlines([p for _, p in spans], [f.low for f, _ in spans], [f.high for f, _ in spans], color=_INK, linewidth=1.2)
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    right = max([1.0, *medians, *(figure.high for figure, _ in spans)])
    axes.set(xlim=(0, right * 1.42), title=title, xlabel="median distance (ms), line: 95 % interval")
    for place, row in zip(places, rows.values(), strict=True):
        within = row.figures["within_20_ms"].value
        text = f"{within:.0f} % ≤ 20 ms, n = {row.boundaries}"
        axes.text(right * 1.41, place, text, va="center", ha="right", fontsize=8, color=_GREY)


def _draw_pairs(axes: Axes, evaluation: Evaluation) -> None:
    pairs = {pair: summary for pair, summary in evaluation.class_pairs.items() if summary.boundaries >= _FEWEST}
    kinds = [kind for kind in (*CLASSES, PAUSE) if any(kind in pair for pair in pairs)]
    axes.set_title("median distance where two phones meet (ms)")
    if not kinds:
        axes.axis("off")
        axes.text(0, 0.9, f"fewer than {_FEWEST} boundaries of every kind", color=_GREY, transform=axes.transAxes)
        return
    medians = np.full((len(kinds), len(kinds)), np.nan)
    for (left, right), summary in pairs.items():
        medians[kinds.index(left), kinds.index(right)] = summary.median_ms
    highest = max(20.0, float(np.nanmax(medians))) if not np.isnan(medians).all() else 20.0
    axes.imshow(medians, cmap="cividis_r", vmin=0, vmax=highest, aspect="auto")
    for (row, column), value in np.ndenumerate(medians):
        if not math.isnan(value):
            ink = "white" if value > 0.55 * highest else _INK
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(range(len(kinds)), kinds, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(kinds)), kinds)
    axes.tick_params(length=0, labelcolor=_INK)
    axes.set(xlabel="right of the boundary", ylabel="left of it")
    axes.spines[:].set_visible(False)


def _worst(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The speakers whose median is largest, as many as can be drawn."""
    order: Sequence[str] = sorted(rows, key=lambda name: -np.nan_to_num(rows[name].figures["median_ms"].value))
    return {name: rows[name] for name in order[:_MOST_BARS]}


def _shortened(name: str) -> str:
    return name if len(name) <= 24 else f"…{name[-23:]}"
