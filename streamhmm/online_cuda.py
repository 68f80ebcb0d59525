"""Streams of OnlineViterbi on a CUDA device: csrc/cuda/online.h.

A push is one launch, one copy of what was decided and one wait. What stands in the device's memory is laid out when the
streams are opened, but for the rows of back-pointers, whose buffer grows with the undecided frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm import library_cuda
from streamhmm.arguments import packed
from streamhmm.errors import BackendUnavailable
from streamhmm.graph import Graph
from streamhmm.online_answers import Answers, Column
from streamhmm.online_checks import Chunks, Options, check_slices

FEWEST_ROWS = 64  # of a stream's window
PLACE, PROGRESS = 4, 4  # fields of OnlinePlace and OnlineProgress
IS_DOUBLE, ENTERS = 2, 3  # of the latter
NONE_INVALID, INVALID_WEIGHTS = -1, -2  # in OnlineAnswer

Numbers = NDArray[Any]


class CudaStreams:
    """One stream a graph; each call is for all of them. Nothing kept is an inference tensor: any mode may change it."""

    @torch.inference_mode(False)
    def __init__(self, graphs: Sequence[Graph], dtype: torch.dtype, device: torch.device, options: Options) -> None:
        self.device = self._device = device
        self.dtype = dtype
        self._graphs = list(graphs)
        self._varies = any(graph.num_slices is not None for graph in graphs)
        self._options = options
        self._open()
        count = len(graphs)
        self._states = np.array([graph.num_states for graph in graphs])
        tiles = -(-self._states // self._core.TILE)
        self._row_bytes = np.array([self._core.winner_row_bytes(int(states)) for states in self._states])
        self._place = np.zeros((count, PLACE), np.int64)
        self._place[:, 0] = np.cumsum(self._states) - self._states
        self._place[:, 1] = np.cumsum(tiles) - tiles
        self._frames = np.zeros(count, np.int64)
        self._undecided = np.zeros(count, np.int64)  # the first frame that is
        self._entered = np.zeros(count, np.int64)  # the first frame since the beginning, or a restart
        self._current: Column | None = np.full(count, -1)
        self._answers = Answers(count, device)

        self._alpha = self._initial()
        self._ancestor = self._zeros(int(self._states.sum()), torch.int32)
        self._offset = self._zeros(int(tiles.sum()), torch.float64)
        self._progress = self._zeros((count, PROGRESS), torch.int64)
        self._progress[:, IS_DOUBLE] = int(dtype == torch.float64)
        self._progress[:, ENTERS] = 1
        self._scratch = self._empty(self._streams.scratch_bytes())
        self._window = self._empty(0)
        self._place_there = self._sent(self._place)

    @property
    def decided(self) -> list[int]:
        """Frames whose states were taken."""
        taken: list[int] = self._answers.taken.tolist()
        return taken

    def push(self, scores: Chunks) -> None:
        chunk, frames, kept_alive = self._chunk(scores)
        if self._varies:
            check_slices(self._graphs, self._frames.tolist(), frames.tolist())
        kept_alive += self._make_room(frames)
        answers = self._answers.make_room(int((self._frames - self._undecided + frames).sum()))
        self._streams.push(self._state(), chunk, *self._options, answers, self._stream())
        table = self._answers.receive(int(frames.sum()))
        del kept_alive
        valid = table.invalid_frame == NONE_INVALID
        self._frames += np.where(valid, frames, 0)
        self._undecided += table.decided
        self._current = np.where(valid, table.current, self._ends())
        if not valid.all():
            self._raise_invalid(int(np.argmin(valid)), table.invalid_frame)

    def finish(self) -> list[bool]:
        """Whether each stream's path ends in a final state."""
        return self._end(in_final=True)

    def take(self) -> list[Tensor]:
        """The states decided since the last time."""
        return self._answers.take()

    def current(self) -> list[int]:
        current: list[int] = self._ends().tolist()
        return current

    def survivors(self) -> list[tuple[Tensor, Tensor]]:
        return [
            (torch.from_numpy(states), torch.from_numpy(scores - scores.max(initial=float("-inf"))))
            for states, scores in self._live()
        ]

    def undecided(self, state: int | None) -> list[Tensor]:
        ends = self.current() if state is None else [state] * len(self._graphs)
        live = self._live()
        return [
            torch.from_numpy(self._path(index, end) if end in live[index][0] else np.empty(0, np.int64))
            for index, end in enumerate(ends)
        ]

    def restart(self, initial: Tensor) -> None:
        """Of one stream."""
        self._end(in_final=False)
        self._alpha.copy_(initial)
        self._offset.zero_()
        self._progress[:, ENTERS] = 1
        self._entered = self._frames.copy()
        self._current = np.full(1, -1)
        self._wait()

    def keep(self, allowed: Tensor) -> None:
        """Of one stream."""
        if self._frames[0] == self._entered[0]:
            return
        mask = allowed.to(self._device)
        given_up = ~mask & (mask & (self._alpha > float("-inf"))).any()
        self._alpha.masked_fill_(given_up, float("-inf"))
        self._current = None
        self._wait()

    def _wait(self) -> None:
        """The next push may come on another stream."""
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()

    def change(self, options: Options) -> None:
        self._options = options

    def extend(self, graph: Graph) -> NoReturn:
        _refuse("extend")

    def state_dict(self) -> NoReturn:
        _refuse("state_dict")

    # ---- on the device

    def _open(self) -> None:
        """Hands the graphs over."""
        self._core = library_cuda.core()
        shared = all(graph is self._graphs[0] for graph in self._graphs)
        structure, weights = packed(self._graphs[:1] if shared else self._graphs, self.dtype, self._device)
        self._kept_alive = structure, weights
        columns = max(graph.num_pdfs for graph in self._graphs)
        no_scores = torch.empty((len(self._graphs), 0, columns), dtype=self.dtype, device=self._device)
        batch = library_cuda.device_batch(no_scores, None, structure, weights, 0)
        self._streams = self._core.OnlineStreams(batch)
        self._inspection = self._empty(self._streams.workspace_bytes())
        self._streams.open(self._inspection.data_ptr())

    def _initial(self) -> Tensor:
        """Every graph's log-weights of starting in a state, as the stream's precision has them."""
        found = {}
        for graph in self._graphs:
            if id(graph) not in found:
                weights = graph.packed_weights(self.dtype, self._device).detach()
                found[id(graph)] = weights[-2 * graph.num_states : -graph.num_states].to(torch.float64)
        return torch.cat([found[id(graph)] for graph in self._graphs])

    def _chunk(self, scores: Chunks) -> tuple[Any, Column, list[Tensor]]:
        """The chunk as the core takes it, the frames for each stream, and what must live as long."""
        if isinstance(scores, Tensor):
            rows = scores if scores.stride(2) == 1 or scores.shape[2] == 1 else scores.contiguous()
            frames = np.full(len(rows), rows.shape[1], np.int64)
            layout = (rows.shape[1], rows.stride(0), rows.stride(1), 0)
            return self._core.OnlineChunk(rows.data_ptr(), self._kind(rows.dtype), *layout), frames, [rows]
        frames = np.array([len(chunk) for chunk in scores], np.int64)
        rows = (scores[0] if len(scores) == 1 else torch.cat(scores)).contiguous()
        first_row = self._sent(np.concatenate([np.zeros(1, np.int64), np.cumsum(frames)]))
        layout = (0, 0, rows.stride(0), first_row.data_ptr())
        return self._core.OnlineChunk(rows.data_ptr(), self._kind(rows.dtype), *layout), frames, [rows, first_row]

    @torch.inference_mode(False)
    def _make_room(self, frames: Column) -> list[Tensor]:
        """Windows that hold the undecided frames and so many more; returns what is still read."""
        open_frames = self._frames - self._undecided
        need = open_frames + frames
        if bool((need <= self._place[:, 3]).all()):
            return []
        before, read = self._state(), [self._place_there, self._window]
        doubled = 2 ** np.ceil(np.log2(np.maximum(need, FEWEST_ROWS))).astype(np.int64)
        place = self._place.copy()
        place[:, 3] = np.where(need > place[:, 3], doubled, place[:, 3])
        sizes = -(-place[:, 3] * self._row_bytes // 16) * 16
        place[:, 2] = np.cumsum(sizes) - sizes
        window, place_there = self._empty(int(sizes.sum())), self._sent(place)
        rows = int(open_frames.max())
        self._streams.move_window(before, place_there.data_ptr(), window.data_ptr(), rows, self._stream())
        self._place, self._place_there, self._window = place, place_there, window
        return read

    def _state(self) -> Any:
        tensors = (self._place_there, self._progress, self._alpha, self._ancestor, self._offset)
        return self._core.OnlineState(*(each.data_ptr() for each in (*tensors, self._window, self._scratch)))

    def _end(self, in_final: bool) -> list[bool]:
        answers = self._answers.make_room(int((self._frames - self._undecided).sum()))
        self._streams.end(self._state(), in_final, answers, self._stream())
        table = self._answers.receive(int((self._frames - self._undecided).sum()))
        self._undecided += table.decided
        reached: list[bool] = (table.reached == 1).tolist()
        return reached

    def _raise_invalid(self, stream: int, frames: Column) -> NoReturn:
        if frames[stream] == INVALID_WEIGHTS:
            raise ValueError(f"graph weights must be finite or -inf, got NaN or +inf in that of sequence {stream}")
        raise ValueError(
            "scores must be finite or -inf where the graph reads them, got NaN or +inf in sequence "
            f"{stream}, frame {self._frames[stream] + frames[stream]}"
        )

    def _ends(self) -> Column:
        """Each stream's best survivor."""
        if self._current is None:
            ends = [int(states[np.argmax(scores)]) if len(states) else -1 for states, scores in self._live()]
            self._current = np.array(ends)
        return self._current

    def _live(self) -> list[tuple[Numbers, Numbers]]:
        """Each stream's survivors, ascending, and their α."""
        alpha, offset = self._alpha.cpu().numpy(), self._offset.cpu().numpy()
        has_frames = self._frames > self._entered
        found = []
        for index, (state, tile, *_) in enumerate(self._place.tolist()):
            end = state + int(self._states[index]) if has_frames[index] else state
            live = np.flatnonzero(alpha[state:end] > float("-inf"))
            found.append((live, offset[tile + live // self._core.TILE] + alpha[state + live]))
        return found

    def _path(self, index: int, state: int) -> Column:
        """That of the best path to a survivor in the frames that are not decided."""
        _, _, begin, rows = self._place[index]
        size = rows * self._row_bytes[index]
        width = self._core.winner_bytes(int(self._states[index]))
        window = self._window[begin : begin + size].cpu().numpy().view(f"uint{8 * width}").reshape(rows, -1)
        path = np.empty(self._frames[index] - self._undecided[index], np.int64)
        for place in range(len(path) - 1, -1, -1):
            path[place] = state
            state = int(window[(self._undecided[index] + place) % rows, state])
        return path

    def _kind(self, dtype: torch.dtype) -> Any:
        return getattr(self._core.NumberType, str(dtype).removeprefix("torch."))

    def _stream(self) -> int:
        return int(torch.cuda.current_stream(self._device).cuda_stream) if self._device.type == "cuda" else 0

    def _empty(self, size: int) -> Tensor:
        return torch.empty(max(size, 1), dtype=torch.uint8, device=self._device)

    def _zeros(self, shape: int | tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=self._device)

    def _sent(self, numbers: Column) -> Tensor:
        tensor = torch.from_numpy(numbers.copy())
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()  # so that nobody waits for the copy
        return tensor.to(self._device, non_blocking=True)


def _refuse(name: str) -> NoReturn:
    raise BackendUnavailable(f"{name} is there for streams on the CPU only: push scores on the CPU")
