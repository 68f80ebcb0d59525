"""What the engine is held against on small graphs: every path enumerated; on long ones: a path scored exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamhmm.reference import Arcs

NEVER = float("-inf")


# ---- every path


class Enumeration(NamedTuple):
    """What follows from the list of all paths; ``best`` is None where every path is forbidden."""

    best: list[int] | None
    score: float
    log_likelihood: float
    posteriors: np.ndarray  # (T, S)
    pdf_posteriors: np.ndarray  # (T, V)
    arc_counts: np.ndarray  # (A,)


def enumerate_paths(scores: Tensor, arcs: Arcs) -> Enumeration:
    """Go through all S^T state sequences, T at least 1.

    In exact arithmetic the rule for ties (lowest source state at every step of the way back, lowest state at the end)
    chooses, among the best paths, the one that is lowest when read backwards.
    """
    frames, size = len(scores), arcs.num_states
    paths = np.array(list(itertools.product(range(size), repeat=frames)))
    strongest, together = _between_states(arcs)
    fixed = np.asarray(scores.double())[np.arange(frames), np.asarray(arcs.pdfs)[paths]].sum(1)
    fixed = fixed + np.asarray(arcs.initial.double())[paths[:, 0]] + np.asarray(arcs.final.double())[paths[:, -1]]
    by_best_arc = fixed + strongest[paths[:, :-1], paths[:, 1:]].sum(1)
    by_all_arcs = fixed + together[paths[:, :-1], paths[:, 1:]].sum(1)
    score = by_best_arc.max()
    tied = paths[by_best_arc == score].tolist()
    best = None if score == NEVER else min(tied, key=lambda path: path[::-1])
    total = _log_sum(by_all_arcs)
    share = np.zeros(len(paths)) if total == NEVER else np.exp(by_all_arcs - total)
    by_state = np.stack([np.bincount(paths[:, t], share, size) for t in range(frames)])
    by_pdf = np.zeros(tuple(scores.shape))
    for state, pdf in enumerate(np.asarray(arcs.pdfs)):
        by_pdf[:, pdf] += by_state[:, state]
    return Enumeration(best, score, total, by_state, by_pdf, _count_arcs(paths, share, arcs, together))


def _between_states(arcs: Arcs) -> tuple[np.ndarray, np.ndarray]:
    """(S, S) twice: the best of the arcs from state to state, and their log-sum."""
    strongest = np.full((arcs.num_states, arcs.num_states), NEVER)
    together = strongest.copy()
    for i, j, weight in zip(arcs.src.tolist(), arcs.dst.tolist(), arcs.weight.tolist(), strict=True):
        strongest[i, j] = max(strongest[i, j], weight)
        together[i, j] = np.logaddexp(together[i, j], weight)
    return strongest, together


def _count_arcs(paths: np.ndarray, share: np.ndarray, arcs: Arcs, together: np.ndarray) -> np.ndarray:
    """(A,) how often each arc is passed on average; parallel arcs divide a passage by their weights."""
    counts = []
    for i, j, weight in zip(arcs.src.tolist(), arcs.dst.tolist(), arcs.weight.tolist(), strict=True):
        passages = ((paths[:, :-1] == i) & (paths[:, 1:] == j)).sum(1)
        counts.append(0.0 if weight == NEVER else (passages * share).sum() * math.exp(weight - together[i, j]))
    return np.array(counts)


def _log_sum(values: np.ndarray) -> float:
    top = values.max()
    return NEVER if top == NEVER else float(top + np.log(np.exp(values - top).sum()))


# ---- one path


def rescore(scores: Tensor, arcs: Arcs, states: Tensor) -> float:
    """Score of one path in float64, summed exactly; −inf if it passes where there is no arc."""
    if len(states) == 0 or int(states.min()) < 0:
        return NEVER
    size = arcs.num_states
    keys, place = torch.unique(arcs.src * size + arcs.dst, return_inverse=True)
    weights = torch.full((len(keys),), NEVER, dtype=torch.float64)
    weights = weights.scatter_reduce(0, place, arcs.weight.double(), "amax")
    wanted = states[:-1] * size + states[1:]
    found = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    passed = torch.where(keys[found] == wanted, weights[found], NEVER)
    emitted = scores.double()[torch.arange(len(states)), arcs.pdfs.long()[states]]
    ends = torch.stack([arcs.initial[states[0]].double(), arcs.final[states[-1]].double()])
    return math.fsum(torch.cat([emitted, passed, ends]).tolist())


def linear_best_path(scores: np.ndarray, arcs: Arcs) -> tuple[np.ndarray, float]:
    """Viterbi in float64 for long left-to-right problems, where ``reference.viterbi`` would take minutes.

    α_t[j] = max(α_{t−1}[j] + loop_j, α_{t−1}[j−1] + advance_{j−1}, α_{t−1}[j−2] + skip_{j−2}) + scores[t, pdf_j]
    """
    size, pdfs = arcs.num_states, np.asarray(arcs.pdfs)
    enter = np.full((3, size), NEVER)
    enter[np.asarray(arcs.dst - arcs.src), np.asarray(arcs.dst)] = np.asarray(arcs.weight)
    padded = np.full(size + 2, NEVER)
    padded[2:] = np.asarray(arcs.initial.double()) + scores[0, pdfs]
    steps = np.zeros((len(scores), size), dtype=np.int8)
    for t in range(1, len(scores)):
        arriving = np.stack([padded[:-2] + enter[2], padded[1:-1] + enter[1], padded[2:] + enter[0]])
        steps[t] = 2 - arriving.argmax(0)
        padded[2:] = arriving.max(0) + scores[t, pdfs]
    ending = padded[2:] + np.asarray(arcs.final.double())
    states = np.empty(len(scores), dtype=np.int64)
    states[-1] = ending.argmax()
    for t in range(len(scores) - 1, 0, -1):
        states[t - 1] = states[t] - steps[t, states[t]]
    return states, float(ending.max())


# ---- every row of segments


def enumerate_segments(scores: Tensor, arcs: Arcs, durations: Tensor) -> Enumeration:
    """Go through all rows of segments that fill the T frames, T at least 1; ``arc_counts`` are those between segments.

    In exact arithmetic the rule for ties (lowest state at the end; going back, the shortest duration, the lowest source
    state) chooses, among the best rows, the one whose states and durations are lowest when read backwards.
    """
    frames, size = len(scores), arcs.num_states
    strongest, together = _between_states(arcs)
    emitted = np.asarray(scores.double())[:, np.asarray(arcs.pdfs)]
    rows = list(_rows_of_segments(frames, size, durations.shape[1]))
    by_best_arc = np.array([_row_score(row, emitted, arcs, durations, strongest) for row in rows])
    by_all_arcs = np.array([_row_score(row, emitted, arcs, durations, together) for row in rows])
    score, total = by_best_arc.max(initial=NEVER), _log_sum(np.append(by_all_arcs, NEVER))
    tied = [row for row, each in zip(rows, by_best_arc, strict=True) if each == score > NEVER]
    best = _frames_of(min(tied, key=lambda row: row[::-1])) if tied else None
    by_state, passed = np.zeros((frames, size)), np.zeros((size, size))
    for row, each in zip(rows, by_all_arcs, strict=True):
        share = 0.0 if total == NEVER else math.exp(each - total)
        by_state[np.arange(frames), _frames_of(row)] += share
        for (i, _), (j, _) in itertools.pairwise(row):
            passed[i, j] += share
    by_pdf = np.zeros(tuple(scores.shape))
    np.add.at(by_pdf, (slice(None), np.asarray(arcs.pdfs)), by_state)
    counts = [
        0.0 if weight == NEVER else passed[i, j] * math.exp(weight - together[i, j])
        for i, j, weight in zip(arcs.src.tolist(), arcs.dst.tolist(), arcs.weight.tolist(), strict=True)
    ]
    return Enumeration(best, score, total, by_state, by_pdf, np.array(counts))


Row = list[tuple[int, int]]  # states and durations


def _rows_of_segments(frames: int, size: int, longest: int) -> Iterator[Row]:
    for spans in _compositions(frames, longest):
        for states in itertools.product(range(size), repeat=len(spans)):
            yield list(zip(states, spans, strict=True))


def _frames_of(row: Row) -> list[int]:
    return [state for state, span in row for _ in range(span)]


def _compositions(frames: int, longest: int) -> Iterator[tuple[int, ...]]:
    if frames == 0:
        yield ()
    for first in range(1, min(frames, longest) + 1):
        for rest in _compositions(frames - first, longest):
            yield (first, *rest)


def _row_score(row: Row, emitted: np.ndarray, arcs: Arcs, durations: Tensor, between: np.ndarray) -> float:
    score = float(arcs.initial[row[0][0]]) + float(arcs.final[row[-1][0]])
    begin = 0
    for state, span in row:
        score += float(durations[state, span - 1]) + emitted[begin : begin + span, state].sum()
        begin += span
    return float(score + sum(between[i, j] for (i, _), (j, _) in itertools.pairwise(row)))
