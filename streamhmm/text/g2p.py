"""Pronunciations of words that no dictionary has, by a joint-sequence model of letters and phones.

A word is read as a sequence of graphones, a few letters and their phones each ("ph:F", "x:K S", final "e:"), and the
probability of a sequence is that of an n-gram model (Bisani & Ney, *Joint-sequence models for grapheme-to-phoneme
conversion*, Speech Communication 50, 2008).
"""

from __future__ import annotations

import math
import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamhmm.text.graphone_ngram import BOUNDARY, NATS_PER_COST, GraphoneNgram, load_ngram
from streamhmm.text.phones import Pronunciation

SHIPPED = Path(__file__).parent / "models" / "en" / "g2p.safetensors"
"""The English model inside the package."""
_MOST_HYPOTHESES = 16
_WIDTH_NATS = 10.0
_LONG_RUN = re.compile(r"(.)\1{2,}")
_NO_PHONES = 0

Contexts = tuple[int, ...]
"""The nodes of a history and of its shorter and shorter ends, down to the root."""


class Candidate(NamedTuple):
    """A pronunciation and its probability, given the spelling."""

    phones: Pronunciation
    probability: float


class _Hypothesis(NamedTuple):
    """A reading of the end of a word; the order of the fields decides between equal costs."""

    cost: float
    contexts: Contexts
    spoken: int  # the phones so far, as a number of _PhoneStrings


class GraphemeToPhone:
    """Reads words by a model of graphones.

    Words are read from their end, where English shows most about the rest ("-tion", silent "e"), so a history is what
    follows in the word. The search is synchronous in letters: for each end w of the word

        α(w, h, p) = Σ over graphones g = (letters l, phones q), w = l·w′, p = q·p′, history h from h′ and g
                         α(w′, h′, p′) · P(g | h′)

    is kept for the ``most_hypotheses`` most probable pairs of history h and phones p within ``width_nats`` of the best.
    With both unlimited, P(p, word) = Σ_h α(word, h, p) · P(boundary | h) is exact.
    """

    def __init__(
        self, ngram: GraphoneNgram, *, most_hypotheses: float = _MOST_HYPOTHESES, width_nats: float = _WIDTH_NATS
    ) -> None:
        self._most_hypotheses = most_hypotheses
        self._width = width_nats
        # A memoryview gives Python numbers, and three times as fast as an array.
        self._symbols = ngram.symbols.data
        self._costs = (ngram.costs * np.float32(NATS_PER_COST)).data
        self._backoffs = (ngram.backoffs * np.float32(NATS_PER_COST)).data
        self._first = ngram.first_children().data
        self._phones = ((), *(graphone.phones for graphone in ngram.graphones))
        self._longest = max(len(graphone.letters) for graphone in ngram.graphones)
        self._symbols_of: dict[str, range] = {}
        for symbol, (letters, _) in enumerate(ngram.graphones, start=1):
            begin = self._symbols_of.get(letters, range(symbol, symbol)).start
            self._symbols_of[letters] = range(begin, symbol + 1)

    @classmethod
    def load(cls, path: str | os.PathLike[str] = SHIPPED) -> GraphemeToPhone:
        """Read a model file, the shipped English one by default.

        Raises:
            ModelError: it is missing, damaged, not such a model, or of another format version.
        """
        return cls(load_ngram(path))

    def pronunciations(self, word: str, n: int = 4) -> tuple[Candidate, ...]:
        """The ``n`` most probable pronunciations of ``word``, the best first; ``()`` if it has no known letter.

        Silence is no pronunciation. Capitals count as small letters, more than two equal letters in a row as two
        ("aaaargh"), and letters without a graphone of their own are left out. The time grows with the word's length.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        letters = "".join(char for char in word.lower() if char in self._symbols_of)
        letters = _LONG_RUN.sub(r"\1\1", letters)
        strings = _PhoneStrings()
        costs: dict[int, float] = {}
        for cost, contexts, spoken in self._read(letters, strings) if letters else ():
            total = cost + self._after(contexts, range(BOUNDARY, BOUNDARY + 1), math.inf)[BOUNDARY]
            costs[spoken] = _sum_of(costs[spoken], total) if spoken in costs else total
        costs.pop(_NO_PHONES, None)
        if not costs:
            return ()
        best = min(costs.values())
        evidence = sum(math.exp(best - cost) for cost in costs.values())
        ranked = sorted(costs.items(), key=lambda item: (item[1], item[0]))[:n]
        return tuple(Candidate(strings.phones(spoken), math.exp(best - cost) / evidence) for spoken, cost in ranked)

    def _read(self, letters: str, strings: _PhoneStrings) -> list[_Hypothesis]:
        """All hypotheses for the whole of ``letters``; ``arriving[i]`` are those for ``letters[i:]``."""
        arriving: list[dict[tuple[Contexts, int, int], float]] = [{} for _ in range(len(letters) + 1)]
        cheapest = [math.inf] * (len(letters) + 1)
        beam = [_Hypothesis(0.0, self._extended((0,), BOUNDARY), _NO_PHONES)]
        for end in range(len(letters), 0, -1):
            for cost, contexts, spoken in beam:
                for begin in range(max(end - self._longest, 0), end):
                    symbols = self._symbols_of.get(letters[begin:end], range(0))
                    limit = cheapest[begin] + self._width - cost
                    for symbol, step in self._after(contexts, symbols, limit).items():
                        if step <= limit:
                            arriving[begin][contexts, spoken, symbol] = cost + step
                            cheapest[begin] = min(cheapest[begin], cost + step)
            beam = self._beam(arriving[end - 1], strings)
        return beam

    def _beam(self, arriving: dict[tuple[Contexts, int, int], float], strings: _PhoneStrings) -> list[_Hypothesis]:
        """The best of what arrives at a place in the word, sums where histories and phones are the same."""
        ranked = sorted(arriving.items(), key=lambda item: (item[1], item[0]))
        kept: dict[tuple[Contexts, int], float] = {}
        for (contexts, spoken, symbol), cost in ranked:
            if cost > ranked[0][1] + self._width or len(kept) >= self._most_hypotheses:
                break
            key = self._extended(contexts, symbol), strings.preceded(spoken, self._phones[symbol])
            kept[key] = _sum_of(kept[key], cost) if key in kept else cost
        return sorted(_Hypothesis(cost, contexts, spoken) for (contexts, spoken), cost in kept.items())

    def _after(self, contexts: Contexts, symbols: range, limit: float) -> dict[int, float]:
        """−log P(s | history) of all ``symbols`` s, without some of those above ``limit``."""
        found: dict[int, float] = {}
        backed_off = 0.0
        for node in contexts:
            if backed_off > limit:
                break
            for child in self._children(node, symbols):
                symbol = self._symbols[child]
                if symbol not in found:
                    found[symbol] = backed_off + self._costs[child]
            backed_off += self._backoffs[node]
        return found

    def _children(self, node: int, symbols: range) -> Iterator[int]:
        end = self._first[node + 1]
        child = bisect_left(self._symbols, symbols.start, self._first[node], end)
        while child < end and self._symbols[child] < symbols.stop:
            yield child
            child += 1

    def _extended(self, contexts: Contexts, symbol: int) -> Contexts:
        """The contexts one symbol later: those with children, for the others have nothing to say."""
        one = range(symbol, symbol + 1)
        nodes = [child for node in contexts for child in self._children(node, one)]
        return (*(node for node in nodes if self._first[node] < self._first[node + 1]), 0)


class _PhoneStrings:
    """Numbers for strings of phones, equal ones for equal strings, so that comparing long words costs no more."""

    def __init__(self) -> None:
        self._number: dict[tuple[str, int], int] = {}
        self._parts: list[tuple[str, int]] = [("", _NO_PHONES)]

    def preceded(self, string: int, phones: Pronunciation) -> int:
        """``phones``, then ``string``."""
        for phone in reversed(phones):
            part = phone, string
            string = self._number.setdefault(part, len(self._parts))
            if string == len(self._parts):
                self._parts.append(part)
        return string

    def phones(self, string: int) -> Pronunciation:
        phones = []
        while string != _NO_PHONES:
            phone, string = self._parts[string]
            phones.append(phone)
        return tuple(phones)


def _sum_of(cost: float, other: float) -> float:
    """−log(e^−cost + e^−other)."""
    low, high = min(cost, other), max(cost, other)
    return low - math.log1p(math.exp(low - high))


@lru_cache(maxsize=1)
def shipped_model() -> GraphemeToPhone:
    """The English model, read from its file at the first call."""
    return GraphemeToPhone.load()
