"""Words as the letters of a vocabulary, for models that hear letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from streamhmm.text.keys import APOSTROPHES, without_accents
from streamhmm.text.pronounce import Script, SpokenWord
from streamhmm.text.thrift import MOST_PHONES, Part, Reading
from streamhmm.text.tokens import Token

UNKNOWN = "<unknown>"
"""In place of a word's letters: the vocabulary has none of them."""


class Spelling(NamedTuple):
    """A script of letters in place of phones, and the characters that the vocabulary lacks."""

    script: Script
    lacking: tuple[str, ...]


def spell_out(tokens: Sequence[Token], letters: Collection[str]) -> Spelling:
    """Write each token with ``letters``, which are in lower case.

    A token may be said as it is written, or, where it is more than a word ("1984", "Dr.", "5 km"), as the readings of
    it say. What stands between its words is left to the graph. Accents are left out where the vocabulary lacks the
    letter with them, and so are characters that it does not have at all.
    """
    words: list[SpokenWord] = []
    unknown: dict[str, None] = {}
    lacking: dict[str, None] = {}
    for token in tokens:
        found = [_spelled(forms, letters) for forms in _forms(token, letters)]
        least = min((missing for reading, missing in found if reading), key=len, default=None)
        if least is None:
            unknown[token.label] = None
            words.append(SpokenWord(token.label, ((((UNKNOWN,),),),), token.followed_by))
            continue
        lacking |= dict.fromkeys(least)
        readings = [reading for reading, missing in found if reading and len(missing) == len(least)]
        words.append(SpokenWord(token.label, _affordable(readings), token.followed_by))
    return Spelling(Script(tuple(words), tuple(unknown)), tuple(lacking))


def _forms(token: Token, letters: Collection[str]) -> Iterator[tuple[str, ...]]:
    """The ways to read a token: as it is written, if that is letters, and what else it may be."""
    label = unicodedata.normalize("NFC", token.label).lower()
    runs = groupby(label, lambda char: char in letters or char in APOSTROPHES or unicodedata.category(char)[0] in "LM")
    written = tuple("".join(run) for is_kept, run in runs if is_kept)
    if any(char.isdigit() and char not in letters for char in label):
        written = ()
    if written:
        yield written
    plain = tuple(map(without_accents, written))
    yield from (forms for forms in token.readings if forms != plain)


def _spelled(forms: Sequence[str], letters: Collection[str]) -> tuple[Reading, str]:
    """A reading with these words, and what had to be left out of them."""
    parts: list[Part] = []
    missing = ""
    for form in forms:
        spelled: list[str] = []
        for char in form:
            found = _letters_for(char, letters)
            spelled += found
            missing += "" if found or char in APOSTROPHES else char
        if spelled:
            parts.append((tuple(spelled),))
    return tuple(parts), missing


def _letters_for(char: str, letters: Collection[str]) -> tuple[str, ...]:
    if char in letters:
        return (char,)
    if char in APOSTROPHES:
        return tuple(other for other in APOSTROPHES if other in letters)[:1]
    plain = tuple(without_accents(char).lower())
    return plain if all(letter in letters for letter in plain) else ()


def _affordable(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """The first, and others as long as there is room for their letters."""
    kept: list[Reading] = []
    room = MOST_PHONES
    for reading in dict.fromkeys(readings):
        room -= sum(len(letters) for part in reading for letters in part)
        if room < 0 and kept:
            break
        kept.append(reading)
    return tuple(kept)
