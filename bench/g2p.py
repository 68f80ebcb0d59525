"""How well words that no dictionary has are read: phone errors on CMUdict's words that the model never saw.

    python bench/g2p.py [--model FILE] [--every N] [--json FILE]

bench/README.md tells what is counted.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import REPOSITORY, make_console, median, run_child, show, verdict, write_json

from streamhmm.text import Pronunciation
from streamhmm.text.g2p import SHIPPED, GraphemeToPhone
from streamhmm.text.spelling import offered

sys.path.insert(0, str(REPOSITORY / "examples" / "english_g2p"))

from words import Entries, split

PER_BAR = 15.0
LOAD_BAR_MS = 50.0
WORD_BAR_MS = 5.0
LOADS = 5
_ENDING = re.compile("(?:ings?|ers?|ie[sd]|e[sd]|ly|[sdey])$")
_SHORTEST_STEM = 3

Reader = Callable[[str], Sequence[Pronunciation]]
"""The pronunciations offered for a word, the best first."""


@dataclass
class Errors:
    """What is wrong in the best pronunciations of some words, and in the best of those offered, all in phones.

    Attributes:
        phones: of the references that are nearest to the best pronunciations.
        best_edits, best_words: phones to change in the best pronunciations, and words with any to change.
        offered_edits, offered_words: likewise for the nearest of the pronunciations offered.
        offered: pronunciations in all.
    """

    words: int = 0
    phones: int = 0
    best_edits: int = 0
    best_words: int = 0
    offered_edits: int = 0
    offered_words: int = 0
    offered: int = 0

    def add(self, found: Sequence[Pronunciation], references: Sequence[Pronunciation]) -> None:
        edits, phones = min((distance(found[0], reference), len(reference)) for reference in references)
        nearest = min(distance(guess, reference) for guess in found for reference in references)
        self.words += 1
        self.phones += phones
        self.best_edits += edits
        self.best_words += edits > 0
        self.offered_edits += nearest
        self.offered_words += nearest > 0
        self.offered += len(found)

    def rates(self) -> dict[str, float]:
        """Phone and word error rates in %, and pronunciations a word."""
        return {
            "per": 100 * self.best_edits / self.phones,
            "wer": 100 * self.best_words / self.words,
            "offered_per": 100 * self.offered_edits / self.phones,
            "offered_wer": 100 * self.offered_words / self.words,
            "offered": self.offered / self.words,
        }


def main() -> int:
    options = _options()
    if options.time_load:
        print(_load_ms(options.model))
        return 0
    training, held_out = split()
    words = list(held_out)[:: options.every]
    model = GraphemeToPhone.load(options.model)
    begin = time.process_time()
    found = {word: offered(model.pronunciations(word)) for word in words}
    ms_a_word = 1000 * (time.process_time() - begin) / len(words)
    load_ms = median([run_child(Path(__file__), "--time-load", "--model", options.model) for _ in range(LOADS)])
    rows = measure(found, held_out, training)
    _report(rows, ms_a_word, load_ms)
    results = {name: {**asdict(errors), **errors.rates()} for name, errors in rows.items()}
    write_json(options.json, {"model": options.model, "words": results, "ms_a_word": ms_a_word, "load_ms": load_ms})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How well words that no dictionary has are read.")
    parser.add_argument("--model", default=str(SHIPPED), metavar="FILE", help="default: the shipped one")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="measure on each N-th held-out word")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--time-load", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _load_ms(model: str) -> float:
    begin = time.perf_counter()
    GraphemeToPhone.load(model)
    return 1000 * (time.perf_counter() - begin)


def measure(
    found: dict[str, Sequence[Pronunciation]], references: Entries, training: Iterable[str]
) -> dict[str, Errors]:
    """Errors of all words, of those with a relative among the words of the training, and of the others."""
    known = {stem(word) for word in training}
    rows = {"all": Errors(), "with a relative in training": Errors(), "without": Errors()}
    for word, pronunciations in found.items():
        kind = "with a relative in training" if stem(word) in known else "without"
        for name in ("all", kind):
            rows[name].add(pronunciations, references[word])
    return rows


def stem(word: str) -> str:
    """What inflected forms of a word share, roughly: "hop" of "hopping", "hops" and "hope"."""
    short = _ENDING.sub("", word)
    short = short if len(short) >= _SHORTEST_STEM else word
    return short[:-1] if len(short) > _SHORTEST_STEM and short[-1] == short[-2] else short


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The least number of phones to insert, to leave out and to replace."""
    row = list(range(len(other) + 1))
    for i, phone in enumerate(one):
        diagonal, row[0] = row[0], i + 1
        for j, wanted in enumerate(other):
            diagonal, row[j + 1] = row[j + 1], min(diagonal + (phone != wanted), row[j] + 1, row[j + 1] + 1)
    return row[-1]


def _report(rows: dict[str, Errors], ms_a_word: float, load_ms: float) -> None:
    console = make_console()
    table = []
    for name, errors in rows.items():
        rates = errors.rates()
        flag = verdict(rates["per"] <= PER_BAR) if name == "all" else ""
        table.append([name, str(errors.words), *(f"{rates[key]:.1f}" for key in rates), flag])
    columns = ["held-out words", "n", "phone errors %", "words wrong %", "offered: phones %", "words %", "offered", ""]
    show(console, "Words read by their spelling", columns, table, f"bar: at most {PER_BAR:.0f} % phone errors")
    times = [
        ["load", f"{load_ms:.0f} ms", f"{LOAD_BAR_MS:.0f} ms", verdict(load_ms <= LOAD_BAR_MS)],
        ["a word", f"{ms_a_word:.2f} ms", f"{WORD_BAR_MS:.0f} ms", verdict(ms_a_word <= WORD_BAR_MS)],
    ]
    show(console, "Time", ["", "", "bar", ""], times, f"{1000 / ms_a_word:.0f} words a second")


if __name__ == "__main__":
    sys.exit(main())
