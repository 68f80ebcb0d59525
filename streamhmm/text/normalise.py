"""From a user's token to the words that are spoken for it.

``readings`` is the one place that decides how a token is read. It reads digits one by one and symbols by name.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby, product
from typing import TypeAlias

Readings: TypeAlias = tuple[tuple[str, ...], ...]
"""The ways to read a token, each once and the most likely first; each the words that are spoken, in lower case."""

MOST_READINGS = 6

APOSTROPHES = "'’‘ʼ＇`´"
_DASHES = re.compile("[‐‑‒–—―−]")
_INVISIBLE = re.compile("[\u034f\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # joiners and variation selectors of category M
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_NOT_DECOMPOSED = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})

_DIGIT_NAMES = "zero one two three four five six seven eight nine"
DIGITS = dict(zip("0123456789", _DIGIT_NAMES.split(), strict=True))
SYMBOLS = {
    "&": "and",
    "%": "percent",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "$": "dollars",
    "£": "pounds",
    "€": "euros",
    "¥": "yen",
    "°": "degrees",
}


def lookup_key(word: str) -> str:
    """The spelling under which a lexicon holds ``word``: lower case, NFKC, plain apostrophes and hyphens."""
    visible = "".join(c for c in _INVISIBLE.sub("", word) if unicodedata.category(c) != "Cf")
    # NFKC would turn a lone acute accent, typed for an apostrophe, into a space and a mark.
    plain = "".join("'" if c in APOSTROPHES else c for c in visible)
    return _DASHES.sub("-", unicodedata.normalize("NFKC", plain).lower())


def without_accents(key: str) -> str:
    """``key`` with its Latin letters reduced to a…z; other scripts are left as they are."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFKD", key).translate(_NOT_DECOMPOSED):
        is_latin_mark = unicodedata.category(char) == "Mn" and kept and kept[-1].isascii()
        if not is_latin_mark:
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def readings(token: str) -> Readings:
    """How ``token`` may be read; nothing if it is punctuation only.

    Hyphens, slashes and other punctuation within a token separate its words; apostrophes belong to them. Letters of
    another script than Latin stay, for a lexicon that may know them.
    """
    words = _words(_DECIMAL_POINT.sub(" point ", without_accents(lookup_key(token))))
    return (words,) if words else ()


def in_sequence(*pieces: Readings) -> Readings:
    """The readings of pieces that are spoken one after the other: the likeliest of each, then with later choices."""
    joined: Readings = ((),)
    for piece in pieces:
        pairs = sorted(product(enumerate(joined), enumerate(piece)), key=lambda pair: pair[0][0] + pair[1][0])
        joined = tuple(dict.fromkeys(before + after for (_, before), (_, after) in pairs))[:MOST_READINGS]
    return joined


def _words(text: str) -> tuple[str, ...]:
    forms: list[str] = []
    for kind, group in groupby(text, _kind):
        run = "".join(group)
        if kind == "digit":
            forms += (DIGITS[digit] for digit in run)
        elif kind == "symbol":
            forms += (SYMBOLS[symbol] for symbol in run)
        elif kind == "word" and any(char.isalnum() for char in run):
            forms.append(run)
    return tuple(forms)


def _kind(char: str) -> str:
    if char in DIGITS:
        return "digit"
    if char in SYMBOLS:
        return "symbol"
    if char == "'" or unicodedata.category(char)[0] in "LMN":
        return "word"
    return "break"
