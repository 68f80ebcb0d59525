"""A stream that hears a word every 0.1 s, whatever is said, and an aligner that makes it."""

from __future__ import annotations

import time

import streamhmm as sh
from streamhmm.align.events import Event, Position
from streamhmm.errors import AlignmentError

RATE = 16_000
WORD = RATE // 10


class FakeStream:
    """``calls`` is told of what is done with it; ``on_push`` is called with each push."""

    sample_rate = RATE

    def __init__(self, words):
        self.words = tuple(words)
        self.received = 0
        self.pushed = []
        self.on_push = None
        self.second_pass = None
        self._finals = []
        self._closed = False

    def push(self, samples):
        self.pushed += samples.tolist()
        if self.on_push:
            self.on_push(self)
        return self._advance(len(samples))

    def lost(self, samples):
        start = self.received / RATE
        return [*self._advance(samples), self._event("gap", None, sh.Segment("", start, self.received / RATE))]

    def position(self):
        return Position(len(self._finals) - 1, 1.0)

    def close(self):
        return []

    def finish(self):
        if not self.received:
            raise AlignmentError("no audio was received; push samples before finish")
        return self._alignment(self._finals)

    def realign(self):
        if isinstance(self.second_pass, Exception):
            raise self.second_pass
        shift = self.second_pass
        return self._alignment([sh.Segment(w.label, w.start + shift, w.end + shift, w.score) for w in self._finals])

    def _alignment(self, words):
        return sh.Alignment(
            words=tuple(words),
            phones=tuple(sh.Segment("AH", word.start, word.end, 0.5) for word in words),
            phone_words=tuple(range(len(words))),
            duration=self.received / RATE,
            audio="<stream>",
            text=" ".join(self.words),
            warnings=() if len(words) == len(self.words) else ("the text was not read to its end",),
        )

    def _advance(self, samples):
        events = []
        for _ in range(samples):
            self.received += 1
            index, rest = divmod(self.received, WORD)
            if rest == WORD // 2 and index < len(self.words):
                events.append(self._event("partial", index, self._segment(index, None)))
            if rest == 0 and index <= len(self.words):
                self._finals.append(self._segment(index - 1, 0.876543))
                events.append(self._event("final", index - 1, self._finals[-1]))
        return events

    def _segment(self, index, score):
        end = min(self.received, (index + 1) * WORD)
        return sh.Segment(self.words[index], index / 10, end / RATE, score)

    def _event(self, kind, index, segment):
        return Event(kind, index, 0, segment, self.received / RATE, time.monotonic())


class FakeAligner:
    """Makes fake streams; ``streams`` are those made and ``asked`` what for."""

    def __init__(self):
        self.made = []
        self.streams = []
        self.asked = []
        self.prepare = lambda stream: None

    def __call__(self, *arguments, **options):
        self.made.append((arguments, options))
        return self

    def stream(self, text, max_lag=0.3, follow=False, *, strict=False):
        self.asked.append((text, max_lag, follow, strict))
        self.streams.append(FakeStream(word.strip(".,!") for word in text.split()))
        self.prepare(self.streams[-1])
        return self.streams[-1]
