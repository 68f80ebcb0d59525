"""Viterbi decoding of streams: scores come in chunks, states go out as soon as they are decided.

The recursion and the rules of deciding stand in csrc/online_viterbi.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamhmm.arguments import check_beam
from streamhmm.graph import CPU, Graph
from streamhmm.library import weights_dtype
from streamhmm.online_checks import Options, check_certainty, check_chunks, check_lag
from streamhmm.online_cpu import CpuStreams
from streamhmm.online_cuda import CudaStreams

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

    The first scores decide where streams are decoded: on the CPU, or on the CUDA device that they are on, where a push
    is one step for the whole batch, and the states come back to the CPU. They are the same (but ``certainty`` adds up
    in another order there). The first scores decide the precision, too: float64 scores are decoded in double, others in
    single precision (which goes on in double where finite scores exceed ±1000). ``complete`` tells after :meth:`finish`
    whether a final state was reached.

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
        self._widest = max(self._graphs, key=lambda one: one.num_pdfs, default=None)
        self._options = _check_options(max_lag, beam, certainty)
        self._streams: CpuStreams | CudaStreams | None = None
        self._complete: list[bool] | None = None
        self._lock = Lock()

    @property
    def committed_frames(self) -> Any:
        """Frames decided so far, since the beginning of the stream; a list for a batch."""
        return self._of_each(list(self._streams.decided) if self._streams else [0] * len(self._graphs))

    @property
    def complete(self) -> Any:
        """After :meth:`finish`: whether the path ends in a final state; else it ends in the best live one."""
        if self._complete is None:
            raise ValueError("complete is known after finish")
        return self._of_each(list(self._complete))

    def push(self, scores: Tensor | Sequence[Tensor]) -> Any:
        """The next frames.

        Args:
            scores: (n, V), n from 0; for a batch (B, n, V) or a list of B (n_b, V). As in :func:`streamhmm.viterbi`;
                every chunk has the same V and dtype, and is on the same device.

        Returns:
            (m,) int64, the states decided by them, m from 0; a list for a batch. −1 where no path fits.

        Raises:
            ValueError, TypeError: for scores that are not as said, NaN or +inf in a column that the graph reads (then
                that stream is as it was); after :meth:`finish`.
        """
        with self._lock:
            self._check_open()
            chunks = check_chunks(scores if self._batched else [scores], self._graphs, self._widest)
            if not self._graphs:
                return []
            first = chunks[0]
            streams = self._open(weights_dtype(first.dtype), first.device)
            _check_same(first, streams)
            streams.push(chunks)
            return self._of_each(streams.take())

    def finish(self) -> Any:
        """Ends the stream. Returns the remaining states, (m,) int64; a list for a batch."""
        with self._lock:
            self._check_open()
            if not self._graphs:
                self._complete = []
                return []
            streams = self._open()
            self._complete = streams.finish()
            return self._of_each(streams.take())

    def current(self) -> Any:
        """The state in which the best path so far ends; −1 before the first frame and where no path fits."""
        with self._lock:
            return self._of_each(list(self._streams.current()) if self._streams else [-1] * len(self._graphs))

    def undecided(self, state: int | None = None) -> Any:
        """(m,) int64: the best path so far through the frames that are not decided yet; a list for a batch.

        With a ``state``, the best path that ends there; empty if none does.
        """
        with self._lock:
            return self._of_each(
                self._streams.undecided(state) if self._streams else [_no_states() for _ in self._graphs]
            )

    def survivors(self) -> Any:
        """Where live paths end, and how good they are; a list for a batch."""
        with self._lock:
            nothing = [(_no_states(), torch.empty(0, dtype=torch.float64)) for _ in self._graphs]
            pairs = self._streams.survivors() if self._streams else nothing
        return self._of_each([Survivors(states, scores) for states, scores in pairs])

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
            streams = self._open()
            streams.restart(weights)
            return streams.take()[0]

    def keep(self, allowed: Tensor) -> None:
        """Gives up the paths that end elsewhere than in ``allowed`` states, (S,) bool, if any ends there. One stream
        only."""
        with self._lock:
            self._check_single("keep")
            if allowed.dtype != torch.bool or tuple(allowed.shape) != (self._graphs[0].num_states,):
                shape = tuple(allowed.shape)
                raise ValueError(f"allowed must be ({self._graphs[0].num_states},) bool, got {shape} {allowed.dtype}")
            if self._streams:
                self._streams.keep(allowed.to("cpu").contiguous())

    def change(self, max_lag: int | None = None, beam: float | None = None, certainty: float | None = None) -> None:
        """Other options, from the next frame on. Errors as when it is made."""
        options = _check_options(max_lag, beam, certainty)
        with self._lock:
            self._check_open()
            self._options = options
            if self._streams:
                self._streams.change(options)

    def extend(self, graph: Graph) -> None:
        """Goes on in a larger graph whose first states, and the arcs between them, are the present one's. One stream
        only.

        Raises:
            BackendUnavailable: the stream is on a CUDA device.
        """
        with self._lock:
            self._check_single("extend")
            if graph.num_states < self._graphs[0].num_states:
                raise ValueError(
                    f"graph must have at least the present {self._graphs[0].num_states} states, got {graph.num_states}"
                )
            if self._streams:
                self._streams.extend(graph)
            self._graphs, self._widest = [graph], graph

    def state_dict(self) -> dict[str, Any]:
        """Where the streams stand, as plain values and tensors, for :meth:`load_state_dict` in another process.

        Raises:
            BackendUnavailable: the streams are on a CUDA device.
        """
        with self._lock:
            self._check_open()
            zeros = [0] * len(self._graphs)
            if self._streams is None:
                return {"dtype": "None", "streams": [], "decided": zeros, "received": list(zeros)}
            return {"dtype": str(self._streams.dtype).removeprefix("torch."), **self._streams.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken, on the CPU; the graph must be the same.

        Raises:
            ValueError: it is of another graph, or damaged.
        """
        with self._lock:
            self._check_open()
            if len(state["decided"]) != len(self._graphs):
                raise ValueError(f"state must be of {len(self._graphs)} streams, got {len(state['decided'])}")
            self._streams = None
            if state["streams"]:
                streams = CpuStreams(self._graphs, getattr(torch, state["dtype"]), CPU, self._options)
                streams.load_state_dict(state)
                self._streams = streams

    def _check_open(self) -> None:
        if self._complete is not None:
            raise ValueError(ENDED)

    def _check_single(self, name: str) -> None:
        self._check_open()
        if self._batched:
            raise ValueError(f"{name} is for one stream, this is a batch of {len(self._graphs)}")

    def _open(self, dtype: torch.dtype = torch.float32, device: torch.device = CPU) -> CpuStreams | CudaStreams:
        if self._streams is None:
            kind = CudaStreams if device.type == "cuda" else CpuStreams
            self._streams = kind(self._graphs, dtype, device, self._options)
        return self._streams

    def _of_each(self, found: list[Any]) -> Any:
        return found if self._batched else found[0]


def _check_options(max_lag: int | None, beam: float | None, certainty: float | None) -> Options:
    return check_beam(beam), check_lag(max_lag), check_certainty(certainty)


def _check_same(scores: Tensor, streams: CpuStreams | CudaStreams) -> None:
    if weights_dtype(scores.dtype) is not streams.dtype:
        raise TypeError(f"scores must be {streams.dtype} as in the first chunk, got {scores.dtype}")
    if scores.device != streams.device:
        raise ValueError(f"scores must be on {streams.device} as in the first chunk, got {scores.device}")


def _no_states() -> Tensor:
    return torch.empty(0, dtype=torch.int64)
