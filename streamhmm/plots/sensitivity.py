"""What pruning each layer does, drawn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamhmm.plots.canvas import drawing, new_figure, save_figures

if TYPE_CHECKING:
    from streamhmm.acoustic.compress.sensitivity import Sensitivity

_COLOURS = ("#56b4e9", "#0072b2", "#1b1f24")
_PANELS = (("divergence, nats a frame", "log"), ("boundaries moved by more than 20 ms, %", "linear"))


def plot_sensitivity(found: Sequence[Sensitivity], path: str | os.PathLike[str]) -> None:
    """Draw the divergence and the moved boundaries of each layer into a file, .png, .svg or .pdf; a line an amount.

    Raises:
        ValueError: an unknown suffix.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    layers = list(dict.fromkeys(row.layer for row in found))
    amounts = sorted({row.amount for row in found})
    with drawing():
        figure = new_figure(10.0, 1.2 + 0.26 * len(layers))
        axes = figure.subplots(1, 2, sharey=True)
        for axis, (label, scale) in zip(axes, _PANELS, strict=True):
            for index, amount in enumerate(amounts):
                rows = [row for row in found if row.amount == amount]
                values = [row.agreement.divergence if scale == "log" else 100 * row.moved for row in rows]
                colour = _COLOURS[min(index, len(_COLOURS) - 1)]
                axis.plot(values, [row.layer for row in rows], "o-", color=colour, label=f"{amount:.0%} pruned")
            axis.set_xscale(scale)
            axis.set_xlabel(label)
        axes[0].invert_yaxis()
        axes[0].legend(frameon=False)
        save_figures([figure], path)
