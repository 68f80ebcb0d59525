"""How many recordings go through the network at once: as much as pays, and as memory allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

FIRST_S = 30.0
"""On a CPU longer batches are no faster."""
MOST_RECORDINGS = 64
GROWTH = 2.0
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "failed to allocate memory",
    "bad_alloc",
    "bad allocation",
    "ALLOC_FAILED",
)
"""What torch, CUDA's libraries, ONNX Runtime and others say, each with errors of its own."""


class BatchSize:
    """Puts recordings of similar length together, and finds out how many.

    A batch is at most 64 recordings that last ``seconds`` together, what they are padded with included. On a CPU those
    are 30 s, on other devices they double with each full batch. When memory runs out a batch is done again in halves,
    nothing that was done before is lost, and ``seconds``, then half of what was too much, stays as it is.

    Attributes:
        seconds: of the next batch.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds = FIRST_S
        self._most_s = FIRST_S if device.type == "cpu" else math.inf

    def limit(self, seconds: float | None) -> None:
        """Longer batches from now on, up to so many seconds, or up to what memory holds; None leaves it as it is.

        Raises:
            ValueError: it is not positive.
        """
        if seconds is None:
            return
        if not seconds > 0:
            raise ValueError(f"seconds of a batch must be positive, got {seconds}")
        self._most_s = seconds
        self.seconds = min(self.seconds, seconds)

    def run(self, lengths_s: Sequence[float], work: Callable[[list[int]], None]) -> None:
        """Calls ``work`` with indices of recordings, so that each of these lengths is done once, the longest first.

        What it raises is raised again, if it does not tell of memory or a single recording is too much.
        """
        left = sorted(range(len(lengths_s)), key=lengths_s.__getitem__, reverse=True)
        while left:
            fitting = max(1, min(MOST_RECORDINGS, int(self.seconds / max(lengths_s[left[0]], 1e-9))))
            batch = left[:fitting]
            if self._fits(batch, work):
                del left[: len(batch)]
                if left and len(batch) < MOST_RECORDINGS:
                    self.seconds = min(GROWTH * self.seconds, self._most_s)
            else:
                self.seconds = self._most_s = lengths_s[left[0]] * len(batch) / GROWTH

    def _fits(self, batch: list[int], work: Callable[[list[int]], None]) -> bool:
        """Does it, unless memory is too small for it."""
        try:
            work(batch)
        except Exception as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                raise
        else:
            return True
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it tells that memory, of the host or of the device, was too small."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words.lower() in text for words in OUT_OF_MEMORY)
