"""Real-time factors drawn: how fast each backend is at what, and where its time goes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from streamhmm.measure.rtf import Measured
from streamhmm.measure.stages import STAGES
from streamhmm.plots.canvas import COLOURS, drawing, new_figure, save_figures

if TYPE_CHECKING:
    from streamhmm.plots.canvas import Axes, Figure

_MARKERS = "os^Dv<>Ph*"
_GREY, _INK = "#67707b", "#1b1f24"
_STAGE_COLOURS = dict(zip(STAGES, (*COLOURS[:7], "#c8ccd1"), strict=True))


def plot_rtf(results: Sequence[Measured], path: str | os.PathLike[str]) -> None:
    """Draw measurements into a file, .png, .svg or .pdf.

    Left: a call of each scenario, median and from the fastest to the 95th percentile. Right: hours of audio an hour by
    the size of the batch, and what the stages take of the scenario with most of them.

    Raises:
        ValueError: an unknown suffix.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    with drawing():
        save_figures([_figure(results)], path)


def _figure(results: Sequence[Measured]) -> Figure:
    names = list(dict.fromkeys(each.subject for each in results))
    looks = {name: (COLOURS[i % len(COLOURS)], _MARKERS[i % len(_MARKERS)]) for i, name in enumerate(names)}
    single = [each for each in results if each.batch_size is None]
    scenarios = list(dict.fromkeys(each.scenario for each in single))
    height = max(5.0, 0.9 + len(scenarios) * (0.2 + 0.13 * len(names)))
    figure = new_figure(12.0, height)
    grid: Any = figure.add_gridspec(1, 2, width_ratios=(1.2, 1))
    right = grid[1].subgridspec(2, 1)
    times, stages = figure.add_subplot(grid[0]), figure.add_subplot(right[1])
    _draw_times(times, single, scenarios, looks)
    _draw_batches(figure.add_subplot(right[0]), [each for each in results if each.batch_size is not None], looks)
    _draw_stages(stages, single)
    places: Any = ("outside lower left", "outside lower right")
    for axes, place in zip((times, stages), places, strict=True):
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc=place, ncols=3, frameon=False, fontsize=8)
    return figure


def _draw_times(
    axes: Axes, results: Sequence[Measured], scenarios: Sequence[str], looks: Mapping[str, tuple[str, str]]
) -> None:
    step = 0.8 / max(1, len(looks))
    for rank, (name, (colour, marker)) in enumerate(looks.items()):
        own = [each for each in results if each.subject == name]
        places = [scenarios.index(each.scenario) - 0.4 + (rank + 0.5) * step for each in own]
        calls = [each.call for each in own]
        axes.hlines(places, [1e3 * c.min_s for c in calls], [1e3 * c.p95_s for c in calls], color=colour, linewidth=1.2)
        middles = [1e3 * call.p50_s for call in calls]
        axes.plot(middles, places, marker, color=colour, markersize=4.5, linestyle="", label=name)
    for place in range(1, len(scenarios)):
        axes.axhline(place - 0.5, color=_GREY, linewidth=0.5, alpha=0.4)
    axes.set_yticks(range(len(scenarios)), scenarios)
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    axes.set_ylim(max(1, len(scenarios)) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.grid(axis="x", which="both", alpha=0.2)
    axes.set(title="a call: median, from the fastest to the 95th percentile", xlabel="ms")


def _draw_batches(axes: Axes, results: Sequence[Measured], looks: Mapping[str, tuple[str, str]]) -> None:
    axes.set(title="throughput by batch size", xlabel="recordings in a batch", ylabel="hours of audio an hour")
    for name, (colour, marker) in looks.items():
        own = sorted((each.batch_size or 0, 1 / each.rtf) for each in results if each.subject == name)
        if own:
            sizes, throughput = zip(*own, strict=True)
            axes.plot(sizes, throughput, marker + "-", color=colour, markersize=4, linewidth=1.4)
    if results:
        ticks = sorted({each.batch_size or 0 for each in results})
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [str(size) for size in ticks])
        axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)


def _draw_stages(axes: Axes, results: Sequence[Measured]) -> None:
    """The scenario with the most stages: the whole alignment, if it was measured."""
    if not results:
        return
    scenario = max(results, key=lambda each: len(each.stages)).scenario
    own = [each for each in results if each.scenario == scenario]
    places, left = np.arange(len(own)), np.zeros(len(own))
    for stage in STAGES:
        factors = np.array([max(0.0, each.stages.get(stage, 0.0)) for each in own])
        if factors.any():
            axes.barh(places, factors, left=left, height=0.62, color=_STAGE_COLOURS[stage], label=stage)
            left += factors
    axes.set_yticks(places, [each.subject for each in own])
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    axes.invert_yaxis()
    axes.ticklabel_format(axis="x", style="plain")
    axes.set(title=f"stages: {scenario}", xlabel="real-time factor")
