"""How late words are told, where the reader is thought to be, and how exact the final times are: on the truth sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile
from live_replay import RATE, Replay, replay
from truth import Interval, Utterance

import streamhmm as sh
from streamhmm.align.chunking import ChunkController

MAX_LAG_S = 0.3
ERROR_S = 0.02


class Latencies:
    """Collects over utterances; times in seconds."""

    def __init__(self, aligner: sh.Aligner) -> None:
        self._aligner = aligner
        self._final: list[float] = []
        self._onset: list[float] = []
        self._exact: list[bool] = []
        self._near: list[bool] = []
        self._live: list[float] = []
        self._offline: list[float] = []
        self._lost_words = 0
        self._corrections = 0
        self.passed_over = 0

    def add(self, utterance: Utterance) -> None:
        samples, rate = soundfile.read(utterance.audio, dtype="float32")
        assert rate == RATE
        text = [word.label for word in utterance.words]
        stream = self._aligner.stream(text, MAX_LAG_S)
        if list(stream.words) != text:  # a word of the truth that is several of the text's
            self.passed_over += 1
            return
        heard = replay(stream, samples, ChunkController(), ask=True)
        self._add_events(heard, utterance.words)
        self._add_positions(heard, utterance.words)
        live, offline = stream.finish(), self._aligner.align((samples, rate), text)
        found = dict(zip(live.word_indices, live.words, strict=True))
        self._lost_words += len(text) - len(found)
        for index, word in enumerate(utterance.words):
            self._offline += _errors(word, offline.words[index])
            if index in found:
                self._live += _errors(word, found[index])

    def _add_events(self, heard: Replay, words: Sequence[Interval]) -> None:
        begun: set[int] = set()
        for clock, event in heard.events:
            if event.index is None:
                continue
            word = words[event.index]
            if event.kind == "final" and word.end is not None:
                self._final.append(clock - word.end)
            if event.kind == "partial":
                self._corrections += event.index in begun
                if event.index not in begun and word.start is not None:
                    self._onset.append(clock - word.start)
                begun.add(event.index)

    def _add_positions(self, heard: Replay, words: Sequence[Interval]) -> None:
        for at, position in heard.positions:
            true = next((i for i, word in enumerate(words) if _covers(word, at)), None)
            if true is not None:
                self._exact.append(position.index == true)
                self._near.append(abs(position.index - true) <= 1)

    def figures(self) -> dict[str, Any]:
        """Everything, in ms and %."""
        return {
            "final_ms": distribution(self._final),
            "onset_ms": distribution(self._onset),
            "position_exact": 100 * float(np.mean(self._exact)),
            "position_near": 100 * float(np.mean(self._near)),
            "live_median_ms": 1e3 * float(np.median(self._live)),
            "offline_median_ms": 1e3 * float(np.median(self._offline)),
            "live_within_20": 100 * float(np.mean(np.array(self._live) <= ERROR_S)),
            "offline_within_20": 100 * float(np.mean(np.array(self._offline) <= ERROR_S)),
            "words_not_found": self._lost_words,
            "highlights_taken_back": self._corrections,
            "boundaries": len(self._offline),
            "utterances_passed_over": self.passed_over,
        }


def distribution(values: Sequence[float]) -> list[float]:
    """p50, p90, p99 and maximum, in ms."""
    return [1e3 * float(value) for value in np.percentile(values, (50, 90, 99, 100))]


def _covers(word: Interval, at: float) -> bool:
    return word.start is not None and word.end is not None and word.start <= at < word.end


def _errors(true: Interval, found: sh.Segment) -> list[float]:
    pairs = ((true.start, found.start), (true.end, found.end))
    return [abs(time - known) for known, time in pairs if known is not None]
