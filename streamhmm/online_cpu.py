"""Streams of OnlineViterbi on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.arguments import packed
from streamhmm.graph import CPU, Graph
from streamhmm.library import weights_dtype
from streamhmm.online_checks import Chunks, Options, check_slices


class CpuStreams:
    """One stream a graph; each call is for all of them."""

    def __init__(self, graphs: Sequence[Graph], dtype: torch.dtype, device: torch.device, options: Options) -> None:
        self.device = device
        self.dtype = dtype
        self.decided = [0] * len(graphs)  # frames whose states were taken
        self._graphs = list(graphs)
        self._received = [0] * len(graphs)
        self._streams = [_open(graph, dtype, options) for graph in graphs]

    def push(self, scores: Chunks) -> None:
        chunks = [_in_rows(chunk) for chunk in scores]
        frames = [len(chunk) for chunk in chunks]
        check_slices(self._graphs, self._received, frames)
        _C.online_push(
            self._streams,
            [chunk.data_ptr() for chunk in chunks],
            frames,
            chunks[0].shape[1],
            [chunk.stride(0) for chunk in chunks],
            torch.get_num_threads(),
        )
        self._received = [n + new for n, new in zip(self._received, frames, strict=True)]

    def finish(self) -> list[bool]:
        """Whether each stream's path ends in a final state."""
        return [_C.online_finish(stream) for stream in self._streams]

    def take(self) -> list[Tensor]:
        """The states decided since the last time."""
        taken = []
        for index, stream in enumerate(self._streams):
            states = np.empty(_C.online_decided(stream), np.int64)
            _C.online_take(stream, states.ctypes.data)
            self.decided[index] += len(states)
            taken.append(torch.from_numpy(states))
        return taken

    def current(self) -> list[int]:
        return [_C.online_current(stream) for stream in self._streams]

    def undecided(self, state: int | None) -> list[Tensor]:
        ends = [_C.online_current(stream) if state is None else state for stream in self._streams]
        paths = [_C.online_undecided(stream, end) for stream, end in zip(self._streams, ends, strict=True)]
        return [torch.tensor(path, dtype=torch.int64) for path in paths]

    def survivors(self) -> list[tuple[Tensor, Tensor]]:
        found = [_C.online_survivors(stream) for stream in self._streams]
        return [
            (torch.tensor(states, dtype=torch.int64), torch.tensor(scores, dtype=torch.float64))
            for states, scores in found
        ]

    def restart(self, initial: Tensor) -> None:
        for stream in self._streams:
            _C.online_restart(stream, initial.data_ptr())

    def keep(self, allowed: Tensor) -> None:
        for stream in self._streams:
            _C.online_keep(stream, allowed.data_ptr())

    def change(self, options: Options) -> None:
        for stream in self._streams:
            _C.online_change(stream, *options)

    def extend(self, graph: Graph) -> None:
        structure, weights = packed([graph], self.dtype, self.device)
        for stream in self._streams:
            _C.online_extend(stream, *_addresses(structure, weights))
        self._graphs = [graph] * len(self._streams)

    def state_dict(self) -> dict[str, Any]:
        saved = [torch.frombuffer(bytearray(_C.online_save(stream)), dtype=torch.uint8) for stream in self._streams]
        return {"streams": saved, "decided": list(self.decided), "received": list(self._received)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for stream, saved in zip(self._streams, state["streams"], strict=True):
            _C.online_restore(stream, saved.numpy().tobytes())
        self.decided, self._received = list(state["decided"]), list(state["received"])


def _open(graph: Graph, dtype: torch.dtype, options: Options) -> _C.OnlineStream:
    structure, weights = packed([graph], dtype, CPU)
    return _C.OnlineStream(*_addresses(structure, weights), *options)


def _addresses(structure: Tensor, weights: Tensor) -> tuple[int, int, int, int, bool]:
    """Of tensors that the caller keeps alive."""
    double = weights.dtype == torch.float64
    return structure.data_ptr(), structure.numel(), weights.data_ptr(), weights.numel(), double


def _in_rows(chunk: Tensor) -> Tensor:
    chunk = chunk.to(weights_dtype(chunk.dtype))
    return chunk if chunk.stride(1) == 1 or chunk.shape[1] == 1 else chunk.contiguous()
