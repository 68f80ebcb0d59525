"""The user's words: what is spoken in a text, spelled as the user wrote it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from streamhmm.errors import TextError
from streamhmm.text.normalise import APOSTROPHES, SYMBOLS, Readings, in_sequence, lookup_key, readings

# White space and controls, long dashes, ellipses, and sentence marks that lack their space.
_BETWEEN = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f—―⸺⸻…]+|-{2,}|–{2,}|\.{2,}|(?<=[^\W\d_])[,;:!?]+(?=[^\W\d_])",
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_SYMBOLS_BEFORE, _SYMBOLS_AFTER = "@&$£€¥", "%°+&$£€"
_SHORTENED = "'tis 'twas 'twere 'twill 'cause 'cuz 'cos 'em 'til 'till 'bout 'round 'course 'neath 'nother 'gainst 'n"
_CUT_IN_FRONT = frozenset(_SHORTENED.split())
_CUT_BEHIND = re.compile(r"(?:.*(?:s|in)|o|th|ol|an|lil)")


class Token(NamedTuple):
    """A word of the user's text.

    Attributes:
        label: the user's own spelling, without surrounding punctuation.
        readings: the ways to read it, the most likely first, each the words to look up, in lower case: more than one
            word for "well-known", more than one reading for "1984".
    """

    label: str
    readings: Readings

    @property
    def spoken(self) -> tuple[str, ...]:
        """The words of the most likely reading."""
        return self.readings[0]


def tokenize(text: str | Sequence[str]) -> list[Token]:
    """Split a text into its words; each element of a list of words is one token, its spelling taken as given.

    Raises:
        TextError: there is no word in it, an element of the list is empty or punctuation only, or a character is
            half of a surrogate pair.
        TypeError: for something that is neither text nor a list of texts.
    """
    if isinstance(text, str):
        _check_characters(text)
        labels = filter(None, map(_core, _BETWEEN.split(text)))
        tokens = [Token(label, readings(label)) for label in labels]
    elif isinstance(text, Sequence) and not isinstance(text, bytes):
        tokens = [_given(index, word) for index, word in enumerate(text)]
    else:
        raise TypeError(f"text must be a str or a list of str, got {type(text).__name__}")
    if not tokens:
        is_empty = not (text.strip() if isinstance(text, str) else text)
        reason = "the text is empty" if is_empty else "the text has no words, only punctuation"
        raise TextError(f"{reason}; give the words that are spoken")
    return tokens


def _given(index: int, word: object) -> Token:
    if not isinstance(word, str):
        raise TypeError(f"text must be a str or a list of str, got {type(word).__name__} at index {index}")
    _check_characters(word)
    found = [readings(core) for core in map(_core, _BETWEEN.split(word)) if core]
    if not found:
        raise TextError(f"word {index} of the list, {word!r}, has nothing to speak; leave it out")
    return Token(word, in_sequence(*found))


def _check_characters(text: str) -> None:
    half = _SURROGATE.search(text)
    if half:
        raise TextError(
            f"character {half.start()} of the text ({half[0]!r}) is not a valid character; save the text as UTF-8"
        )


def _core(piece: str) -> str:
    """``piece`` without the punctuation around it; empty if it is not a word."""
    if piece in SYMBOLS:
        return piece
    inside = [index for index, char in enumerate(piece) if char.isalnum()]
    if not inside:
        return ""
    start, end = inside[0], inside[-1] + 1
    while start and piece[start - 1] in _SYMBOLS_BEFORE:
        start -= 1
    while piece[end : end + 1] and (piece[end] in _SYMBOLS_AFTER or unicodedata.category(piece[end])[0] == "M"):
        end += 1
    if piece[end : end + 1] == "." and _DOTTED.fullmatch(piece, start, end):
        return piece[start : end + 1]  # the last point of "U.S.A." is part of it
    return _with_apostrophes(piece, start, end)


def _with_apostrophes(piece: str, start: int, end: int) -> str:
    """``piece[start:end]`` with the apostrophes that stand for left-out sounds, not those that quote."""
    before = piece[start - 1 : start] if start else ""
    after = piece[end : end + 1]
    opens, closes = before != "" and before in APOSTROPHES, after != "" and after in APOSTROPHES
    key = lookup_key(piece[start:end])
    if opens and closes:
        return piece[start - 1 : end + 1] if key == "n" else piece[start:end]
    if opens and (f"'{key}" in _CUT_IN_FRONT or key[:1].isdigit()):
        return piece[start - 1 : end]
    if closes and _CUT_BEHIND.fullmatch(key):
        return piece[start : end + 1]
    return piece[start:end]
