"""The recordings of a task, each read once, with a hash of what was read."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import NamedTuple

from streamhmm.audio import Audio, load_audio
from streamhmm.corpus.fingerprint import content_hash, file_state
from streamhmm.corpus.utterance import Part, Utterance
from streamhmm.errors import AudioError

TRIES = 3


class Recording(NamedTuple):
    """A recording as it was when it was read."""

    audio: Audio
    hash: str


class Recordings:
    """Reads recordings, and keeps the last one, of which there may be many utterances."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._last: tuple[tuple[str, int | None], Recording] | None = None

    def read(self, path: str, channel: int | None) -> Recording:
        """A recording. Raises AudioError, also for a file that is being written to."""
        if self._last is None or self._last[0] != (path, channel):
            self._last = (path, channel), self._read(path, channel)
        return self._last[1]

    def _read(self, path: str, channel: int | None) -> Recording:
        for _ in range(TRIES):
            audio, hashed, is_steady = self._read_once(path, channel)
            if is_steady:
                return Recording(audio, hashed)
        raise AudioError(f"{path}: it changed while it was read; run again when it is complete")

    def _read_once(self, path: str, channel: int | None) -> tuple[Audio, str, bool]:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise AudioError(f"{path}: not a file with data; a pipe or a device can't be read twice")
            before = file_state(path)
            hashed = content_hash(path)
            audio = load_audio(path, sample_rate=self._sample_rate, channel=channel)
            return audio, hashed, file_state(path) == before
        except OSError:
            return load_audio(path, sample_rate=self._sample_rate, channel=channel), "", False  # it says why


def part_of(audio: Audio, part: Part, utterance: Utterance) -> Audio:
    """The samples of a part. Raises AudioError: there are none."""
    first = round(part.start_s * audio.sample_rate)
    last = len(audio.samples) if part.end_s is None else round(part.end_s * audio.sample_rate)
    samples = audio.samples[first:last]
    if not len(samples):
        raise AudioError(
            f"{utterance.audio}: the text is said from {part.start_s:.2f} s on, and the recording lasts "
            f"{audio.duration:.2f} s; check the times"
        )
    return replace(audio, samples=samples)
