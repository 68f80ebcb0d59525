"""What a live session hears, beside the aligner: its level, and a recording of it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio.recorder import FileRecorder
from streamhmm.audio.source import Source
from streamhmm.errors import OutputError


class Tap:
    """A :class:`~streamhmm.audio.source.Recorder` that measures, and writes to a file as long as that is possible.

    Args:
        path: the recording; None for none.
        source: what is heard.
        warn: called once if the recording can't be continued.

    ``level_db`` is the root mean square of the newest block, full scale is 0; ``failed`` whether the recording ended
    early.

    Raises:
        OutputError: the recording can't be made.
    """

    def __init__(self, path: str | os.PathLike[str] | None, source: Source, warn: Callable[[str], None]) -> None:
        self.level_db = -math.inf
        self.failed = False
        self._warn = warn
        self._recorder = None if path is None else FileRecorder(path, source.sample_rate, source.channels)

    def write(self, samples: NDArray[np.float32], lost: int) -> None:
        """Take the next samples."""
        if len(samples):
            power = float(np.mean(np.square(samples, dtype=np.float64)))
            self.level_db = 10 * math.log10(power) if 0 < power < math.inf else -math.inf
        if self._recorder is None or self.failed:
            return
        try:
            self._recorder.write(samples, lost)
        except OutputError as error:
            self.failed = True
            self._warn(str(error))

    def close(self) -> None:
        """Complete the recording."""
        if self._recorder is not None:
            self._recorder.close()
