"""Which state of a model follows which: a graph, or a matrix where there are many."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.plots.canvas import drawing, new_figure, save_figures
from streamhmm.plots.labels import GREY, INK
from streamhmm.plots.state_graph import Node, draw_graph
from streamhmm.plots.states import chain_names, state_colour, state_names

if TYPE_CHECKING:
    from streamhmm.models.estimator import Estimator
    from streamhmm.plots.canvas import Axes, Figure

MOST_NODES = 12
"""States that a graph shows; of more, the matrix is drawn."""
_LEAST, _WORTH_A_NOTE = 0.005, 1e-4
_MOST_ARCS, _ARCS_A_STATE = 20, 3
_NUMBERED = 24


class _Chain(NamedTuple):
    """Names, colours, and (S,), (S, S) probabilities of a chain's states; ``last``: (S,) where sequences may end."""

    names: list[str]
    colours: list[str]
    initial: NDArray[np.float64]
    transitions: NDArray[np.float64]
    last: NDArray[np.bool_]


def plot_transitions(
    model: Estimator,
    path: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    matrix: bool | None = None,
) -> Figure:
    """Draw the states with the arcs between them, as wide as they are probable, or the matrix of probabilities.

    Left-to-right models stand in a row, others on a circle. An arrow from nowhere tells the probability of the first
    state; a double ring marks where sequences end, if that may not be anywhere. Arcs that would make the picture
    unreadable are left out, the least probable first, and a note says from which probability on they are drawn.

    Args:
        model: its transitions are taken as they are; where several states share an emission, they are numbered from 1.
        path: where to write it, .png, .svg or .pdf; None writes nothing.
        names: of the emissions' states; by default their numbers.
        matrix: which of the two; by default the matrix for more than 12 states.

    Raises:
        ValueError: a wrong number of names, an unknown suffix.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    chain = _chain(model, state_names(model, names))
    with drawing():
        many = len(chain.names) > MOST_NODES if matrix is None else matrix
        figure = _matrix(chain) if many else _graph(chain)
        if path is not None:
            save_figures([figure], path)
    return figure


def _chain(model: Estimator, labels: list[str]) -> _Chain:
    topology, names = model.chain.topology, chain_names(model, labels)
    colours = [state_colour(pdf) for pdf in topology.pdfs.tolist()]
    initial, transitions = (np.asarray(each, dtype=np.float64) for each in (model.startprob_, model.transmat_))
    return _Chain(names, colours, initial, transitions, topology.last.cpu().numpy())


def _graph(chain: _Chain) -> Figure:
    least = _threshold(chain.transitions)
    anywhere = bool(chain.last.all())
    nodes = [
        Node(name, colour, float(initial), bool(last) and not anywhere)
        for name, colour, initial, last in zip(chain.names, chain.colours, chain.initial, chain.last, strict=True)
    ]
    in_row = len(nodes) > 1 and not np.tril(chain.transitions, -1).any()
    dropped = (chain.transitions > 0) & (chain.transitions < least)
    np.fill_diagonal(dropped, False)
    figure = draw_graph(nodes, np.where(dropped, 0.0, chain.transitions), in_row)
    if chain.transitions[dropped].max(initial=0) >= _WORTH_A_NOTE:
        figure.text(0.01, 0.01, f"less probable than {least:.2g}: not drawn", fontsize=8, color=GREY)
    return figure


def _threshold(transitions: NDArray[np.float64]) -> float:
    """The probability from which on arcs are drawn."""
    others = np.sort(transitions[~np.eye(len(transitions), dtype=bool)])[::-1]
    most = max(_MOST_ARCS, _ARCS_A_STATE * len(transitions))
    return max(_LEAST, float(others[most - 1])) if len(others) > most else _LEAST


def _matrix(chain: _Chain) -> Figure:
    count = len(chain.names)
    size = min(11.0, max(3.2, 0.9 + 0.3 * count))
    figure = new_figure(size + 1.3, size)
    first, main = figure.subplots(1, 2, width_ratios=(1, max(4, count)), sharey=True)
    look: dict[str, Any] = {"cmap": "Blues", "aspect": "auto", "vmin": 0, "vmax": 1}
    first.imshow(np.sqrt(chain.initial)[:, None], **look)  # the root: small ones are to be seen beside large ones
    image = main.imshow(np.sqrt(chain.transitions), **look)
    step = 1 + (count - 1) // 60
    shown = range(0, count, step)
    first.set_yticks(shown, chain.names[::step])
    first.set_xticks([0], ["start"], rotation=90)
    main.set_xticks(shown, chain.names[::step], rotation=90 if max(map(len, chain.names)) > 2 else 0)
    if count <= _NUMBERED:
        for axes, values in ((first, chain.initial[:, None]), (main, chain.transitions)):
            _number(axes, values)
    first.set_ylabel("from")
    main.set_xlabel("to")
    for axes in (first, main):
        axes.tick_params(length=0, labelcolor=INK, labelsize=8 if count <= 30 else 6)
        axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=main, label="probability", pad=0.015, fraction=0.04)
    ticks = (0, 0.01, 0.05, 0.2, 0.5, 1)
    bar.set_ticks([math.sqrt(tick) for tick in ticks], labels=[f"{tick:g}" for tick in ticks])
    return figure


def _number(axes: Axes, values: NDArray[np.float64]) -> None:
    for (row, column), value in np.ndenumerate(values):
        if value >= _LEAST:
            text = "1" if value > 0.995 else f"{value:.2f}".removeprefix("0")
            ink = "white" if value > 0.35 else INK
            axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=ink)
