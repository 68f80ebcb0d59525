"""From a user's token to the words that are spoken for it.

``readings`` is the one place that decides how a token is read: by the first reader whose pattern fits it and that makes
sense of it in its context, else piece by piece.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from streamhmm.text.readers import (
    abbreviations,
    addresses,
    amounts,
    calendar,
    clock,
    codes,
    initials,
    money,
    quantities,
    roman,
    symbols,
    telephone,
    units,
)
from streamhmm.text.readers.numbers import by_digit
from streamhmm.text.readers.readings import ALONE, Context, Readings, Rule, any_of, in_sequence

RULES: tuple[Rule, ...] = (
    *addresses.RULES,
    *symbols.RULES,
    *telephone.RULES,
    *calendar.RULES,
    *clock.RULES,
    *money.RULES,
    *quantities.RULES,
    *amounts.RULES,
    *abbreviations.RULES,
    *roman.RULES,
    *initials.RULES,
    *codes.RULES,
)
"""Patterns of whole tokens and their readers, in the order in which they are tried."""

_WORD = re.compile(r"(?:[a-z]+|[A-Z][a-z]+)(?:'[a-z]+)?")
_SHORT_FORMS = frozenset(
    name.lower()
    for names in (abbreviations.ABBREVIATIONS, calendar.NAMES, money.SCALE_WORDS, units.UNITS, ("am", "pm"))
    for name in names
) | {"x"}
_LATIN_OR_ONE = re.compile(r"[a-z](?:'*[a-z])*|[^\W\d_']")
_CODE = re.compile(r"\d+(?:-\d+){2,}")
_LONGEST_GROUP = 4  # of a code, in digits, that is read as a number
_NUMBER = re.compile(
    r"([A-Za-z]{1,2}\^-?\d{1,2}|\d+\^-?\d{1,2}|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)",  # or with an exponent
)


def readings(token: str, context: Context = ALONE) -> Readings:
    """How ``token``, as ``readable`` gives it, may be read; nothing if it is punctuation only.

    Hyphens, slashes and other punctuation within a token separate its words; apostrophes belong to them. Letters of
    another script than Latin stay, for a lexicon that may know them.
    """
    if _WORD.fullmatch(token) and token.lower().removesuffix("'s") not in _SHORT_FORMS:
        found = any_of(token.lower())
    else:
        found = _by_rules(token, context) or _by_pieces(token, context)
    return symbols.with_marks(token, found, context) if found else ()


def _by_rules(token: str, context: Context) -> Readings:
    for pattern, reader in RULES:
        match = pattern.fullmatch(token)
        found = tuple(filter(None, reader(match, context))) if match else ()
        if found:
            return found
    return ()


def _by_pieces(token: str, context: Context) -> Readings:
    """What no reader knows: its parts between hyphens, else between slashes, else its words, numbers and signs."""
    if _CODE.fullmatch(token):
        return _code(token.split("-"))
    alone = Context(shouted=context.shouted)
    for mark, link in (("-", _over_hyphen), ("/", _over_slash)):
        if mark in token:
            read = [(part, readings(part, alone)) for part in token.split(mark)]
            return _linked([(part, found) for part, found in read if found], link)
    return _joined(list(_runs(token)), token, alone)


def _code(groups: Sequence[str]) -> Readings:
    """As in "978-3-16-148410-0": digit by digit, or short groups as numbers."""
    mixed = [readings(group) if len(group) <= _LONGEST_GROUP else by_digit(group) for group in groups]
    return any_of(by_digit("".join(groups)), in_sequence(*mixed))


def _linked(parts: Sequence[tuple[str, Readings]], link: Callable[[str, str, Readings], Readings]) -> Readings:
    if len(parts) == 2:
        (before, first), (after, second) = parts
        return in_sequence(first, link(before, after, second))
    return in_sequence(*[found for _, found in parts]) if parts else ()


def _over_hyphen(before: str, after: str, found: Readings) -> Readings:
    is_range = _is_amount(before) and _is_amount(after)
    is_span = calendar.is_name(before) and calendar.is_name(after)
    return in_sequence(any_of("to", ""), found) if is_range or is_span else found


def _over_slash(before: str, after: str, found: Readings) -> Readings:
    counted_by = units.per(after)
    if _is_amount(before) and counted_by:
        return any_of(counted_by, in_sequence("slash", found))
    if _is_amount(before) and _is_amount(after):
        return in_sequence(any_of("", "slash", "over"), found)
    is_choice = (before + after).islower() and "or" not in (before, after)
    return in_sequence(any_of("", "slash", "or" if is_choice else ()), found)


def _is_amount(text: str) -> bool:
    return text[0].isdigit() or text[0] in money.CURRENCIES


def _runs(token: str) -> Iterator[tuple[str, str]]:
    """The words, numbers, signs and breaks of a token, each with its kind."""
    for place, text in enumerate(_NUMBER.split(token)):
        if place % 2:
            yield "number", text
        else:
            for kind, run in groupby(text, _kind):
                yield kind, "".join(run)


def _kind(char: str) -> str:
    if char in symbols.SYMBOLS:
        return "sign"
    if char in symbols.BETWEEN_NUMBERS:
        return "operator"
    if char == "'" or unicodedata.category(char)[0] in "LM":
        return "word"
    return "point" if char == "." else "break"


def _word(token: str) -> Readings:
    """A word as it is written; Greek letters by name if they stand alone or among Latin ones: "Δt", "π's"."""
    owner = token.lower().rstrip("'")
    stem = owner.removesuffix("'s")
    letters = _LATIN_OR_ONE.findall(stem)
    names = [symbols.GREEK.get(letter, letter) for letter in letters]
    if names == letters or not (len(letters) == 1 or any(map(str.isascii, letters))):
        return any_of(token.lower())
    return any_of(" ".join(names) + owner[len(stem) :])


def _joined(runs: Sequence[tuple[str, str]], token: str, alone: Context) -> Readings:
    pieces: list[Readings] = []
    kinds = ["", *[kind for kind, _ in runs], ""]
    for (kind, run), before, after in zip(runs, kinds, kinds[2:], strict=False):
        if kind == "number":
            pieces.append(readings(run, alone) if "^" in run else amounts.number(run))
        elif kind == "sign":
            pieces += [symbols.SYMBOLS[char] for char in run]
        elif kind == "operator" and "number" in (before, after) and "" not in (before, after):
            pieces.append(symbols.BETWEEN_NUMBERS[run[0]])
        elif kind == "point" and before == after == "word":
            pieces.append(any_of("", "dot"))
        elif kind == "word" and any(char.isalpha() for char in run):
            pieces.append(_word(run) if run == token else readings(run, alone))
    return in_sequence(*pieces) if pieces else ()
