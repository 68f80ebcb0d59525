"""A text cut into pieces, and of each the part that is a word rather than the punctuation around it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from streamhmm.text.keys import APOSTROPHES, lookup_key
from streamhmm.text.readers.money import CURRENCIES
from streamhmm.text.readers.symbols import SYMBOLS

# White space and controls, but not the narrow or unbreakable space within a number.
_SPACE = re.compile(
    r"(?:(?!(?<=\d)[\u00a0\u2009\u202f]\d{3}(?!\d))[\s\x00-\x1f\x7f-\x9f])+",
)
# Long dashes, ellipses, and sentence marks that lack their space.
_MARKS = re.compile(r"([—―⸺⸻…]+|-{2,}|–{2,}|\.{2,}|(?<=[^\W\d_])[,;:!?]+(?=[^\W\d_]))")
_LONG_DASHES = re.compile(r"([—―⸺⸻…]+)")
_ADDRESS = re.compile(r"://|\bwww\.|[\w.+%-]@[\w-]+\.", re.IGNORECASE)

_MONEY = re.escape("".join(CURRENCIES))
_BEFORE_NUMBER = re.compile(rf"(?:[-−–+~±≈<>≤≥=×÷√#§№@&]*(?:[A-Z]{{1,2}})?[{_MONEY}]?[-−–]?\.?)$")
_BEFORE_LETTER = re.compile(rf"[@&#§№°º{_MONEY}]+$")
_AFTER = "%‰°º+&¢′″" + "".join(CURRENCIES)
_IN_BRACKETS = re.compile(r"\w\([^()\s]+$")  # "word(s"
_NOTE = re.compile(r"(?<![^\W_])[A-Ga-g]#")
_HEIGHT = re.compile(r"\d+['’′]\d+(?:\.\d+)?[\"”″]")
_PHONE = re.compile(r"\+?\d*\(\d{3}\)[-.]?\d{3}[-.]\d{4}")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_SHORTENED = "'tis 'twas 'twere 'twill 'cause 'cuz 'cos 'em 'til 'till 'bout 'round 'course 'neath 'nother 'gainst 'n"
_CUT_IN_FRONT = frozenset(_SHORTENED.split())
_CUT_BEHIND = re.compile(r"(?:.*(?:s|in)|o|th|ol|an|lil)")


class Piece(NamedTuple):
    """A stretch of text: a word and the punctuation on both sides; without a word all of it is ``before``."""

    before: str
    core: str
    after: str


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a text in order, each with at least one character."""
    for chunk in _SPACE.split(text):
        if not chunk:
            continue
        marks = _LONG_DASHES if _ADDRESS.search(chunk) else _MARKS
        parts = [*marks.split(chunk), ""]
        for inside, mark in zip(parts[::2], parts[1::2], strict=True):
            if inside or mark:
                start, end = _core(inside)
                yield Piece(inside[:start], inside[start:end], inside[end:] + mark)


def _core(piece: str) -> tuple[int, int]:
    """Where the word in ``piece`` begins and ends."""
    if piece in SYMBOLS:
        return 0, len(piece)
    phone = _PHONE.search(piece)
    if phone:
        return phone.span()
    inside = [index for index, char in enumerate(piece) if char.isalnum()]
    if not inside:
        return len(piece), len(piece)
    start, end = _start(piece, inside[0]), _end(piece, inside[-1] + 1)
    if piece[end : end + 1] == "." and _DOTTED.fullmatch(piece, start, end):
        return start, end + 1  # the last point of "U.S.A." is part of it
    return _with_apostrophes(piece, start, end)


def _start(piece: str, first: int) -> int:
    pattern = _BEFORE_NUMBER if piece[first].isnumeric() else _BEFORE_LETTER
    signs = pattern.search(piece[:first])
    return signs.start() if signs else first


def _end(piece: str, end: int) -> int:
    if _NOTE.fullmatch(piece, max(end - 1, 0), end + 1) or (piece[:end].lower() == "w" and piece[end : end + 1] == "/"):
        return end + 1
    height = _HEIGHT.search(piece)
    if height and height.end() == end + 1:
        return end + 1
    if piece[end : end + 1] == ")" and _IN_BRACKETS.search(piece, 0, end):
        return end + 1
    while piece[end : end + 1] and (piece[end] in _AFTER or unicodedata.category(piece[end])[0] == "M"):
        end += 1
    return end


def _with_apostrophes(piece: str, start: int, end: int) -> tuple[int, int]:
    """Adds the apostrophes that stand for left-out sounds, not those that quote."""
    before = piece[start - 1 : start] if start else ""
    after = piece[end : end + 1]
    opens, closes = before != "" and before in APOSTROPHES, after != "" and after in APOSTROPHES
    key = lookup_key(piece[start:end])
    if opens and closes:
        is_both = key == "n" or re.fullmatch(r"\d0s", key)
        return (start - 1, end + 1) if is_both else (start, end)
    if opens and (f"'{key}" in _CUT_IN_FRONT or key[:1].isdigit()):
        return start - 1, end
    if closes and _CUT_BEHIND.fullmatch(key):
        return start, end + 1
    return start, end
