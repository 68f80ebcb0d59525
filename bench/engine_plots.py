"""Draws engine_scaling.py's measurements on log axes, with the slope that the algorithm promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
from engine_scaling import Panel, Series, figures, measure

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes


def plot_all(folder: Path) -> Iterator[tuple[Path, Panel, list[Series]]]:
    """Measures and draws every figure; tells of each panel when its file is written."""
    folder.mkdir(exist_ok=True)
    for stem, panels in figures().items():
        measured = [measure(panel) for panel in panels]
        file = folder / f"{stem}.png"
        draw(file, panels, measured)
        for panel, series in zip(panels, measured, strict=True):
            yield file, panel, series


def draw(file: Path, panels: Sequence[Panel], measured: Sequence[Sequence[Series]]) -> None:
    """One figure, its panels side by side."""
    figure, axes = plt.subplots(1, len(panels), figsize=(6 * len(panels), 4.5), layout="constrained", squeeze=False)
    for panel, series, one in zip(panels, measured, axes[0], strict=True):
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
    axes.set(title=panel.title, xlabel=panel.axis, ylabel="seconds a call, one thread")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
