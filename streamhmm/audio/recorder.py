"""What is heard, written to disk while it is heard."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import PurePath

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from streamhmm.errors import OutputError, why_not_written

SUFFIXES = (".wav", ".flac")
_WAV_HEADER_BYTES = 44
_SILENCE_FRAMES = 65_536


def check_recordable(path: str | os.PathLike[str]) -> None:
    """Raises ValueError if the suffix of ``path`` names no format that can be recorded to."""
    suffix = PurePath(path).suffix
    if suffix.lower() not in SUFFIXES:
        raise ValueError(f"the suffix of {os.fspath(path)!r} must be one of {', '.join(SUFFIXES)}, got {suffix!r}")


class FileRecorder:
    """A :class:`~streamhmm.audio.source.Recorder`: a file of 16 bits that grows with what is heard.

    If the program is killed, the file can be read: a WAV has its right header at any time, a FLAC lacks its length,
    which most readers do without, and the last 0.3 s.

    Args:
        path: .wav or .flac; a file that is there is replaced.
        sample_rate: frames a second of what will be written.
        channels: of what will be written.

    Raises:
        OutputError: the file can't be made.
        ValueError: another suffix.
    """

    def __init__(self, path: str | os.PathLike[str], sample_rate: int, channels: int = 1) -> None:
        check_recordable(path)
        self._name = os.fspath(path)
        self._sample_rate = sample_rate
        self._channels = channels
        container = PurePath(path).suffix[1:].upper()
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
        except OSError as error:
            raise OutputError(f"{self._name}: {why_not_written(error, os.path.abspath(path))}") from error
        try:
            self._file = soundfile.SoundFile(
                self._descriptor, "w", sample_rate, channels, subtype="PCM_16", format=container, closefd=True
            )
        except soundfile.LibsndfileError as error:
            raise OutputError(f"{self._name}: can't be recorded to; is the disk full? choose another place") from error
        self._is_wav = container == "WAV"
        self._written = 0

    def write(self, samples: NDArray[np.float32], lost: int = 0) -> None:
        """``lost`` frames of silence, so that times stay right, then ``samples``, (n, channels), full scale ±1.

        Raises:
            OutputError: the file can't be continued; what is in it can be read.
        """
        for start in range(0, lost, _SILENCE_FRAMES):
            self._append(np.zeros((min(_SILENCE_FRAMES, lost - start), self._channels), np.int16))
        self._append(np.rint(np.clip(samples, -1, 32767 / 32768) * 32768).astype(np.int16))

    def close(self) -> None:
        """Completes the file. May be called again."""
        with suppress(soundfile.LibsndfileError):  # what is written stays
            self._file.close()

    def _append(self, pcm: NDArray[np.int16]) -> None:
        try:
            self._file.write(pcm)
            self._written += len(pcm)
            if self._is_wav:
                self._write_sizes()
        except (soundfile.LibsndfileError, AssertionError, OSError) as error:  # soundfile asserts that all was written
            self.close()
            raise OutputError(
                f"{self._name}: the recording can't be continued after {self._written / self._sample_rate:.1f} s; "
                "is the disk full? free some space or record to another place"
            ) from error

    def _write_sizes(self) -> None:
        # libsndfile writes them when the file is closed, which a killed program does not do.
        data_bytes = 2 * self._channels * self._written
        if data_bytes + _WAV_HEADER_BYTES > 0xFFFF_FFFF:
            return  # 37 hours of 16 kHz mono
        os.pwrite(self._descriptor, struct.pack("<I", data_bytes + _WAV_HEADER_BYTES - 8), 4)
        os.pwrite(self._descriptor, struct.pack("<I", data_bytes), _WAV_HEADER_BYTES - 4)
