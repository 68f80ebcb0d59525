"""What is heard, written to disk while it is heard."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePath

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from streamhmm.errors import OutputError, why_not_written

SUFFIXES = (".wav", ".flac")
_WAV_HEADER_BYTES = 44


def check_recordable(path: str | os.PathLike[str]) -> None:
    """Raises ValueError if the suffix of ``path`` names no format that can be recorded to."""
    suffix = PurePath(path).suffix
    if suffix.lower() not in SUFFIXES:
        raise ValueError(f"the suffix of {os.fspath(path)!r} must be one of {', '.join(SUFFIXES)}, got {suffix!r}")


class Recorder:
    """A mono recording of 16 bits that grows with what is heard.

    If the program is killed, the file can be read: a WAV has its right header at any time, a FLAC lacks its length,
    which most readers do without, and the last 0.3 s. If the disk fills up, recording ends and the session goes on.

    Args:
        path: .wav or .flac; a file that is there is replaced.
        sample_rate: samples a second of what will be written.
        warn: called once, with a message, if the file can't be continued.

    Raises:
        OutputError: the file can't be made.
        ValueError: another suffix.
    """

    def __init__(self, path: str | os.PathLike[str], sample_rate: int, warn: Callable[[str], None]) -> None:
        check_recordable(path)
        self._name = os.fspath(path)
        self._sample_rate = sample_rate
        self._warn = warn
        container = PurePath(path).suffix[1:].upper()
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
        except OSError as error:
            raise OutputError(f"{self._name}: {why_not_written(error, os.path.abspath(path))}") from error
        try:
            self._file = soundfile.SoundFile(
                self._descriptor, "w", sample_rate, 1, subtype="PCM_16", format=container, closefd=True
            )
        except soundfile.LibsndfileError as error:
            raise OutputError(f"{self._name}: can't be recorded to; is the disk full? choose another place") from error
        self._is_wav = container == "WAV"
        self._written = 0
        self._failed = False

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append samples (n,), full scale ±1. Never raises: what can't be written is warned of, once."""
        if self._failed:
            return
        pcm = np.rint(np.clip(samples, -1, 32767 / 32768) * 32768).astype(np.int16)
        try:
            self._file.write(pcm)
            self._written += len(pcm)
            if self._is_wav:
                self._write_sizes()
        except (soundfile.LibsndfileError, AssertionError, OSError):  # soundfile asserts that all was written
            self._give_up()

    def close(self) -> None:
        """Finish the file. May be called again. Never raises."""
        with suppress(soundfile.LibsndfileError):  # what is written stays
            self._file.close()

    def _write_sizes(self) -> None:
        # libsndfile writes them when the file is closed, and there is no way to close it but to end normally.
        data_bytes = 2 * self._written
        if data_bytes + _WAV_HEADER_BYTES > 0xFFFF_FFFF:
            return  # 37 hours at 16 kHz
        os.pwrite(self._descriptor, struct.pack("<I", data_bytes + _WAV_HEADER_BYTES - 8), 4)
        os.pwrite(self._descriptor, struct.pack("<I", data_bytes), _WAV_HEADER_BYTES - 4)

    def _give_up(self) -> None:
        self._failed = True
        at_s = self._written / self._sample_rate
        self._warn(
            f"{self._name}: recording ended at {at_s:.1f} s because the file can't be continued; is the disk full? "
            "The session goes on"
        )
        self.close()
