"""Draws engine_scaling.py's measurements on log axes, with the slope that the algorithm promises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from engine_scaling import Panel, Series, measure, panels

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes


def plot_all(file: Path) -> list[tuple[Panel, list[Series]]]:
    """Measures every panel and draws them into one figure."""
    grid = panels()
    measured = [[measure(panel) for panel in row] for row in grid]
    file.parent.mkdir(exist_ok=True)
    draw(file, grid, measured)
    return [pair for row in zip(grid, measured, strict=True) for pair in zip(*row, strict=True)]


def draw(file: Path, grid: Sequence[Sequence[Panel]], measured: Sequence[Sequence[list[Series]]]) -> None:
    """One figure with the panels in their rows and columns."""
    size = (5.2 * len(grid[0]), 4.8 * len(grid))
    figure, axes = plt.subplots(len(grid), len(grid[0]), figsize=size, layout="constrained", squeeze=False)
    for row in zip(grid, measured, axes, strict=True):
        for panel, series, one in zip(*row, strict=True):
            _draw_panel(one, panel, series)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _draw_panel(axes: Axes, panel: Panel, series: Sequence[Series]) -> None:
    for one in series:
        style = "s--" if one.name.startswith("hmmlearn") else "o-"
        axes.loglog(panel.sizes, one.seconds, style, markersize=4, label=f"{one.name}, slope {one.slope:.2f}")
    end = series[0].seconds[-1] / 2
    promised = [end * (size / panel.sizes[-1]) ** panel.expected for size in panel.sizes]
    axes.loglog(panel.sizes, promised, ":", color="grey", label=f"slope {panel.expected:g}")
    axes.set(title=panel.title, xlabel=panel.axis, ylabel="time of a call on one thread (s)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
