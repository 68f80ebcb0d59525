"""Alignment of live speech: samples in, words with their times out."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.align.events import Event, Position
from streamhmm.align.filler import with_filler
from streamhmm.align.follow import Follow
from streamhmm.align.kept import KeptAudio
from streamhmm.align.place import Places
from streamhmm.align.results import Alignment
from streamhmm.align.topology import build_topology
from streamhmm.align.transcript import Frames, Reading, Transcript, frame_numbers
from streamhmm.errors import AudioError
from streamhmm.online import OnlineViterbi
from streamhmm.packing import NEVER
from streamhmm.segment import Segment
from streamhmm.text import pronounce, tokenize

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner

BEAM = 100.0
"""Nats. On clean speech no frame changes down to 20; what keeps up with other talk needs more."""
CERTAINTY = 0.9999
LOOP_LAG, LOOP_BEAM = 15, 50.0
"""Of the free phone loop that words are held against."""
KEEP_S = 3600.0
LOST_BLOCK = 16000
"""Lost samples are taken as silence, so many at once."""
ENDED = "the stream has ended: finish was called"


class AlignmentStream:
    """Follows a speaker through a text; made by :meth:`streamhmm.Aligner.stream`.

    Every event is told once and never taken back, but for "partial" ones. How the samples are cut into chunks changes
    no "final" event, only when it comes. Use from any thread, one call at a time; others wait.

    ``sample_rate`` is what :meth:`push` takes, 16000; ``received_s`` the seconds of audio so far.
    """

    def __init__(
        self,
        aligner: Aligner,
        text: str | Sequence[str],
        *,
        max_lag: float | None,
        follow: Follow | None,
        beam: float | None,
        certainty: float | None,
        keep: float,
        strict: bool,
    ) -> None:
        self._aligner = aligner
        self._model = aligner.model
        self.sample_rate = self._model.sample_rate
        self._follow = follow
        self._strict = strict
        self._script = pronounce(tokenize(text), aligner.lexicon, strict=strict)
        self._words = list(self._script.words)
        self._texts = [text if isinstance(text, str) else " ".join(text)]
        self._topology = self._build()
        lag_frames = None if max_lag is None else self._lag_frames(max_lag)
        self._decoder = OnlineViterbi(
            self._topology.graph, lag_frames, beam, certainty if lag_frames is not None else None
        )
        self._loop = OnlineViterbi(aligner.phone_loop, LOOP_LAG, LOOP_BEAM)
        self._loop_columns = torch.empty(0, dtype=torch.int64)  # of frames not in the transcript yet
        self._scores_ahead = torch.empty(0, len(self._model.labels))  # likewise
        self._source = self._model.stream()
        self._transcript = Transcript(
            self._topology,
            [word.label for word in self._words],
            aligner.calibration,
            self._model.log_prior,
            self._model.silence,
            self._model.frame_s,
        )
        self._places = Places(self._topology)
        self._received = 0
        self._decoded = 0
        self._kept = KeptAudio(keep, self.sample_rate)
        self._keep = keep
        self._readings: deque[Reading] = deque()
        self._handed_over = 0
        self._furthest = -1  # last word read
        self._partial: tuple[int, int] | None = None
        self._last: list[Event] | None = None
        self._alignment: Alignment | None = None
        self._lock = Lock()

    @property
    def received_s(self) -> float:
        """Seconds of audio received, lost ones included."""
        return self._received / self.sample_rate

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the text, as the user spells them."""
        return tuple(word.label for word in self._words)

    def push(self, samples: NDArray[np.float32] | Tensor) -> list[Event]:
        """The next samples.

        Args:
            samples: (n,) float32 mono at ``sample_rate``, full scale ±1; n from 0.

        Raises:
            AudioError: some are NaN or infinite; nothing has changed then.
            ValueError, TypeError: samples that are not as said; after :meth:`close`.
        """
        values = _check_samples(samples)
        with self._lock:
            self._check_open()
            return self._advance(values)

    def lost(self, samples: int) -> list[Event]:
        """So many samples never arrived: a "gap" event, and times after them stay right."""
        if samples < 0:
            raise ValueError(f"samples must be at least 0, got {samples}")
        with self._lock:
            self._check_open()
            start = self.received_s
            events: list[Event] = []
            for first in range(0, samples, LOST_BLOCK):
                events += self._advance(torch.zeros(min(LOST_BLOCK, samples - first)))
            if samples > 0:
                events.append(self._event("gap", None, 0, Segment("", start, self.received_s)))
            return events

    def position(self) -> Position:
        """The word that is being read at the newest sample, −1 before the first; in a pause the word before it."""
        with self._lock:
            unheard = self._received / self._samples_a_frame - self._decoded
            return self._places.position(self._decoder.survivors(), self._frames_in_phone(), unheard)

    def seek(self, index: int) -> list[Event]:
        """Goes on at word ``index``: the reader will read from there. What was heard so far is decided."""
        if not 0 <= index < len(self._words):
            raise ValueError(f"index must be in 0…{len(self._words) - 1}, got {index}")
        with self._lock:
            self._check_open()
            states = self._decoder.restart(self._entries(index))
            events = self._tell(states)
            self._furthest = index - 1
            return events

    def extend(self, text: str | Sequence[str]) -> None:
        """More text after the last word."""
        script = pronounce(tokenize(text), self._aligner.lexicon, strict=self._strict)
        with self._lock:
            self._check_open()
            self._words += script.words
            self._texts.append(text if isinstance(text, str) else " ".join(text))
            self._topology = self._build()
            self._decoder.extend(self._topology.graph)
            self._transcript.topology = self._topology
            self._transcript.labels = [word.label for word in self._words]
            self._places = Places(self._topology)

    def close(self) -> list[Event]:
        """Ends the stream. Returns the last events; those of a second call are the same."""
        with self._lock:
            return self._close()

    def finish(self) -> Alignment:
        """Ends the stream. Returns exactly what the "final" events told, without a second pass.

        Words before the last ``keep`` seconds have been told and are not in it; a warning says so.
        """
        with self._lock:
            self._close()
            if self._alignment is None:
                self._alignment = self._result()
            return self._alignment

    def realign(self) -> Alignment:
        """The second pass: the kept audio aligned as a whole with what of the text was not read before it.

        Raises:
            AlignmentError: no audio was kept, or no path through the text fits it.
        """
        with self._lock:
            audio, start = self._kept.samples(), self._kept.start_s
            first = min((r.index for r in self._readings if r.index is not None), default=0) if start > 0 else 0
        words = [word.label for word in self._words[first:]]
        found = self._aligner.align((audio, self.sample_rate), words, follow=self._follow is not None)
        return found.shifted(start, first) if start > 0 or first > 0 else found

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as plain values and tensors; a stream made in the same way goes on there."""
        with self._lock:
            self._check_open()
            return {
                "texts": list(self._texts),
                "decoder": self._decoder.state_dict(),
                "loop": self._loop.state_dict(),
                "loop_columns": self._loop_columns,
                "scores_ahead": self._scores_ahead,
                "source": self._source.state_dict(),
                "transcript": self._transcript.state_dict(),
                "received": self._received,
                "decoded": self._decoded,
                "kept": self._kept.state_dict(),
                "readings": [_reading_as_values(reading) for reading in self._readings],
                "handed_over": self._handed_over,
                "furthest": self._furthest,
                "partial": self._partial,
            }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken.

        Raises:
            ValueError: this stream is of another text, or has heard something already.
        """
        if self._received > 0:
            raise ValueError("a state is loaded into a stream that has heard nothing yet")
        if state["texts"][: len(self._texts)] != self._texts:
            raise ValueError("the state is of another text")
        for text in state["texts"][len(self._texts) :]:
            self.extend(text)
        with self._lock:
            self._decoder.load_state_dict(state["decoder"])
            self._loop.load_state_dict(state["loop"])
            self._loop_columns = state["loop_columns"]
            self._scores_ahead = state["scores_ahead"]
            self._source.load_state_dict(state["source"])
            self._transcript.load_state_dict(state["transcript"])
            self._received, self._decoded = state["received"], state["decoded"]
            self._kept.load_state_dict(state["kept"])
            self._readings = deque(_reading_of_values(values) for values in state["readings"])
            self._handed_over, self._furthest = state["handed_over"], state["furthest"]
            self._partial = state["partial"]

    # ---- samples to states

    @property
    def _samples_a_frame(self) -> int:
        return round(self.sample_rate * self._model.frame_s)

    def _lag_frames(self, max_lag: float) -> int:
        ahead = self._model.lookahead_s + 2 * self._model.frame_s  # frames come in pairs
        frames = math.floor((max_lag - ahead) / self._model.frame_s + 1e-6)
        if frames < 0:
            raise ValueError(f"max_lag must be at least {ahead:.3f} s, the model's look-ahead, got {max_lag}")
        return frames

    def _build(self) -> Any:
        return build_topology(self._words, self._aligner.columns, follow=self._follow, lead_in=True)

    def _entries(self, index: int) -> Tensor:
        """Initial weights of a path that goes on with a word, or with the last moment of the pause before it."""
        topology = self._topology
        starts = topology.begins_word & (topology.word_of_state == index)
        entries = torch.where(starts, 0.0, NEVER).double()
        first = int(starts.nonzero()[0])
        silent = (topology.phone_of_state == -1) & (self._places.place == index - 1)
        silent &= topology.graph.pdfs == self._model.silence
        before = silent[:first].nonzero()
        if len(before) > 0:
            entries[int(before[-1])] = 0.0
        return entries

    def _advance(self, samples: Tensor) -> list[Event]:
        self._received += len(samples)
        self._kept.add(samples)
        return self._hear(self._source.push(samples))

    def _hear(self, scores: Tensor) -> list[Event]:
        if len(scores) == 0:
            return []
        self._decoded += len(scores)
        self._scores_ahead = torch.cat([self._scores_ahead, scores])
        self._add_loop(self._loop.push(scores))
        events = self._tell(self._decoder.push(with_filler(scores, self._model.silence)))
        return [*events, *self._new_partial()]

    def _add_loop(self, states: Tensor) -> None:
        self._loop_columns = torch.cat([self._loop_columns, self._aligner.phone_loop.pdfs[states]])

    def _frames_of(self, states: Tensor) -> Frames:
        """The next decided frames. What the phone loop has not decided is taken as it stands."""
        count = len(states)
        open_loop = self._aligner.phone_loop.pdfs[self._loop.undecided()]
        loop = torch.cat([self._loop_columns, open_loop])[:count]
        first = self._decoded - len(self._scores_ahead)
        frames = Frames(frame_numbers(first, count), states, self._scores_ahead[:count], loop)
        self._scores_ahead = self._scores_ahead[count:]
        return frames

    def _tell(self, states: Tensor) -> list[Event]:
        ahead = len(self._loop_columns)
        frames = self._frames_of(states)
        readings = self._transcript.add(frames)
        self._loop_columns = self._loop_columns[len(states) :]
        self._loop_debt = max(0, len(states) - ahead)
        return [event for reading in readings for event in self._events(reading)]
