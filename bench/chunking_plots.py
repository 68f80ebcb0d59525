"""Draws a load as chunking.py simulates it: adaptive beside fixed and shrinking chunks."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from chunking_bars import best_fixed
from chunking_simulation import Cost, Fixed, Run, Shrinking, simulate

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from streamhmm.align.chunking import ChunkController

BEGIN_S, END_S = 6.0, 22.0
COLOURS = {"adaptive": "#0b6e99", "fixed": "#8a8a8a", "shrinking": "#d1495b"}
PANELS = {"length of a chunk": "length_s", "latency": "latency_s", "backlog": "backlog_s"}
LEAST_S = 0.008


def plot_load(file: Path, cost: Cost, bound: float) -> None:
    """One figure: length, latency and backlog over time."""
    rest_s = best_fixed(cost.slower(1), bound, END_S)
    runs = {
        "shrinking": simulate(cost, Shrinking(bound, rest_s), END_S),
        "fixed": simulate(cost, Fixed(rest_s), END_S),
        "adaptive": simulate(cost, ChunkController(bound), END_S),
    }
    figure, axes = plt.subplots(len(PANELS), 1, figsize=(8.4, 7.4), sharex=True, layout="constrained")
    for one, (title, column) in zip(axes, PANELS.items(), strict=True):
        _draw_panel(one, title, column, runs, cost)
    load = cost.load
    assert load is not None, "only a cost with a load is drawn"
    middle_s = (load.begin_s + load.end_s) / 2
    where = axes[0].get_xaxis_transform()
    axes[0].text(middle_s, 1.03, f"machine {load.factor:g} × slower", ha="center", color="#8a6d1f", transform=where)
    axes[0].set_yticks([0.01, 0.02, 0.05, 0.1, 0.2])
    axes[0].minorticks_off()
    axes[1].legend(loc="upper left", frameon=False)
    axes[-1].set(xlabel="time (s)", xlim=(BEGIN_S, END_S))
    figure.align_ylabels(axes)
    figure.suptitle(
        f"Computing a chunk takes {1e3 * cost.overhead_s:.0f} ms + {cost.rate:.0%} of its length; "
        f"the bound is {bound:.0%} of the time"
    )
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _draw_panel(axes: Axes, title: str, column: str, runs: dict[str, Run], cost: Cost) -> None:
    if cost.load is not None:
        axes.axvspan(cost.load.begin_s, cost.load.end_s, color="#f3e9d2", zorder=0)
    for name, run in runs.items():
        label = f"{name}, {1e3 * run.chunks[0].length_s:.0f} ms" if name == "fixed" else name
        values = run.column(column).clip(LEAST_S)
        axes.step(run.column("end_s"), values, where="post", color=COLOURS[name], label=label, linewidth=1.6)
    axes.set_yscale("log")
    axes.set_ylabel(title)
    axes.yaxis.set_major_formatter(FuncFormatter(_seconds))
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _seconds(value: float, _position: int) -> str:
    return f"{value:g} s" if value >= 1 else f"{1e3 * value:.0f} ms"
