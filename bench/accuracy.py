"""How well the aligner finds the boundaries of the truth sets.

    python bench/accuracy.py [--model FILE] [--sets flite espeak voice_onset] [--conditions clean child babble]
                             [--jobs 2] [--json FILE]

bench/README.md tells what is counted. Exit code 2: the truth sets are not there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accuracy_report import report
from conditions import CONDITIONS, VOICES, load
from measure import SPEECH, TRUTH, make_console, write_json
from spread import check_spread
from truth import SILENCE, Interval, Utterance, load_set

import streamhmm as sh
from streamhmm.errors import StreamHMMError
from streamhmm.metrics import phone_errors, summarise
from streamhmm.segment import Segment

SETS = ("flite", "espeak", "voice_onset")
STOPS = frozenset(("P", "B", "T", "D", "K", "G"))
SHORT_S = 0.1
NEVER_HEARD = ("awb", "en-gb-scotland")
"""Voices that the shipped model was not trained on; its weights were chosen by them, speaking other sentences."""
PAUSE_S = 0.01

Error = float | None
"""Hypothesis − truth in seconds; None for a boundary that was missed."""


class Outcome(NamedTuple):
    """One utterance: errors by the kind of boundary, phone counts by name, and why it failed, if it did.

    ``spreads`` are pairs of a word boundary's standard deviation and its error, milliseconds.
    """

    errors: dict[str, list[Error]]
    phones: dict[str, int]
    failure: str | None
    spreads: list[tuple[float, float]]


def main() -> int:
    options = _options()
    if not options.truth.is_dir():
        print(f"{options.truth}: the truth sets are not there; name their folder with --truth", file=sys.stderr)
        return 2
    console = make_console()
    crowd = sorted((options.speech / "test").rglob("*.opus"))[::25]
    if "babble" in options.conditions and len(crowd) < VOICES:
        print(f"{options.speech}: no speech to make babble of; name its folder with --speech", file=sys.stderr)
        return 2
    results: dict[str, dict[str, Any]] = {}
    for condition in options.conditions:
        results[condition] = sets = {}
        for name in options.sets:
            begin = time.perf_counter()
            outcomes = list(_outcomes(load_set(options.truth / name), condition, crowd, options))
            sets[name] = {**_collect(outcomes), "seconds": time.perf_counter() - begin}
    report(console, results)
    write_json(options.json, {"model": options.model, "conditions": results})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How well the aligner finds the boundaries of the truth sets.")
    parser.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=CONDITIONS, help="default: all")
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="what babble is made of")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def _outcomes(
    utterances: list[Utterance], condition: str, crowd: list[Path], options: argparse.Namespace
) -> Iterator[Outcome]:
    start = (options.model, condition, crowd)
    if options.jobs == 1:
        _open(*start)
        yield from map(_measure, utterances)
        return
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _open, start) as pool:
        yield from pool.map(_measure, utterances, chunksize=8)


_aligner: sh.Aligner  # one a process
_condition: str
_crowd: list[Path]


def _open(model: str, condition: str, crowd: list[Path]) -> None:
    global _aligner, _condition, _crowd
    torch.set_num_threads(1)
    _aligner, _condition, _crowd = sh.Aligner(model=model), condition, crowd


def _measure(utterance: Utterance) -> Outcome:
    try:
        alignment = _aligner.align(load(utterance.audio, _condition, _crowd), utterance.text)
    except StreamHMMError as error:
        return compare(utterance, None, f"{utterance.audio.name}: {error}")
    if len(alignment.words) != len(utterance.words):
        found = f"{utterance.audio.name}: {len(alignment.words)} words of {len(utterance.words)}"
        return compare(utterance, None, found)
    return compare(utterance, alignment)


def compare(utterance: Utterance, alignment: sh.Alignment | None, failure: str | None = None) -> Outcome:
    """Errors of one alignment; with None every boundary of the utterance counts as missed."""
    errors: dict[str, list[Error]] = defaultdict(list)
    phones: dict[str, int] = defaultdict(int)
    spreads: list[tuple[float, float]] = []
    for index, word in enumerate(utterance.words):
        spans = None if alignment is None else _phones_of(alignment, index)
        if index in utterance.voicing:
            error = None if spans is None else spans[0].end - utterance.voicing[index]
            errors["voicing"].append(error)
            errors[f"voicing after initial {word.label[0].upper()}"].append(error)
        if word.start is None or word.end is None:
            continue
        found = None if alignment is None else alignment.words[index]
        start = None if found is None else found.start - word.start
        end = None if found is None else found.end - word.end
        for kind in _kinds(utterance, index):
            errors[kind] += [start, end]
        if found is not None and found.start_sd is not None and found.end_sd is not None:
            spreads += [(found.start_sd, 1000 * start), (found.end_sd, 1000 * end)]
        for kind in _start_kinds(utterance, index):
            errors[f"word starts{kind}"].append(start)
        for kind in _end_kinds(utterance, index):
            errors[f"word ends{kind}"].append(end)
        _add_phones(errors, phones, _truth_phones(utterance.phones, word), spans)
    return Outcome(dict(errors), dict(phones), failure, spreads)


def _kinds(utterance: Utterance, index: int) -> list[str]:
    """The rows of the report that both boundaries of a word belong to."""
    word = utterance.words[index]
    kinds = ["words", f"words of {utterance.speaker}"] if utterance.speaker in NEVER_HEARD else ["words"]
    return [*kinds, "words under 100 ms"] if word.end - word.start < SHORT_S else kinds


def _start_kinds(utterance: Utterance, index: int) -> list[str]:
    words, word = utterance.words, utterance.words[index]
    kinds = ["", " after a pause" if index == 0 or _gap(words[index - 1], word) else " after a word"]
    phones = _truth_phones(utterance.phones, word)
    if phones and phones[0].label in STOPS:
        kinds.append(" with a stop")
    return kinds


def _end_kinds(utterance: Utterance, index: int) -> list[str]:
    words, word = utterance.words, utterance.words[index]
    pause = index + 1 == len(words) or _gap(word, words[index + 1])
    return ["", " before a pause" if pause else " before a word"]


def _gap(before: Interval, after: Interval) -> bool:
    return before.end is None or after.start is None or after.start - before.end > PAUSE_S


def _truth_phones(phones: Iterable[Interval], word: Interval) -> list[Segment]:
    """The phones whose middle lies in the word; those with an unknown time are left out."""
    known = (Segment(*phone) for phone in phones if None not in phone and phone.label != SILENCE)
    return [phone for phone in known if word.start <= (phone.start + phone.end) / 2 < word.end]


def _phones_of(alignment: sh.Alignment, word: int) -> list[Segment]:
    pairs = zip(alignment.phones, alignment.phone_words, strict=True)
    return [phone for phone, owner in pairs if owner == word]


def _add_phones(
    errors: dict[str, list[Error]], phones: dict[str, int], truth: list[Segment], found: list[Segment] | None
) -> None:
    phones["boundaries"] += 2 * len(truth)
    if found is None:
        errors["phones"] += [None] * (2 * len(truth))
        return
    result = phone_errors(truth, found)
    comparable = [error for error in (*result.starts, *result.ends) if error is not None]
    errors["phones"] += comparable
    phones["compared"] += len(comparable)
    if truth and truth[0].label in STOPS and result.ends[0] is not None:
        errors["initial stops' ends"].append(result.ends[0])


def _collect(outcomes: list[Outcome]) -> dict[str, Any]:
    errors: dict[str, list[Error]] = defaultdict(list)
    phones: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        for kind, values in outcome.errors.items():
            errors[kind] += values
        for name, count in outcome.phones.items():
            phones[name] += count
    return {
        "utterances": len(outcomes),
        "failed": [outcome.failure for outcome in outcomes if outcome.failure],
        "phones": phones,
        "rows": {kind: summarise(values)._asdict() for kind, values in errors.items()},
        "spread": check_spread([pair for outcome in outcomes for pair in outcome.spreads])._asdict(),
    }


if __name__ == "__main__":
    sys.exit(main())
