"""The last seconds of a stream's audio."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class KeptAudio:
    """Samples of the last ``keep`` seconds, at least, and of not much more."""

    def __init__(self, keep: float, sample_rate: int) -> None:
        self._most = keep * sample_rate
        self._rate = sample_rate
        self._blocks: deque[Tensor] = deque()
        self._count = 0
        self._given_up = 0

    @property
    def start_s(self) -> float:
        """When the first of them was heard."""
        return self._given_up / self._rate

    def add(self, samples: Tensor) -> None:
        """The next samples; they are copied."""
        self._blocks.append(samples.clone())
        self._count += len(samples)
        while self._blocks and self._count - len(self._blocks[0]) >= self._most:
            gone = len(self._blocks.popleft())
            self._count -= gone
            self._given_up += gone

    def samples(self) -> NDArray[np.float32]:
        """(n,) all that are kept."""
        return torch.cat([torch.empty(0), *self._blocks]).numpy()

    def state_dict(self) -> dict[str, Any]:
        """What is kept."""
        return {"samples": torch.from_numpy(self.samples()), "given_up": self._given_up}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with it."""
        self._blocks = deque([state["samples"]])
        self._count, self._given_up = len(state["samples"]), state["given_up"]
