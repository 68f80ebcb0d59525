"""Pronunciations of regular forms from those of their base: possessives, plurals, contractions, "sooo"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from streamhmm.text.phones import Pronunciation

_HISSING = frozenset(["S", "Z", "SH", "ZH", "CH", "JH"])
_VOICELESS = frozenset(["P", "T", "K", "F", "TH"])
_VOWEL_INITIALS = frozenset("AEIOU")
_SHORTEST_BASE = 3
_LONG_RUN = re.compile(r"(?<=[a-z])([a-z])\1{2,}")  # not at the beginning: "AAAS" is no "as"
_ROMAN_NUMERAL = re.compile("[ivxlcdm]+")

Lookup = Callable[[str], tuple[Pronunciation, ...]]

Ending = Callable[[Pronunciation], tuple[Pronunciation, ...]]
"""All ways in which a base's pronunciation goes on to that of the whole form."""


def inflected(key: str, lookup: Lookup) -> tuple[Pronunciation, ...]:
    """Pronunciations of ``key`` by the first rule whose base ``lookup`` knows; none if there is no such rule."""
    for base, ending in _analyses(key):
        pronunciations = lookup(base)
        if pronunciations:
            return tuple(whole for pronunciation in pronunciations for whole in ending(pronunciation))
    return ()


def unlengthened(key: str, lookup: Lookup) -> tuple[Pronunciation, ...]:
    """Pronunciations of ``key`` with one or two letters for each run of three and more ("nooo", "yesss", "cooool")."""
    if not _LONG_RUN.search(key) or _ROMAN_NUMERAL.fullmatch(key):
        return ()
    return (*lookup(_LONG_RUN.sub(r"\1", key)), *lookup(_LONG_RUN.sub(r"\1\1", key)))


def _analyses(key: str) -> Iterator[tuple[str, Ending]]:
    for suffix, ending in _CONTRACTIONS.items():
        if key.endswith(suffix):
            yield key.removesuffix(suffix), ending
    if key.endswith("in'"):
        yield key[:-1] + "g", _dropped_g
    if key.endswith("'"):
        yield key[:-1], _unchanged
    if key.endswith("s'"):
        yield key[:-2], _plural
    if key.startswith("'"):
        yield key.strip("'"), _unchanged
    if key.endswith("ies") and len(key) > _SHORTEST_BASE + 1:
        yield key[:-3] + "y", _plural
    if key.endswith("s") and not key.endswith(("ss", "'s")) and len(key) > _SHORTEST_BASE:
        yield key[:-1], _plural
        if key.endswith("es"):
            yield key[:-2], _plural


def _unchanged(base: Pronunciation) -> tuple[Pronunciation, ...]:
    return (base,)


def _plural(base: Pronunciation) -> tuple[Pronunciation, ...]:
    if base[-1] in _HISSING:
        return ((*base, "IH", "Z"), (*base, "AH", "Z"))
    return ((*base, "S" if base[-1] in _VOICELESS else "Z"),)


def _dropped_g(base: Pronunciation) -> tuple[Pronunciation, ...]:
    return ((*base[:-1], "N"),) if base[-1] == "NG" else (base,)


def _would(base: Pronunciation) -> tuple[Pronunciation, ...]:
    return ((*base, "AH", "D"),) if base[-1] in ("T", "D") else ((*base, "D"), (*base, "AH", "D"))


def _have(base: Pronunciation) -> tuple[Pronunciation, ...]:
    ends_in_vowel = base[-1][0] in _VOWEL_INITIALS
    return ((*base, "V"), (*base, "AH", "V")) if ends_in_vowel else ((*base, "AH", "V"),)


def _adding(*phones: str) -> Ending:
    return lambda base: ((*base, *phones),)


_CONTRACTIONS: dict[str, Ending] = {
    "'s": _plural,
    "'d": _would,
    "'ve": _have,
    "'ll": _adding("AH", "L"),
    "'re": _adding("ER"),
    "n't": _adding("AH", "N", "T"),
}
