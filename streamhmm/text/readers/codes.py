"""What is read piece by piece: versions, addresses of machines, letters with digits."""

from __future__ import annotations

import re

from streamhmm.text.readers.initials import capitals, is_sayable, letters
from streamhmm.text.readers.numbers import DIGITS, LONGEST, by_digit, in_pairs, integer
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

_RUNS = re.compile(r"\d+|[A-Za-z]+")
_SHORTEST_WORD = 3


def _dotted(match: re.Match[str], _: Context) -> Readings:
    """As in "1.2.3", "192.168.0.1"."""
    groups = match[0].split(".")
    if len(groups) == 4 and all(len(group) <= 3 for group in groups):
        return any_of(*[" dot ".join(reads(group) for group in groups) for reads in (_digits, _pairs, _number)])
    return any_of(*[f" {point} ".join(_number(group) for group in groups) for point in ("point", "dot")])


def _digits(group: str) -> str:
    return " ".join(DIGITS[digit] for digit in group)


def _pairs(group: str) -> str:
    return in_pairs(group) if len(group) == 3 and group[0] != "0" and not group.endswith("00") else _number(group)


def _number(group: str) -> str:
    return " ".join(integer(group)[0])


def _version(match: re.Match[str], _: Context) -> Readings:
    """As in "v2.0"."""
    groups = match[1].split(".")
    numbers = in_sequence(*_between(any_of("point", "dot"), [integer(group)[:2] for group in groups]))
    return in_sequence(any_of("version", "v"), numbers)


def _between(link: Readings, pieces: list[Readings]) -> list[Readings]:
    return [piece for pair in zip([link] * len(pieces), pieces, strict=True) for piece in pair][1:]


def _mixed(match: re.Match[str], context: Context) -> Readings:
    """As in "MP3", "A4", "R2D2", "747s"."""
    readings = in_sequence(*[_run(run, context) for run in _RUNS.findall(match[1])])
    if not match[2]:
        return readings
    named = tuple((*words[:-1], _with_s(words[-1])) for words in readings)
    is_short_word = match[2] == "s" and match[1].islower()  # "k8s"
    return any_of(named, in_sequence(readings[:1], "s")) if is_short_word else named


def _with_s(word: str) -> str:
    return word + ("'s" if len(word) == 1 else "es" if word.endswith("x") else "s")


def _run(run: str, context: Context) -> Readings:
    if run.isdigit():
        pairs = any_of(in_pairs(run)) if len(run) in (3, 4) and run[0] != "0" else ()
        return any_of(pairs, integer(run)[:3], by_digit(run)) if len(run) <= LONGEST else by_digit(run)
    if run.isupper():
        return capitals(run, shouted=context.shouted)[:2]
    if len(run) < _SHORTEST_WORD:
        return letters(run)
    return any_of(run.lower()) if is_sayable(run.lower()) else letters(run)[:1]


RULES = rules(
    (r"\d+(?:\.\d+){2,}", _dotted),
    (r"[vV]\.?(\d+(?:\.\d+)*)", _version),
    (r"(?=.*\d)(?=.*[A-Za-z])([A-Za-z0-9]+?)('s|(?<=\d)s)?", _mixed),
)
