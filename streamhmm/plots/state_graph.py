"""States as nodes and transitions as arcs, with room for every label. Places and lengths are inches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.plots.canvas import new_figure
from streamhmm.plots.labels import GREY, INK

if TYPE_CHECKING:
    from streamhmm.plots.canvas import Axes, Figure

Place = NDArray[np.float64]
RADIUS_IN = 0.27
_STEP_IN = 1.25
_MARGIN_IN = 1.1
_LABEL_IN = (0.31, 0.17)
_BEND, _SLIGHT = 0.24, 0.06
_FAR_APART = 6
"""Nodes on the circle, up to which arcs bent outwards pass between them."""
_ALONG = (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.22)
"""Where on an arc its label may stand, the best first."""
_LEAST_INITIAL = 0.005


class Node(NamedTuple):
    """A state: ``initial`` is its probability to be the first; ``last``: only such end a sequence."""

    name: str
    colour: str
    initial: float
    last: bool


class _Drawing(NamedTuple):
    """Where the nodes are, which way is outside of each, and where labels stand already."""

    axes: Axes
    places: list[Place]
    outward: list[Place]
    taken: list[Place]


def draw_graph(nodes: Sequence[Node], transitions: NDArray[np.float64], in_row: bool) -> Figure:
    """Nodes in a row or on a circle, with the (S, S) transitions that are not 0."""
    places, outward = _row(len(nodes)) if in_row else _circle(len(nodes))
    corner = np.min(places, axis=0) - _MARGIN_IN, np.max(places, axis=0) + _MARGIN_IN
    if in_row:
        corner[0][1] = -0.45 - 0.5 * _bend_in_row(2) * _STEP_IN * _widest(transitions)
        corner[1][0] -= 0.6
    width, height = corner[1] - corner[0]
    figure = new_figure(width, height)
    figure.set_layout_engine("none")  # the axes are the figure
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(corner[0][0], corner[1][0]), ylim=(corner[0][1], corner[1][1]))
    axes.axis("off")
    around = [place + side * np.array([0, 0.7 * RADIUS_IN]) for place in places for side in (-1, 1)]
    drawing = _Drawing(axes, places, outward, [*places, *around])
    for node in range(len(nodes)):
        _draw_loop(drawing, node, nodes[node].colour, float(transitions[node, node]))
        _draw_start(drawing, node, nodes[node], in_row and node == 0)
    arcs = [(float(transitions[i, j]), i, j) for i, j in np.argwhere(transitions > 0).tolist() if i != j]
    for chance, source, target in sorted(arcs, reverse=True):
        _draw_arc(drawing, source, target, nodes[source].colour, chance, in_row)
    for told, place in zip(nodes, places, strict=True):
        _draw_node(axes, told, place)
    return figure


def _row(count: int) -> tuple[list[Place], list[Place]]:
    return [np.array([index * _STEP_IN, 0.0]) for index in range(count)], [np.array([0.0, 1.0])] * count


def _circle(count: int) -> tuple[list[Place], list[Place]]:
    """Clockwise from the top; two stand side by side."""
    first = math.pi if count == 2 else math.pi / 2
    angles = [first - 2 * math.pi * index / count for index in range(count)]
    outward = [np.array([math.cos(angle), math.sin(angle)]) for angle in angles]
    radius = 0.0 if count == 1 else max(0.95, 0.28 * count)
    return [radius * direction for direction in outward], outward


def _widest(transitions: NDArray[np.float64]) -> int:
    """How many states ahead the longest arc goes, from 0 where none skips one."""
    sources, targets = np.nonzero(transitions)
    ahead = int((targets - sources).max(initial=0))
    return ahead if ahead > 1 else 0


def _draw_node(axes: Axes, node: Node, place: Place) -> None:
    size = 2 * RADIUS_IN * 72
    look: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": node.colour, "zorder": 4}
    axes.plot(place[:1], place[1:], "o", markersize=size, markeredgewidth=2.2, **look)
    if node.last:
        axes.plot(place[:1], place[1:], "o", markersize=size - 9, markeredgewidth=1.2, **look)
    length = max(len(node.name), 1)
    room_in = 2 * RADIUS_IN * (0.7 if node.last else 0.86)
    points = min(10.0, 72 * room_in / (0.6 * length))
    if points >= 6:
        axes.text(place[0], place[1], node.name, ha="center", va="center", fontsize=points, color=INK, zorder=5)
        return
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
    axes.text(place[0], place[1], node.name, ha="center", va="center", fontsize=8, color=INK, zorder=6, bbox=box)


def _draw_arc(drawing: _Drawing, source: int, target: int, colour: str, chance: float, in_row: bool) -> None:
    begin, end = drawing.places[source], drawing.places[target]
    bend = _bend_in_row(target - source) if in_row else _bend_on_circle(target - source, len(drawing.places))
    control = _control(begin, end, bend)
    _arrow(drawing.axes, begin, end, bend, colour, chance, shrink=RADIUS_IN * 72 + 2)
    spots = [_bezier(begin, control, end, along) for along in _ALONG]
    if in_row and target - source == 1:
        spots = [spots[0] + np.array([0, 0.13])]
    place = next((spot for spot in spots if _room(spot, drawing.taken) >= 1), None)
    _label(drawing, max(spots, key=lambda spot: _room(spot, drawing.taken)) if place is None else place, chance)


def _bend_in_row(ahead: int) -> float:
    return 0.0 if ahead == 1 else 1.5 * _BEND


def _bend_on_circle(ahead: int, count: int) -> float:
    """To the right of the way: inwards for arcs clockwise. Others must not meet nodes between, where these are near."""
    clockwise = ahead % count
    return -_SLIGHT if count > _FAR_APART and count / 2 < clockwise < count - 1 else _BEND


def _draw_loop(drawing: _Drawing, node: int, colour: str, chance: float) -> None:
    if chance <= 0:
        return
    place, outward = drawing.places[node], drawing.outward[node]
    edge = RADIUS_IN + 0.03
    begin, end = place + edge * _turned(outward, 38), place + edge * _turned(outward, -38)
    bend = -2.1
    _arrow(drawing.axes, begin, end, bend, colour, chance, shrink=0)
    peak = _bezier(begin, _control(begin, end, bend), end, 0.5)
    _label(drawing, peak + outward * (0.1 + 0.1 * abs(outward[0])), chance)


def _draw_start(drawing: _Drawing, node: int, told: Node, from_left: bool) -> None:
    if told.initial < _LEAST_INITIAL:
        return
    place, outward = drawing.places[node], drawing.outward[node]
    direction = np.array([-1.0, 0.0]) if from_left else _turned(outward, 72)
    tail = place + (RADIUS_IN + 0.36) * direction
    _arrow(drawing.axes, tail, place + (RADIUS_IN + 0.03) * direction, 0.0, GREY, 0.25, shrink=0)
    text = "start" if told.initial > 0.995 else f"start {told.initial:.2f}"
    middle = tail + (0.08 + 0.028 * len(text) * abs(direction[0])) * direction
    drawing.taken.append(middle)
    drawing.axes.text(middle[0], middle[1], text, ha="center", va="center", fontsize=7.5, color=GREY)


def _arrow(axes: Axes, begin: Place, end: Place, bend: float, colour: str, chance: float, shrink: float) -> None:
    look = {
        "arrowstyle": "-|>,head_length=0.45,head_width=0.22",
        "connectionstyle": f"arc3,rad={bend}",
        "linewidth": 0.7 + 2.6 * chance,
        "mutation_scale": 12 + 6 * chance,
        "color": colour,
        "shrinkA": shrink,
        "shrinkB": shrink,
        "joinstyle": "miter",
    }
    axes.annotate(
        "", xy=(end[0], end[1]), xytext=(begin[0], begin[1]), arrowprops=look, annotation_clip=False, zorder=2
    )


def _label(drawing: _Drawing, place: Place, chance: float) -> None:
    drawing.taken.append(place)
    text = "1" if chance > 0.9995 else f"{chance:.3f}" if chance < 0.01 or chance > 0.99 else f"{chance:.2f}"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.7}
    drawing.axes.text(place[0], place[1], text, ha="center", va="center", fontsize=7.5, color=INK, bbox=box, zorder=3)


def _room(spot: Place, taken: Sequence[Place]) -> float:
    """How far away the nearest label or node is, in sizes of a label: from 1 on they do not touch."""
    return min(float((abs(spot - other) / _LABEL_IN).max()) for other in taken)


def _control(begin: Place, end: Place, bend: float) -> Place:
    """The middle point of the curve that matplotlib calls arc3."""
    across = end - begin
    return (begin + end) / 2 + bend * np.array([across[1], -across[0]])


def _bezier(begin: Place, control: Place, end: Place, along: float) -> Place:
    return (1 - along) ** 2 * begin + 2 * along * (1 - along) * control + along**2 * end


def _turned(direction: Place, degrees: float) -> Place:
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([cosine * direction[0] - sine * direction[1], sine * direction[0] + cosine * direction[1]])
