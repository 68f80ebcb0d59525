"""Semi-Markov models by the list of all segmentations: what the models are held against."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

NEVER = float("-inf")
Segment = tuple[int, int]  # state, frames


class Listed(NamedTuple):
    """What follows from the list; counts are expected numbers."""

    log_likelihood: float
    score: float
    path: list[int]
    posteriors: np.ndarray  # (T, S)
    initial: np.ndarray  # (S,)
    transitions: np.ndarray  # (S, S)
    durations: np.ndarray  # (S, D), of whole segments


def segmentations(frames: int, states: int, longest: int, before: int = -1) -> Iterator[list[Segment]]:
    """Every row of segments that fills the frames; no state follows itself, unless it is alone."""
    if frames == 0:
        yield []
    for state in range(states):
        if state != before or states == 1:
            for lasting in range(1, min(longest, frames) + 1):
                for rest in segmentations(frames - lasting, states, longest, state):
                    yield [(state, lasting), *rest]


def enumerate_model(model: Any, scores: np.ndarray) -> Listed:
    """All segmentations of (T, S) scores. The last segment of a censored model may have any longer true length: each
    such length is a member of the list, but for the best path, where they count together."""
    states, longest = model.durations_.shape
    with np.errstate(divide="ignore"):
        start, follow, lasting = (np.log(each) for each in (model.startprob_, model.transmat_, model.durations_))
    last = model.chain.topology.last.numpy()
    listed = []
    for segments in segmentations(len(scores), states, longest):
        weight, begin = start[segments[0][0]], 0
        for index, (state, frames) in enumerate(segments):
            weight += scores[begin : begin + frames, state].sum()
            begin += frames
            if index + 1 < len(segments):
                weight += lasting[state, frames - 1] + follow[state, segments[index + 1][0]]
        state, frames = segments[-1]
        weight += 0.0 if last[state] else NEVER
        ends = range(frames, longest + 1) if model.censored else [frames]
        listed.append((segments, [(end, weight + lasting[state, end - 1]) for end in ends]))
    total = np.logaddexp.reduce([weight for _, ends in listed for _, weight in ends])
    together = [np.logaddexp.reduce([weight for _, weight in ends]) for _, ends in listed]
    best = int(np.argmax(together))
    found = Listed(
        float(total),
        float(together[best]),
        [state for state, frames in listed[best][0] for _ in range(frames)],
        np.zeros((len(scores), states)),
        np.zeros(states),
        np.zeros((states, states)),
        np.zeros((states, longest)),
    )
    for segments, ends in listed:
        for end, weight in ends:
            _count(found, segments, end, np.exp(weight - total))
    return found


def _count(found: Listed, segments: list[Segment], end: int, share: float) -> None:
    path = [state for state, frames in segments for _ in range(frames)]
    found.posteriors[np.arange(len(path)), path] += share
    found.initial[path[0]] += share
    for (one, frames), (other, _) in pairwise(segments):
        found.transitions[one, other] += share
        found.durations[one, frames - 1] += share
    found.durations[path[-1], end - 1] += share
