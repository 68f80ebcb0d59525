"""What was spoken if any phones may follow any: the alternative that a text is held against."""

from __future__ import annotations

import itertools

import torch

from streamhmm.graph import Graph
from streamhmm.packing import NEVER

LOOP_FRAMES = 3
"""A phone of the loop lasts at least so long, unless the recording ends in it."""


def phone_loop(columns: int) -> Graph:
    """A chain of states for each of ``columns``, silence among them, and from the end of each to all the others."""
    firsts = range(0, columns * LOOP_FRAMES, LOOP_FRAMES)
    lasts = [first + LOOP_FRAMES - 1 for first in firsts]
    arcs = [(state, state + 1) for first in firsts for state in range(first, first + LOOP_FRAMES - 1)]
    arcs += [(last, last) for last in lasts]
    arcs += [(last, first) for last, first in itertools.product(lasts, firsts) if last != first + LOOP_FRAMES - 1]
    sources, targets = zip(*arcs, strict=True)
    initial = torch.full((columns * LOOP_FRAMES,), NEVER)
    initial[list(firsts)] = 0.0
    pdfs = [column for column in range(columns) for _ in range(LOOP_FRAMES)]
    return Graph.from_arcs(columns * LOOP_FRAMES, sources, targets, 0.0, pdfs=pdfs, initial=initial)
