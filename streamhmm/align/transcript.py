"""From the decided frames of a stream to words: each is told once, when its end is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.model import PRIOR_SCALE
from streamhmm.align.boundaries import crossings
from streamhmm.align.calibration import Calibration
from streamhmm.align.evidence import gather_evidence, phone_logits, with_text, word_features
from streamhmm.align.hearing import Frames
from streamhmm.align.runs import Runs, read_runs
from streamhmm.align.topology import OFFSCRIPT, Topology
from streamhmm.segment import Segment

LONGEST_RUN = 400
"""Of a longer stretch of one phone or of silence only the beginning and the end are kept while it lasts."""


class Reading(NamedTuple):
    """A word that was read, ``take`` times before, with its phones; or, without an index, other speech."""

    index: int | None
    take: int
    segment: Segment
    phones: tuple[Segment, ...] = ()


class Transcript:
    """Takes decided frames, gives readings in the order of time."""

    def __init__(
        self, topology: Topology, labels: list[str], calibration: Calibration, log_prior: Tensor, silence: int,
        frame_s: float,
    ) -> None:
        self.topology = topology
        self.labels = labels
        self._calibration = calibration
        self._log_prior = log_prior
        self._silence = silence
        self._frame_s = frame_s
        self._open: Frames | None = None
        self._edge = 0.0  # where the open frames begin, in frames
        self.takes: Counter[int] = Counter()

    @property
    def last_state(self) -> int | None:
        """State of the newest decided frame."""
        return None if self._open is None else int(self._open.states[-1])

    def open_states(self) -> Tensor:
        """(n,) states of the decided frames whose word is not told yet."""
        return torch.empty(0, dtype=torch.int64) if self._open is None else self._open.states

    def add(self, frames: Frames) -> list[Reading]:
        """What the next decided frames complete."""
        if len(frames.states) == 0:
            return []
        self._open = frames if self._open is None else self._open.and_then(frames)
        runs = self._runs()
        bounds = len(runs.phones) - 1
        if bounds > 0 and runs.pdfs[-1] == runs.pdfs[-2]:
            bounds -= 1  # the time between two equal phones depends on the end of the second
        readings = list(self._complete(runs, bounds))
        self._shorten()
        return readings

    def finish(self, duration: float) -> list[Reading]:
        """The rest: the last word, if the recording ends in one, ends there. ``duration`` in seconds."""
        if self._open is None:
            return []
        runs = self._runs()
        return list(self._complete(runs, len(runs.phones), duration / self._frame_s))

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {
            "open": None if self._open is None else tuple(self._open),
            "edge": self._edge,
            "takes": dict(self.takes),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there."""
        self._open = None if state["open"] is None else Frames(*state["open"])
        self._edge = state["edge"]
        self.takes = Counter(state["takes"])

    def _runs(self) -> Runs:
        assert self._open is not None
        return read_runs(self._open.states, self.topology)

    def _complete(self, runs: Runs, known: int, end: float | None = None) -> Iterator[Reading]:
        """Readings whose runs all lie before edge ``known``; the last edge of all is ``end`` (frames)."""
        assert self._open is not None
        edges = [self._edge, *self._inner_edges(runs), *([] if end is None else [end])]
        words = self._words_of(runs)
        first, dropped = 0, 0
        for run in range(1, len(words) + 1):
            if run > known or (run == len(words) and end is None):
                break
            if run < len(words) and words[run] == words[first]:
                continue
            reading = self._read(runs, edges, first, run)
            if reading is not None:
                yield reading
            first = dropped = run
        if dropped:
            self._edge = edges[dropped]
            bound = int(runs.bounds[dropped])
            self._open = self._open.part(bound, len(self._open.states)) if bound < len(self._open.states) else None

    def _words_of(self, runs: Runs) -> list[tuple[int, int]]:
        """For each run what it belongs to; readings of one word, one right after the other, differ."""
        assert self._open is not None
        states = self._open.states[runs.bounds[:-1]]
        words = self.topology.word_of_state[states].tolist()
        begins = self.topology.begins_word[states].tolist()
        kinds, reading, before = [], 0, None
        for word, begin, phone in zip(words, begins, runs.phones.tolist(), strict=True):
            kind = word if word >= 0 else min(phone, -1)
            reading += kind != before or (begin and before == kind and kind >= 0)
            kinds.append((kind, reading))
            before = kind
        return kinds

    def _inner_edges(self, runs: Runs) -> list[float]:
        """In frames of the stream: frames in between may have been given up."""
        assert self._open is not None
        bounds = runs.bounds[1:-1]
        within = crossings(runs, self._open.scores) - bounds
        return (within + self._open.number[bounds]).tolist()

    def _read(self, runs: Runs, edges: list[float], first: int, last: int) -> Reading | None:
        phones = runs.phones[first:last].tolist()
        times = [edge * self._frame_s for edge in edges[first : last + 1]]
        if phones[0] == OFFSCRIPT:
            return Reading(None, 0, Segment("", times[0], times[-1]))
        spoken = [i for i, phone in enumerate(phones) if phone >= 0]
        if not spoken:
            return None
        index = self.topology.phones[phones[spoken[0]]].word
        word_score, phone_scores = self._scores(runs, first, last)
        segments = tuple(
            Segment(self.topology.phones[phones[i]].label, times[i], times[i + 1], score)
            for i, score in zip(spoken, phone_scores, strict=True)
        )
        take = self.takes[index]
        self.takes[index] += 1
        segment = Segment(self.labels[index], segments[0].start, segments[-1].end, word_score)
        return Reading(index, take, segment, segments)

    def _scores(self, runs: Runs, first: int, last: int) -> tuple[float, list[float]]:
        """Probabilities that the word and its phones are what was spoken, if the text as a whole is."""
        assert self._open is not None
        start, end = int(runs.bounds[first]), int(runs.bounds[last])
        part = self._open.part(start, end)
        own = Runs(runs.phones[first:last], runs.pdfs[first:last], runs.bounds[first : last + 1] - start)
        words = torch.zeros(int(own.spoken.sum()), dtype=torch.int64)
        log_posteriors = part.scores + PRIOR_SCALE * self._log_prior
        evidence = gather_evidence(own, words, log_posteriors, part.scores, part.loop, self._silence)
        logits = phone_logits(evidence, self._calibration)
        text = torch.tensor(self._calibration.right_text, dtype=torch.float64)
        word = self._calibration.word(with_text(word_features(evidence, logits), text)).sigmoid()
        return float(word[0]), logits.sigmoid().tolist()

    def _shorten(self) -> None:
        """Gives up the middle of what lasts long: a pause may last for hours."""
        if self._open is None or len(self._open.states) <= LONGEST_RUN:
            return
        start = int(self._runs().bounds[-2])
        if len(self._open.states) - start > LONGEST_RUN:
            head = self._open.part(0, start + LONGEST_RUN // 4)
            self._open = head.and_then(self._open.part(-(LONGEST_RUN // 4), len(self._open.states)))

