"""Viterbi decoding of streams: scores come in chunks, states go out as soon as they are decided.

The recursion and the rules of deciding stand in csrc/online_viterbi.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.arguments import check_beam
from streamhmm.graph import Graph

ENDED = "the stream has ended: finish was called"


class Survivors(NamedTuple):
    """The states that live paths end in: ``states`` (n,) int64, ascending, and their ``scores`` (n,) float64, nats
    below the best one."""

    states: Tensor
    scores: Tensor


class OnlineViterbi:
    """The best path of a stream through a graph, decided as the scores come.

    A frame is decided when the best paths of all survivors pass the same state there (path coalescence; Šrámek et al.,
    "On-line Viterbi algorithm for analysis of long biological sequences", 2007). With no option set all decided states
    together are exactly those of :func:`streamhmm.viterbi`, however the stream is cut into chunks. But in a
    left-to-right graph "still in the first state" survives for ever: next to nothing is decided before
    :meth:`finish`, and memory grows. Live use sets ``beam`` or ``max_lag``. With options set, too, chunks change
    nothing.

    >>> import streamhmm as sh, torch
    >>> scores = torch.tensor([[0.0, -9.0], [0.0, -9.0], [-9.0, 0.0], [-9.0, 0.0]])
    >>> decoder = sh.OnlineViterbi(sh.Graph.linear([0, 1]), beam=5.0)
    >>> decoder.push(scores[:3]).tolist(), decoder.current()
    ([0, 0, 1], 1)
    >>> decoder.push(scores[3:]).tolist(), decoder.finish().tolist(), decoder.complete
    ([1], [], True)

    Args:
        graph: a :class:`~streamhmm.Graph`, or a list of B for a batch of independent streams.
        max_lag: frames, at least 0: frame t is decided at the latest with frame t + max_lag; paths that contradict
            what was decided are given up.
        beam: nats, above 0: paths that score more below the best one are given up after every frame. Only states near
            live ones are looked at: a frame costs the same however large the graph.
        certainty: in 0.5 … 1: frames are decided when the posterior probability of the best path's beginning, among
            all live paths, reaches it.

    Scores decide the precision: float64 scores are decoded in double, others in single precision (which goes on in
    double where finite scores exceed ±1000). ``complete`` tells after :meth:`finish` whether a final state was reached.

    Results are those of one stream, or lists for a batch. Use from any thread, one call at a time; others wait.

    Raises:
        ValueError, TypeError: for arguments that are not as said.
    """

    def __init__(
        self,
        graph: Graph | Sequence[Graph],
        max_lag: int | None = None,
        beam: float | None = None,
        certainty: float | None = None,
    ) -> None:
        self._batched = not isinstance(graph, Graph)
        self._graphs = [graph] if isinstance(graph, Graph) else list(graph)
        for one in self._graphs:
            if not isinstance(one, Graph):
                raise TypeError(f"graph must be a Graph or a list of them, got {type(one).__name__}")
        self._beam = check_beam(beam)
        self._max_lag = _check_lag(max_lag)
        self._certainty = _check_certainty(certainty)
        self._streams: list[_C.OnlineStream] = []
        self._dtype: torch.dtype | None = None
        self._decided = [0] * len(self._graphs)
        self._received = [0] * len(self._graphs)
        self._complete: list[bool] | None = None
        self._lock = Lock()

    @property
    def committed_frames(self) -> Any:
        """Frames decided so far, since the beginning of the stream; a list for a batch."""
        return list(self._decided) if self._batched else self._decided[0]

    @property
    def complete(self) -> Any:
        """After :meth:`finish`: whether the path ends in a final state; else it ends in the best live one."""
        if self._complete is None:
            raise ValueError("complete is known after finish")
        return list(self._complete) if self._batched else self._complete[0]

    def push(self, scores: Tensor | Sequence[Tensor]) -> Any:
        """The next frames.

        Args:
            scores: (n, V), n from 0; for a batch (B, n, V) or a list of B (n_b, V). As in :func:`streamhmm.viterbi`;
                every chunk has the same V and dtype.

        Returns:
            (m,) int64, the states decided by them, m from 0; a list for a batch. −1 where no path fits.

        Raises:
            ValueError, TypeError: for scores that are not as said, NaN or +inf in a column that the graph reads (then
                that stream is as it was); after :meth:`finish`.
        """
        with self._lock:
            chunks = self._check(scores)
            if chunks:
                self._open(chunks[0].dtype)
                self._check_slices(chunks)
                _C.online_push(
                    self._streams,
                    [chunk.data_ptr() for chunk in chunks],
                    [len(chunk) for chunk in chunks],
                    chunks[0].shape[1],
                    [chunk.stride(0) for chunk in chunks],
                    torch.get_num_threads(),
                )
                self._received = [n + len(chunk) for n, chunk in zip(self._received, chunks, strict=True)]
            return self._taken()

    def finish(self) -> Any:
        """Ends the stream. Returns the remaining states, (m,) int64; a list for a batch."""
        with self._lock:
            self._check_open()
            self._open(torch.float32)
            self._complete = [_C.online_finish(stream) for stream in self._streams]
            return self._taken()

    def current(self) -> Any:
        """The state in which the best path so far ends; −1 before the first frame and where no path fits."""
        with self._lock:
            found = [_C.online_current(stream) for stream in self._streams] or [-1] * len(self._graphs)
        return found if self._batched else found[0]

    def undecided(self, state: int | None = None) -> Any:
        """(m,) int64: the best path so far through the frames that are not decided yet; a list for a batch.

        With a ``state``, the best path that ends there; empty if none does.
        """
        with self._lock:
            ends = [_C.online_current(stream) if state is None else state for stream in self._streams]
            paths = [_C.online_undecided(stream, end) for stream, end in zip(self._streams, ends, strict=True)]
            found = [torch.tensor(path, dtype=torch.int64) for path in paths]
        found = found or [torch.empty(0, dtype=torch.int64) for _ in self._graphs]
        return found if self._batched else found[0]

    def survivors(self) -> Any:
        """Where live paths end, and how good they are; a list for a batch."""
        with self._lock:
            pairs = [_C.online_survivors(stream) for stream in self._streams] or [([], [])] * len(self._graphs)
        found = [
            Survivors(torch.tensor(states, dtype=torch.int64), torch.tensor(scores, dtype=torch.float64))
            for states, scores in pairs
        ]
        return found if self._batched else found[0]

    def restart(self, initial: Tensor) -> Tensor:
        """Goes on elsewhere in the graph: decides what is open and starts anew in the next frame. One stream only.

        Args:
            initial: (S,) log-weights of starting in each state.

        Returns:
            (m,) int64, the states decided.
        """
        with self._lock:
            self._check_single("restart")
            weights = initial.detach().to("cpu", torch.float64).contiguous()
            if tuple(weights.shape) != (self._graphs[0].num_states,):
                raise ValueError(f"initial must be ({self._graphs[0].num_states},), got {tuple(weights.shape)}")
            if not bool((weights < float("inf")).all()):
                raise ValueError("initial must be finite or -inf")
            self._open(torch.float32)
            _C.online_restart(self._streams[0], weights.data_ptr())
            taken: Tensor = self._taken()
            return taken

    def keep(self, allowed: Tensor) -> None:
        """Gives up the paths that end elsewhere than in ``allowed`` states, (S,) bool, if any ends there. One stream
        only."""
        with self._lock:
            self._check_single("keep")
            if allowed.dtype != torch.bool or tuple(allowed.shape) != (self._graphs[0].num_states,):
                shape = tuple(allowed.shape)
                raise ValueError(f"allowed must be ({self._graphs[0].num_states},) bool, got {shape} {allowed.dtype}")
            mask = allowed.to("cpu").contiguous()
            for stream in self._streams:
                _C.online_keep(stream, mask.data_ptr())

    def change(self, max_lag: int | None = None, beam: float | None = None, certainty: float | None = None) -> None:
        """Other options, from the next frame on. Errors as when it is made."""
        options = check_beam(beam), _check_lag(max_lag), _check_certainty(certainty)
        with self._lock:
            self._check_open()
            self._beam, self._max_lag, self._certainty = options
            for stream in self._streams:
                _C.online_change(stream, *options)

    def extend(self, graph: Graph) -> None:
        """Goes on in a larger graph whose first states, and the arcs between them, are the present one's. One stream
        only."""
        with self._lock:
            self._check_single("extend")
            if graph.num_states < self._graphs[0].num_states:
                raise ValueError(
                    f"graph must have at least the present {self._graphs[0].num_states} states, got {graph.num_states}"
                )
            if self._streams:
                structure, weights = graph.structure, graph.packed_weights(self._dtype or torch.float32).detach()
                _C.online_extend(self._streams[0], *_addresses(structure, weights))
            self._graphs = [graph]

    def state_dict(self) -> dict[str, Any]:
        """Where the streams stand, as plain values and tensors, for :meth:`load_state_dict` in another process."""
        with self._lock:
            self._check_open()
            return {
                "dtype": str(self._dtype).removeprefix("torch."),
                "streams": [
                    torch.frombuffer(bytearray(_C.online_save(stream)), dtype=torch.uint8) for stream in self._streams
                ],
                "decided": list(self._decided),
                "received": list(self._received),
            }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken; the graph must be the same.

        Raises:
            ValueError: it is of another graph, or damaged.
        """
        with self._lock:
            self._check_open()
            if len(state["decided"]) != len(self._graphs):
                raise ValueError(f"state must be of {len(self._graphs)} streams, got {len(state['decided'])}")
            self._streams, self._dtype = [], None
            if state["streams"]:
                self._open(getattr(torch, state["dtype"]))
                for stream, saved in zip(self._streams, state["streams"], strict=True):
                    _C.online_restore(stream, saved.numpy().tobytes())
            self._decided, self._received = list(state["decided"]), list(state["received"])

    def _check_open(self) -> None:
        if self._complete is not None:
            raise ValueError(ENDED)

    def _check_single(self, name: str) -> None:
        self._check_open()
        if self._batched:
            raise ValueError(f"{name} is for one stream, this is a batch of {len(self._graphs)}")

    def _open(self, dtype: torch.dtype) -> None:
        if self._streams or not self._graphs:
            return
        self._dtype = dtype
        self._streams = [
            _open_stream(graph, dtype, self._beam, self._max_lag, self._certainty) for graph in self._graphs
        ]

    def _check(self, scores: Tensor | Sequence[Tensor]) -> list[Tensor]:
        self._check_open()
        if not self._batched:
            return [self._check_chunk(scores, self._graphs[0])]
        chunks = list(scores)
        if len(chunks) != len(self._graphs):
            raise ValueError(f"scores must be those of {len(self._graphs)} streams, got {len(chunks)}")
        chunks = [self._check_chunk(chunk, graph) for chunk, graph in zip(chunks, self._graphs, strict=True)]
        if len({(chunk.shape[1], chunk.dtype) for chunk in chunks}) > 1:
            raise ValueError("scores must have the same columns and dtype in every stream")
        return chunks

    def _check_chunk(self, scores: Tensor | Sequence[Tensor], graph: Graph) -> Tensor:
        if not isinstance(scores, Tensor):
            raise TypeError(f"scores must be a torch.Tensor, got {type(scores).__name__}")
        if scores.dim() != 2:
            raise ValueError(f"scores must be (n, V), got shape {tuple(scores.shape)}")
        if scores.device.type != "cpu":
            raise ValueError(f"scores must be on the CPU, got {scores.device}")
        if scores.dtype in (torch.float16, torch.bfloat16):
            scores = scores.float()
        if scores.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"scores must be float16, bfloat16, float32 or float64, got {scores.dtype}")
        if self._dtype is not None and scores.dtype is not self._dtype:
            raise TypeError(f"scores must be {self._dtype} as in the first chunk, got {scores.dtype}")
        if graph.num_pdfs > scores.shape[1]:
            raise ValueError(
                f"graph reads score column {graph.num_pdfs - 1}, but scores have {scores.shape[1]} columns"
            )
        scores = scores.detach()
        return scores if scores.stride(1) == 1 or scores.shape[1] == 1 else scores.contiguous()

    def _check_slices(self, chunks: Sequence[Tensor]) -> None:
        for graph, received, chunk in zip(self._graphs, self._received, chunks, strict=True):
            if graph.num_slices is not None and graph.num_slices < received + len(chunk):
                raise ValueError(
                    f"graph has transitions for {graph.num_slices} frames, but the stream has {received + len(chunk)}"
                )

    def _taken(self) -> Any:
        taken = []
        for index, stream in enumerate(self._streams):
            states = np.empty(_C.online_decided(stream), np.int64)
            _C.online_take(stream, states.ctypes.data)
            self._decided[index] += len(states)
            taken.append(torch.from_numpy(states))
        return taken if self._batched else taken[0]


def _open_stream(graph: Graph, dtype: torch.dtype, *options: Any) -> _C.OnlineStream:
    structure, weights = graph.structure, graph.packed_weights(dtype).detach()
    return _C.OnlineStream(*_addresses(structure, weights), *options)


def _addresses(structure: Tensor, weights: Tensor) -> tuple[int, int, int, int, bool]:
    """Of tensors that the caller keeps alive."""
    double = weights.dtype == torch.float64
    return structure.data_ptr(), structure.numel(), weights.data_ptr(), weights.numel(), double


def _check_lag(max_lag: int | None) -> int:
    if max_lag is None:
        return -1
    if not isinstance(max_lag, int):
        raise TypeError(f"max_lag must be a whole number of frames or None, got {max_lag!r}")
    if max_lag < 0:
        raise ValueError(f"max_lag must be at least 0 frames, got {max_lag}")
    return max_lag


def _check_certainty(certainty: float | None) -> float:
    if certainty is None:
        return 2.0
    if not isinstance(certainty, (int, float)):
        raise TypeError(f"certainty must be a probability or None, got {certainty!r}")
    if not 0.5 <= certainty <= 1.0:
        raise ValueError(f"certainty must be in 0.5…1, got {certainty}")
    return float(certainty)
