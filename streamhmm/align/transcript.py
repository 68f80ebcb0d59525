"""From the decided frames of a stream to words: each is told once, when its end is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import starmap
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.model import PRIOR_SCALE
from streamhmm.align.boundaries import crossings
from streamhmm.align.calibration import Calibration
from streamhmm.align.evidence import gather_evidence, phone_logits, with_text, word_features
from streamhmm.align.hearing import Frames
from streamhmm.align.place import Places
from streamhmm.align.reading import OFFSCRIPT_LABEL
from streamhmm.align.runs import Runs, read_runs
from streamhmm.align.topology import OFFSCRIPT, Topology
from streamhmm.segment import Segment

LONGEST_RUN = 400
"""Of a longer stretch of one phone or of silence only the beginning and the end are kept while it lasts."""
USUAL_PACE, PACE_PHONES = 7.0, 20
"""Frames a phone, and over how many phones the reader's own is taken."""
LONGEST_PAUSE_S = 1.0
"""Within other speech."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A word that was read, ``take`` times before, with its phones; or, without an index, other speech."""

    index: int | None
    take: int
    segment: Segment
    phones: tuple[Segment, ...] = ()

    def as_values(self) -> tuple[Any, ...]:
        """As plain values."""
        return self.index, self.take, astuple(self.segment), tuple(map(astuple, self.phones))

    @classmethod
    def from_values(cls, values: tuple[Any, ...]) -> Reading:
        """What :meth:`as_values` gave."""
        index, take, segment, phones = values
        return cls(index, take, Segment(*segment), tuple(starmap(Segment, phones)))


class Begun(NamedTuple):
    """A word that has begun, ``take`` times read before, and when."""

    word: int
    take: int
    start_s: float


class Transcript:
    """Takes decided frames, gives readings in the order of time.

    ``takes`` counts them by the word's index; ``pace`` is how many frames the reader's phones last.
    """

    def __init__(
        self,
        topology: Topology,
        places: Places,
        labels: Sequence[str],
        calibration: Calibration,
        model: AcousticModel,
    ) -> None:
        self.extend(topology, places, labels)
        self._calibration = calibration
        self._log_prior, self._silence, self._frame_s = model.log_prior, model.silence, model.frame_s
        self._open: Frames | None = None
        self._edge = 0.0  # where the open frames begin, in frames
        self._decided = 0  # frames so far
        self._talk: Segment | None = None  # other speech that may go on
        self.takes: Counter[int] = Counter()
        self.pace = USUAL_PACE

    def extend(self, topology: Topology, places: Places, labels: Sequence[str]) -> None:
        """Goes on with a longer text."""
        self.topology, self._labels = topology, labels
        self._phones_left = places.left

    def heard(self, undecided: Tensor) -> list[Begun]:
        """The words that are not told yet, the one that is being read last; ``undecided`` are the newest states."""
        states = undecided if self._open is None else torch.cat([self._open.states, undecided])
        if len(states) == 0 or int(self.topology.word_of_state[states[-1]]) < 0:
            return []
        runs = read_runs(states, self.topology)
        seen: Counter[int] = Counter()
        found = []
        for place, (index, _) in enumerate(words := self._words_of(runs, states)):
            if index >= 0 and (place == 0 or words[place - 1] != words[place]):
                start_s = self._number(int(runs.bounds[place])) * self._frame_s
                found.append(Begun(index, self.takes[index] + seen[index], start_s))
                seen[index] += 1
        return found

    def _number(self, place: int) -> int:
        """Of a frame among those that are open or undecided."""
        decided = 0 if self._open is None else len(self._open.states)
        return int(self._open.number[place]) if self._open and place < decided else self._decided + place - decided

    def add(self, frames: Frames) -> list[Reading]:
        """What the next decided frames complete."""
        if len(frames.states) == 0:
            return []
        self._decided = int(frames.number[-1]) + 1
        self._open = frames if self._open is None else self._open.and_then(frames)
        if len(self._open.states) <= LONGEST_RUN and self._goes_on(len(frames.states)):
            return []
        runs = self._runs()
        bounds = len(runs.phones) - 1
        if bounds > 0 and runs.pdfs[-1] == runs.pdfs[-2]:
            bounds -= 1  # the time between two equal phones depends on the end of the second
        readings = list(self._complete(runs, bounds))
        self._shorten()
        return readings

    def finish(self, end_s: float) -> list[Reading]:
        """The rest: what is still being said ends there."""
        readings = []
        if self._open is not None:
            runs = self._runs()
            readings = list(self._complete(runs, len(runs.phones), end_s / self._frame_s))
        return [*readings, *self._end_talk()]

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {
            "open": None if self._open is None else tuple(self._open),
            "edge": self._edge,
            "decided": self._decided,
            "talk": None if self._talk is None else astuple(self._talk),
            "takes": dict(self.takes),
            "pace": self.pace,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there."""
        self._open = None if state["open"] is None else Frames(*state["open"])
        self._edge, self._decided = state["edge"], state["decided"]
        self._talk = None if state["talk"] is None else Segment(*state["talk"])
        self.takes = Counter(state["takes"])
        self.pace = state["pace"]

    def _goes_on(self, newest: int) -> bool:
        """Whether the newest frames are of the same run as the one before them: nothing can end there."""
        assert self._open is not None
        states = self._open.states[-newest - 1 :]
        phones = self.topology.phone_of_state[states]
        begins = self.topology.begins_word[states[1:]]
        return len(states) > newest and bool((phones == phones[0]).all()) and not bool(begins.any())

    def _runs(self) -> Runs:
        assert self._open is not None
        return read_runs(self._open.states, self.topology)

    def _complete(self, runs: Runs, known: int, end: float | None = None) -> Iterator[Reading]:
        """Readings whose runs all lie before edge ``known``; the last edge of all is ``end`` (frames)."""
        assert self._open is not None
        edges = [self._edge, *self._inner_edges(runs), *([] if end is None else [end])]
        words = self._words_of(runs, self._open.states)
        first, dropped = 0, 0
        for run in range(1, len(words) + 1):
            if run > known or (run == len(words) and end is None):
                break
            if run < len(words) and words[run] == words[first]:
                continue
            if run == len(words) or not self._is_abandoned(runs, run):
                yield from self._read(runs, edges, first, run)
            first = dropped = run
        if dropped:
            self._edge = edges[dropped]
            bound = int(runs.bounds[dropped])
            self._open = self._open.part(bound, len(self._open.states)) if bound < len(self._open.states) else None

    def _words_of(self, runs: Runs, states: Tensor) -> list[tuple[int, int]]:
        """For each run what it belongs to; readings of one word, one right after the other, differ."""
        states = states[runs.bounds[:-1]]
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

    def _is_abandoned(self, runs: Runs, run: int) -> bool:
        """Whether what ends with the run before is a word without its end: the best path has become another one."""
        assert self._open is not None
        return int(self._phones_left[self._open.states[runs.bounds[run] - 1]]) > 0

    def _read(self, runs: Runs, edges: list[float], first: int, last: int) -> Iterator[Reading]:
        phones = runs.phones[first:last].tolist()
        times = [edge * self._frame_s for edge in edges[first : last + 1]]
        if phones[0] == OFFSCRIPT:
            yield from self._add_talk(times[0], times[-1])
        spoken = [i for i, phone in enumerate(phones) if phone >= 0]
        if not spoken:
            return
        yield from self._end_talk()
        index = self.topology.phones[phones[spoken[0]]].word
        word_score, phone_scores = self._scores(runs, first, last)
        segments = tuple(
            Segment(self.topology.phones[phones[i]].label, times[i], times[i + 1], score)
            for i, score in zip(spoken, phone_scores, strict=True)
        )
        take = self.takes[index]
        self.takes[index] += 1
        for part in segments:
            self.pace += (part.duration / self._frame_s - self.pace) / PACE_PHONES
        segment = Segment(self._labels[index], segments[0].start, segments[-1].end, word_score)
        yield Reading(index, take, segment, segments)

    def _add_talk(self, start: float, end: float) -> Iterator[Reading]:
        """Other speech, which goes on from what there was if the pause between is short."""
        if self._talk is not None and start - self._talk.end > LONGEST_PAUSE_S:
            yield from self._end_talk()
        self._talk = Segment(OFFSCRIPT_LABEL, start if self._talk is None else self._talk.start, end)

    def _end_talk(self) -> Iterator[Reading]:
        if self._talk is not None:
            yield Reading(None, 0, self._talk)
        self._talk = None

    def _scores(self, runs: Runs, first: int, last: int) -> tuple[float, list[float]]:
        """Probabilities that the word and its phones are what was spoken, if the text as a whole is."""
        assert self._open is not None
        start, end = int(runs.bounds[first]), int(runs.bounds[last])
        part = self._open.part(start, end)
        own = Runs(runs.phones[first:last], runs.pdfs[first:last], runs.bounds[first : last + 1] - start)
        words = torch.zeros(int(own.spoken.sum()), dtype=torch.int64)
        log_posteriors = part.scores[:, : len(self._log_prior)] + PRIOR_SCALE * self._log_prior
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
