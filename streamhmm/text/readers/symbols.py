"""Signs that are spoken, within a token or as one: "&", "=", "×"; "C++", "AT&T", "and/or"."""

from __future__ import annotations

import re

from streamhmm.text.readers.initials import letters
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

SYMBOLS: dict[str, Readings] = {
    "&": any_of("and"),
    "%": any_of("percent"),
    "‰": any_of("per thousand", "per mille"),
    "+": any_of("plus", "and"),
    "=": any_of("equals", "is", "equal to"),
    "@": any_of("at"),
    "$": any_of("dollars", "dollar"),
    "£": any_of("pounds", "pound"),
    "€": any_of("euros", "euro"),
    "¥": any_of("yen"),
    "¢": any_of("cents", "cent"),
    "°": any_of("degrees", "degree"),
    "×": any_of("times", "by"),
    "÷": any_of("divided by", "over"),
    "±": any_of("plus or minus", "plus minus"),
    "≈": any_of("approximately", "about", "is approximately equal to"),
    "≠": any_of("is not equal to", "does not equal", "not equal to"),
    "≤": any_of("is less than or equal to", "less than or equal to"),
    "≥": any_of("is greater than or equal to", "greater than or equal to"),
    "√": any_of("the square root of", "square root of", "root"),
    "∞": any_of("infinity"),
    "§": any_of("section"),
    "№": any_of("number"),
}
"""Signs that are words also when they stand alone."""

BETWEEN_NUMBERS: dict[str, Readings] = {
    "<": any_of("less than", "is less than"),
    ">": any_of("greater than", "is greater than", "more than"),
    "*": any_of("times"),
    "/": any_of("over", "divided by", "slash"),
    "^": any_of("to the power of", "to the"),
    "-": any_of("minus", "to"),
}
"""Signs that are spoken only beside numbers."""

_GREEK = (
    "αalpha βbeta γgamma δdelta εepsilon ζzeta θtheta ιiota κkappa λlambda μmu νnu ξxi πpi ρrho σsigma φphi χchi ψpsi"
)
GREEK = {name[0]: name[1:] for name in f"{_GREEK} ηeta ςsigma τtau ωomega".split()}
"""Names of Greek letters that stand alone, in lower case."""

MARKS: dict[str, Readings] = {
    "→": any_of("arrow", "right arrow", "to"),
    "©": any_of("copyright"),
    "#": any_of("number", "hash"),
    "~": any_of("about"),
    "<": any_of("less than"),
    ">": any_of("greater than", "more than"),
    "/": any_of("slash"),
}
"""Signs that stand before a word and may be spoken or not."""

ENDS: dict[str, Readings] = {
    "™": any_of("trademark", "t m"),
    "®": any_of("registered", "registered trademark"),
}
"""Signs that stand after a word and may be spoken or not."""


_FOR_NUMBERS = frozenset("#~<>/")
_MOST_BARE = 6  # readings without the mark


def with_marks(token: str, readings: Readings, context: Context) -> Readings:
    """The readings of a token with or without the marks that stand beside it."""
    beside_number = token[0].isdigit() or context.previous[-1:].isdigit()
    if context.mark in MARKS and (beside_number or context.mark not in _FOR_NUMBERS):
        marked = in_sequence(MARKS[context.mark], readings)
        readings = any_of(readings[:1], marked[:1], readings[:_MOST_BARE], marked)
    for sign, names in ENDS.items():
        if sign in context.after:
            marked = in_sequence(readings, names)
            readings = any_of(readings[:1], marked[:1], readings[:_MOST_BARE], marked)
    return readings


def _pluses(match: re.Match[str], _: Context) -> Readings:
    """As in "C++"."""
    return in_sequence(_short(match[1]), " ".join(["plus"] * len(match[2])))


def _sharp(match: re.Match[str], _: Context) -> Readings:
    return in_sequence(_short(match[1]), any_of("sharp", "hashtag"))


def _and(match: re.Match[str], _: Context) -> Readings:
    """As in "AT&T", "R&D", "Q&A's"."""
    sides = [_short(match[1]), _short(match[2])]
    ending = match[3] or ""
    if ending == "s" and len(match[2]) == 1:
        ending = "'s"  # letters
    said = any_of(in_sequence(sides[0], "and", sides[1]), in_sequence(*sides))
    return tuple((*words[:-1], words[-1] + ending) for words in said)


def _short(text: str) -> Readings:
    return letters(text)[:1] if text.isupper() or len(text) == 1 else any_of(text.lower())


def _or_more(match: re.Match[str], _: Context) -> Readings:
    """As in "word(s)"."""
    word, ending = match[1].lower(), match[2].lower()
    if match[1].isupper() and match[2].islower():
        one = letters(match[1])[:1]
        return any_of(*[" ".join(names) + "'s" for names in one], one)
    return any_of(word + ending, word)


def _rock_n_roll(match: re.Match[str], _: Context) -> Readings:
    return any_of(in_sequence(match[1].lower(), "'n'", match[2].lower()))


RULES = rules(
    (r"([A-Za-z]+)(\+{1,3})", _pluses),
    (r"([A-Za-z])#", _sharp),
    (r"([A-Z]{1,3})&([A-Z]{1,3})('?s)?", _and),
    (r"([A-Za-z]+)'n'([A-Za-z]+)", _rock_n_roll),
    (r"([A-Za-z]{2,})\(((?i:s|es|d|ed|n|r|ren))\)", _or_more),
)
