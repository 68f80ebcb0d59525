"""CUDA graphs of the network's step: one launch for all its kernels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.network import Step

MOST_GRAPHS = 32
"""Each graph keeps its own working memory."""


class _Recorded(NamedTuple):
    """A graph and the tensors it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, Tensor]
    outputs: tuple[Tensor, Tensor]


class GraphedStep:
    """A step that records a CUDA graph for each shape that comes a second time, and replays it from then on.

    Streams with chunks of one size gain: no kernel is launched by itself any more. The first ``MOST_GRAPHS`` such
    shapes get a graph; all others run as they did. Calls must not overlap. Not yet run on hardware.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._seen: set[tuple[int, ...]] = set()
        self._recorded: dict[tuple[int, ...], _Recorded] = {}

    def __call__(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        shape = tuple(frames.shape)
        recorded = self._recorded.get(shape)
        if recorded is None:
            if shape not in self._seen or len(self._recorded) == MOST_GRAPHS:
                self._seen.add(shape)
                return self._step(frames, states)
            recorded = self._recorded[shape] = self._record(frames, states)
        recorded.inputs[0].copy_(frames)
        recorded.inputs[1].copy_(states)
        recorded.graph.replay()
        return recorded.outputs[0].clone(), recorded.outputs[1].clone()

    def _record(self, frames: Tensor, states: Tensor) -> _Recorded:
        inputs = frames.contiguous().clone(), states.contiguous().clone()
        self._warm_up(inputs)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._step(*inputs)
        return _Recorded(graph, inputs, outputs)

    def _warm_up(self, inputs: tuple[Tensor, Tensor]) -> None:
        # Libraries set up their workspaces at the first call on a stream, which a recording must not contain.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._step(*inputs)
        torch.cuda.current_stream().wait_stream(side)
