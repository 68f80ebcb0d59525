"""Dynamic time warping written out: cell by cell in plain Python, and by enumeration of every path."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

FORBIDDEN = math.inf
STEPS: dict[str, list[tuple[int, int, float]]] = {
    "symmetric1": [(1, 1, 1.0), (0, 1, 1.0), (1, 0, 1.0)],
    "symmetric2": [(1, 1, 2.0), (0, 1, 1.0), (1, 0, 1.0)],
    "asymmetric": [(1, 0, 1.0), (1, 1, 1.0), (1, 2, 1.0)],
}
METRICS: dict[str, Callable[[Any, Any], Any]] = {
    "sqeuclidean": lambda a, b: (a - b) * (a - b),
    "euclidean": lambda a, b: (a - b) * (a - b),
    "cityblock": lambda a, b: abs(a - b),
    "cosine": lambda a, b: a * b,
}


class Expected(NamedTuple):
    path: list[list[int]]
    distance: float
    normalized: float


def inside(
    i: int,
    j: int,
    rows: int,
    columns: int,
    band: str | None = None,
    radius: int | None = None,
    slope: float | None = None,
) -> bool:
    """Whether a band leaves a cell open."""
    if band == "sakoe_chiba":
        off = abs(i * (columns - 1) - j * (rows - 1))
        return bool(off <= radius * max(rows - 1, columns - 1))
    if band == "itakura":
        steep = 2.0 if slope is None else slope
        corners = ((i, j), (rows - 1 - i, columns - 1 - j))
        return all(a / steep <= b <= a * steep for a, b in corners)
    return True


def dtw(
    cost: torch.Tensor, step: str = "symmetric2", *, open_begin: bool = False, open_end: bool = False, **band: Any
) -> Expected:
    """The recursion of csrc/dtw.h, cell by cell."""
    rows, columns = cost.shape
    table, values = {}, cost.double().tolist()
    for i in range(rows):
        for j in range(columns):
            if not inside(i, j, rows, columns, **band):
                continue
            starts = i == 0 and (open_begin or j == 0)
            best, previous = (values[i][j], None) if starts else (FORBIDDEN, None)
            for down, right, weight in STEPS[step]:
                source = (i - down, j - right)
                total = table.get(source, (FORBIDDEN, None))[0] + weight * values[i][j]
                if total < best:
                    best, previous = total, source
            table[i, j] = (best, previous)
    ends = range(columns) if open_end else [columns - 1]
    last = min(((_rank(table, rows, j, step, open_begin), j) for j in ends), default=(FORBIDDEN, 0))
    if last[0] == FORBIDDEN:
        return Expected([], FORBIDDEN, math.nan if step == "symmetric1" else FORBIDDEN)
    cell, path = (rows - 1, last[1]), []
    distance = table[cell][0]
    while cell is not None:
        path.append(list(cell))
        cell = table[cell][1]
    path.reverse()
    spanned = {"symmetric1": math.nan, "symmetric2": rows + path[-1][1] - path[0][1] + 1, "asymmetric": rows}
    return Expected(path, distance, distance / spanned[step])


def _rank(table: dict[Any, Any], rows: int, column: int, step: str, open_begin: bool) -> float:
    distance = table.get((rows - 1, column), (FORBIDDEN, None))[0]
    return float(distance / (rows + column + 1) if step == "symmetric2" and not open_begin else distance)


def paths(
    rows: int, columns: int, step: str, open_begin: bool, open_end: bool, **band: Any
) -> Iterator[list[tuple[int, int]]]:
    """Every path that is allowed, without looking at costs."""

    def extend(path: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
        i, j = path[-1]
        if i == rows - 1 and (open_end or j == columns - 1):
            yield path
        for down, right, _ in STEPS[step]:
            if i + down < rows and j + right < columns and inside(i + down, j + right, rows, columns, **band):
                yield from extend([*path, (i + down, j + right)])

    for j in range(columns if open_begin else 1):
        if inside(0, j, rows, columns, **band):
            yield from extend([(0, j)])


def cost_along(cost: torch.Tensor, path: list[tuple[int, int]], step: str) -> float:
    weights = {(down, right): weight for down, right, weight in STEPS[step]}
    total = float(cost[path[0]])
    for (i, j), (k, m) in pairwise(path):
        total += weights[k - i, m - j] * float(cost[k, m])
    return total


def distances(x: torch.Tensor, y: torch.Tensor, metric: str) -> torch.Tensor:
    """(N, M) costs, summed over the dimensions one after the other in the features' precision."""
    real = np.float64 if torch.float64 in (x.dtype, y.dtype) else np.float32
    a, b = (features.double().numpy().astype(real) for features in (x, y))
    if metric == "cosine":
        a, b = (_unit(features) for features in (a, b))
    sums = np.zeros((len(a), len(b)), real)
    for d in range(a.shape[1]):
        sums += METRICS[metric](a[:, None, d], b[None, :, d])
    if metric == "euclidean":
        sums = np.sqrt(sums)
    if metric == "cosine":
        sums = np.maximum(1 - sums, 0)
    assert sums.dtype == real
    return torch.from_numpy(sums)


def _unit(features: np.ndarray) -> np.ndarray:
    squares = np.zeros(len(features))
    for d in range(features.shape[1]):
        squares += features[:, d].astype(np.float64) ** 2
    scale = np.divide(1, np.sqrt(squares), out=np.zeros(len(features)), where=squares > 0)
    return (features.astype(np.float64) * scale[:, None]).astype(features.dtype)
