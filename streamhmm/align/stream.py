"""Alignment of live speech: samples in, words with their times out."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.align.events import Event, Kind, Position
from streamhmm.align.follow import START, Follow
from streamhmm.align.hearing import Frames, Hearing, Source
from streamhmm.align.kept import KeptAudio
from streamhmm.align.onset import Onset
from streamhmm.align.place import Places
from streamhmm.align.results import Alignment
from streamhmm.align.steady import Wanderer
from streamhmm.align.stream_result import as_alignment
from streamhmm.align.topology import SILENT, Topology, build_topology
from streamhmm.align.transcript import Begun, Reading, Transcript
from streamhmm.errors import AudioError
from streamhmm.graph import Graph
from streamhmm.online import OnlineViterbi
from streamhmm.packing import NEVER
from streamhmm.segment import Segment
from streamhmm.text import pronounce, tokenize

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner

BEAM = 80.0
CERTAINTY = 0.99999
KEEP_S = 3600.0
MEMORY_FRAMES, FOLLOW_BEAM = 600, 120.0
"""With ``follow``: how long ago a speaker may have left the order of the words, and nats for what that costs."""
LEAD_FRAMES = 1000
"""Before the reader has begun, what is so old is decided."""
LATEST = 64
"""Words of which is known whether they were told to have begun."""
LOST_BLOCK = 16000
"""Lost samples are taken as silence, so many at once."""
ENDED = "the stream has ended: finish was called"


class AlignmentStream:
    """Follows a speaker through a text; made by :meth:`streamhmm.Aligner.stream`.

    "final" events are never taken back. How the samples are cut into chunks changes none of them, only when they come.
    Use from any thread, one call at a time; others wait. ``sample_rate`` is what :meth:`push` takes, 16000;
    ``source`` gives the scores.
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
        source: Source | None = None,
    ) -> None:
        self._aligner, self._model = aligner, aligner.own_model("stream")
        self.sample_rate = self._model.sample_rate
        self._follow, self._strict, self._keep = follow, strict, keep
        script = pronounce(tokenize(text), aligner.lexicon, strict=strict)
        self._words, self._unknown = list(script.words), list(script.unknown)
        self._texts = [text if isinstance(text, str) else " ".join(text)]
        topology = self._build()
        self._lag = None if max_lag is None else self._lag_frames(max_lag)
        self._beam, self._certainty = beam, None if max_lag is None else certainty
        self._decoder = self._make_decoder(topology.graph)
        onset = Onset(topology, self._model.silence)
        self.source = source or self._model.stream()
        self._hearing = Hearing(self._model, self.source, aligner.phone_loop, self._decoder, onset, self._decide_soon)
        self._places = Places(topology)
        self._transcript = Transcript(topology, self._places, self.words, aligner.calibration, self._model)
        self._received = 0
        self._kept = KeptAudio(keep, self.sample_rate)
        self._readings: deque[Reading] = deque()
        self._furthest = -1  # last word read
        self._partials: deque[tuple[int, int]] = deque(maxlen=LATEST)  # words told to have begun, with their takes
        self._last: list[Event] | None = None
        self._complete = False
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
            ValueError, TypeError: samples that are not as said; after :meth:`finish`.
        """
        values = checked_samples(samples)
        with self.turn():
            return self.advance(values, self.source.push(values))

    def lost(self, samples: int) -> list[Event]:
        """So many samples never arrived: a "gap" event, and times after them stay right."""
        if samples < 0:
            raise ValueError(f"samples must be at least 0, got {samples}")
        with self._lock:
            self._check_open()
            start = self.received_s
            events: list[Event] = []
            for first in range(0, samples, LOST_BLOCK):
                silence = torch.zeros(min(LOST_BLOCK, samples - first))
                events += self.advance(silence, self.source.push(silence))
            if samples > 0:
                events.append(self._event("gap", None, 0, Segment("", start, self.received_s)))
            return events

    def position(self, ahead_s: float = 0.0) -> Position:
        """The word that is being read at the newest sample, −1 before the first; in a pause the word before it.

        Where more has been heard than was pushed yet, ``ahead_s`` seconds of it, the word there.
        """
        with self._lock:
            hearing = self._hearing
            state = None if hearing.has_begun else hearing.seeming
            if not hearing.has_begun and state is None:
                return Position(-1, 1.0)
            unheard = (self._received + ahead_s * self.sample_rate) / self._frame - hearing.decoded
            path = hearing.undecided(state)
            return self._places.position(hearing.survivors(), path, unheard, self._transcript.pace)

    def seek(self, index: int) -> list[Event]:
        """Goes on at word ``index``, where the reader is about to read. What was heard so far is decided.

        Raises:
            ValueError: there is no such word; after :meth:`finish`.
        """
        if not 0 <= index < len(self._words):
            raise ValueError(f"index must be in 0…{len(self._words) - 1}, got {index}")
        with self._lock:
            self._check_open()
            events = self._tell(self._hearing.restart(self._entries(index)))
            events += self._tell_rest(self._hearing.decoded * self._model.frame_s)
            self._furthest = index - 1
            return events

    def extend(self, text: str | Sequence[str]) -> None:
        """More text after the last word.

        Raises:
            TextError: it can't be used.
        """
        script = pronounce(tokenize(text), self._aligner.lexicon, strict=self._strict)
        with self._lock:
            self._check_open()
            self._words += script.words
            self._unknown += script.unknown
            self._texts.append(text if isinstance(text, str) else " ".join(text))
            topology = self._build()
            self._hearing.extend(topology.graph, Onset(topology, self._model.silence))
            self._places = Places(topology)
            self._transcript.extend(topology, self._places, self.words)

    def close(self) -> list[Event]:
        """Ends the stream. Returns the last events; a second call returns the same."""
        with self._lock:
            if self._last is None:
                frames, self._complete = self._hearing.finish()
                self._last = [*self._tell(frames), *self._tell_rest(self.received_s)]
            return list(self._last)

    def finish(self) -> Alignment:
        """Ends the stream. Returns exactly what the "final" events told, without a second pass.

        What is older than ``keep`` seconds has been told and is not in it; a warning says so.

        Raises:
            AlignmentError: no audio was received.
        """
        self.close()
        return as_alignment(
            self._readings,
            self.words,
            duration=self.received_s,
            keep=self._keep,
            text=" ".join(self._texts),
            unknown=self._unknown,
            complete=self._complete,
            calibrated=self._model.calibration is not None,
            takes=self._transcript.takes,
        )

    def realign(self) -> Alignment:
        """The second pass: the kept audio as a whole, against the words that were read in it and those not read yet.

        Raises:
            AlignmentError: no audio was received, or no path through the text fits it.
        """
        with self._lock:
            samples, start = self._kept.samples(), self._kept.start_s
            read = [r.index for r in self._readings if r.index is not None and r.segment.start >= start]
        first = min(read, default=0) if start > 0 else 0
        audio = (samples, self.sample_rate)
        found = self._aligner.align(audio, self.words[first:], follow=self._follow is not None, strict=self._strict)
        return found.moved(start, first)

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as tensors and plain values. A stream made with the same arguments, in another
        process, goes on there (:meth:`load_state_dict`)."""
        with self._lock:
            self._check_open()
            return {
                "texts": list(self._texts),
                "hearing": self._hearing.state_dict(),
                "transcript": self._transcript.state_dict(),
                "kept": self._kept.state_dict(),
                "readings": [reading.as_values() for reading in self._readings],
                "received": self._received,
                "furthest": self._furthest,
                "partials": list(self._partials),
            }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken.

        Raises:
            ValueError: this stream is of another text, has heard something already, or has ended.
        """
        with self.turn():
            if self._received > 0:
                raise ValueError("state must be loaded into a stream that has heard nothing yet")
            texts = list(state["texts"])
            if texts[:1] != self._texts:
                raise ValueError("state must be of a stream with the same text")
        for text in texts[1:]:
            self.extend(text)
        with self.turn():
            self._hearing.load_state_dict(state["hearing"])
            self._transcript.load_state_dict(state["transcript"])
            self._kept.load_state_dict(state["kept"])
            self._readings = deque(Reading.from_values(values) for values in state["readings"])
            self._received, self._furthest = state["received"], state["furthest"]
            self._partials.extend(state["partials"])

    # ---- text to graph

    def _build(self) -> Topology:
        return build_topology(self._words, self._aligner.columns, follow=self._follow, lead_in=True)

    def _entries(self, index: int) -> Tensor:
        """Initial weights of a path that goes on with a word, or with the end of the silence before it."""
        topology = self._transcript.topology
        starts = topology.begins_word & (topology.word_of_state == index)
        entries = torch.where(starts, 0.0, NEVER).double()
        silent = (topology.phone_of_state == SILENT) & (topology.graph.pdfs == self._model.silence)
        before = (silent & (self._places.place == index - 1)).nonzero()
        entries[before[-1]] = 0.0
        return entries

    def _make_decoder(self, graph: Graph) -> OnlineViterbi | Wanderer:
        if self._follow is None or self._lag is None:
            most = None if self._lag is None else max(self._lag, LEAD_FRAMES)
            return OnlineViterbi(graph, most, None if self._beam is None else self._beam - START)
        return Wanderer(graph, MEMORY_FRAMES, None if self._beam is None else self._beam + FOLLOW_BEAM)

    def _decide_soon(self) -> None:
        """The reader has begun."""
        if isinstance(self._decoder, Wanderer):
            self._decoder.change(self._lag)
        else:
            self._decoder.change(self._lag, self._beam, self._certainty)

    def _lag_frames(self, max_lag: float) -> int:
        ahead = self._model.lookahead_s + 2 * self._model.frame_s  # frames come in pairs
        frames = math.floor((max_lag - ahead) / self._model.frame_s + 1e-6)
        if frames < 0:
            raise ValueError(f"max_lag must be at least {ahead:.4f} s, the model's look-ahead, got {max_lag}")
        return frames

    # ---- samples to events

    @property
    def _frame(self) -> int:
        return round(self.sample_rate * self._model.frame_s)

    def _check_open(self) -> None:
        if self._last is not None:
            raise ValueError(ENDED)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Other threads wait for this one; for who calls :meth:`advance`.

        Raises:
            ValueError: after :meth:`finish`.
        """
        with self._lock:
            self._check_open()
            yield

    def advance(self, samples: Tensor, scores: Tensor) -> list[Event]:
        """The next samples, of which ``source`` has given the scores; what :meth:`push` does besides."""
        self._received += len(samples)
        self._kept.add(samples)
        return [*self._tell(self._hearing.push(scores)), *self._new_partials()]

    def _tell(self, frames: Frames) -> list[Event]:
        return list(self._events(self._transcript.add(frames)))

    def _tell_rest(self, end_s: float) -> list[Event]:
        return list(self._events(self._transcript.finish(end_s)))

    def _events(self, readings: Sequence[Reading]) -> Iterator[Event]:
        for reading in readings:
            self._readings.append(reading)
            if reading.index is None:
                yield self._event("offscript", None, 0, reading.segment)
                continue
            for index in range(self._furthest + 1, reading.index):
                if self._transcript.takes[index] == 0:
                    yield self._event("skipped", index, 0, None)
            self._furthest = reading.index
            yield from self._begun(Begun(reading.index, reading.take, reading.segment.start), reading.segment.end)
            yield self._event("final", reading.index, reading.take, reading.segment)
        while self._readings and self._readings[0].segment.end < self.received_s - self._keep:
            self._readings.popleft()

    def _new_partials(self) -> Iterator[Event]:
        """The words that have begun since the last time."""
        if self._hearing.has_begun:
            for begun in self._transcript.heard(self._hearing.undecided()):
                yield from self._begun(begun, self._hearing.decoded * self._model.frame_s)

    def _begun(self, begun: Begun, now_s: float) -> Iterator[Event]:
        """A word has begun, if nobody was told yet."""
        word, take, start_s = begun
        if (word, take) not in self._partials:
            self._partials.append((word, take))
            segment = Segment(self._words[word].label, start_s, max(start_s, now_s))
            yield self._event("partial", word, take, segment)

    def _event(self, kind: Kind, index: int | None, take: int, segment: Segment | None) -> Event:
        return Event(kind, index, take, segment, self.received_s, time.monotonic())


def checked_samples(samples: NDArray[np.float32] | Tensor) -> Tensor:
    """(n,) samples as a stream takes them. For the errors see :meth:`AlignmentStream.push`."""
    values = samples if isinstance(samples, Tensor) else torch.from_numpy(np.ascontiguousarray(samples))
    if values.dtype != torch.float32:
        raise TypeError(f"samples must be float32, got {values.dtype}")
    if values.dim() != 1:
        raise ValueError(f"samples must be (n,), mono, got shape {tuple(values.shape)}")
    if len(values) > 0 and not bool(torch.isfinite(values).all()):
        raise AudioError("samples are NaN or infinite; check what records or converts them")
    return values.detach().to("cpu")
