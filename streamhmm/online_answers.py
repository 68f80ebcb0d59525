"""What comes back from streams on a CUDA device: csrc/cuda/online.h, OnlineAnswers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TOTAL_BYTES, ANSWER_FIELDS, STATE_BYTES = 8, 5, 4
SPARE = 1024  # states that are copied beyond those expected

Column = NDArray[np.int64]


class Table(NamedTuple):
    """(streams) each."""

    begin: Column  # among all that was decided
    decided: Column
    invalid_frame: Column
    current: Column
    reached: Column


class Answers:
    """A buffer on the device and its copy here, and what was decided and is not taken yet."""

    def __init__(self, streams: int, device: torch.device) -> None:
        self.taken: Column = np.zeros(streams, np.int64)  # frames
        self._streams = streams
        self._device = device
        self._head = TOTAL_BYTES + 8 * ANSWER_FIELDS * streams
        self._there = torch.empty(0, dtype=torch.uint8)
        self._here = torch.empty(0, dtype=torch.uint8)
        self._waiting: list[tuple[Column, Column]] = []  # states and how many there are for each stream

    @torch.inference_mode(False)
    def make_room(self, states: int) -> int:
        """The address of a buffer on the device for so many decided states."""
        size = self._head + STATE_BYTES * states
        if len(self._there) < size:
            self._there = torch.empty(2 * size, dtype=torch.uint8, device=self._device)
        return self._there.data_ptr()

    def receive(self, expected: int) -> Table:
        """Copies the answers with one wait, unless far more than the ``expected`` states were decided."""
        ready = min(self._head + STATE_BYTES * (2 * expected + SPARE), len(self._there))
        here = self._copy(ready)
        total = int(here[:TOTAL_BYTES].view(np.int64)[0])
        fields: Any = here[TOTAL_BYTES : self._head].view(np.int64).reshape(self._streams, ANSWER_FIELDS)
        table = Table(*fields.T.copy())
        end = self._head + STATE_BYTES * total
        states = (here if end <= ready else self._copy(end))[self._head : end].view(np.int32)
        order = np.repeat(table.begin - (np.cumsum(table.decided) - table.decided), table.decided) + np.arange(total)
        self._waiting.append((states[order].astype(np.int64), table.decided))
        return table

    def take(self) -> list[Tensor]:
        """Each stream's states."""
        parts = [torch.from_numpy(states).split(count.tolist()) for states, count in self._waiting]
        for _, count in self._waiting:
            self.taken += count
        self._waiting = []
        if len(parts) == 1:
            return list(parts[0])
        return [torch.cat(own) for own in zip(*parts, strict=True)] or self._nothing()

    def _nothing(self) -> list[Tensor]:
        return [torch.empty(0, dtype=torch.int64) for _ in range(self._streams)]

    @torch.inference_mode(False)
    def _copy(self, size: int) -> NDArray[np.uint8]:
        on_gpu = self._device.type == "cuda"
        if len(self._here) < size:
            self._here = torch.empty(2 * size, dtype=torch.uint8, pin_memory=on_gpu)
        self._here[:size].copy_(self._there[:size], non_blocking=True)
        if on_gpu:
            torch.cuda.current_stream(self._device).synchronize()
        return self._here[:size].numpy()
