"""The user's words: what is spoken in a text, spelled as the user wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from streamhmm.errors import TextError
from streamhmm.text.breaks import Break, break_in
from streamhmm.text.keys import readable
from streamhmm.text.normalise import readings
from streamhmm.text.pieces import Piece, pieces
from streamhmm.text.readers.abbreviations import is_abbreviation
from streamhmm.text.readers.calendar import is_name
from streamhmm.text.readers.readings import Context, Readings, in_sequence
from streamhmm.text.readers.units import is_unit

_SURROGATE = re.compile("[\ud800-\udfff]")
_FEWEST_SHOUTED = 2  # words in capitals, of a text without others, that mean that it is written so
_FEWEST_IN_PASSAGE = 4  # the same within another text; "FBI, CIA and NSA" is none


class Token(NamedTuple):
    """A word of the user's text.

    Attributes:
        label: the user's own spelling, without surrounding punctuation.
        readings: the ways to read it, the most likely first, each the words to look up, in lower case: more than one
            word for "well-known", more than one reading for "1984".
        followed_by: the break after it: punctuation, the end of a line (of a phrase) or an empty line (of a sentence).
    """

    label: str
    readings: Readings
    followed_by: Break = Break.NONE

    @property
    def spoken(self) -> tuple[str, ...]:
        """The words of the most likely reading."""
        return self.readings[0]


def tokenize(text: str | Sequence[str]) -> list[Token]:
    """Split a text into its words; each element of a list of words is one token, its spelling taken as given.

    How a word is read depends on its neighbours ("5 km", "May 5"), in a list too.

    Raises:
        TextError: there is no word in it, an element of the list is empty or punctuation only, or a character is
            half of a surrogate pair.
        TypeError: for something that is neither text nor a list of texts.
    """
    if isinstance(text, str):
        _check_characters(text)
        tokens = _written(text)
    elif isinstance(text, Sequence) and not isinstance(text, bytes):
        tokens = _given(text)
    else:
        raise TypeError(f"text must be a str or a list of str, got {type(text).__name__}")
    if not tokens:
        is_empty = not (text.strip() if isinstance(text, str) else text)
        reason = "the text is empty" if is_empty else "the text has no words, only punctuation"
        raise TextError(f"{reason}; give the words that are spoken")
    return tokens


def _written(text: str) -> list[Token]:
    lines = [list(pieces(line)) for line in text.splitlines()]
    found = [piece for line in lines for piece in line]
    breaks = _breaks(found)
    place = -1
    for line in lines[:-1]:  # an empty one comes after the end of another, and together they end a sentence
        place += len(line)
        if place >= 0:
            breaks[place] = max(breaks[place], Break.PHRASE if line else Break.SENTENCE)
    tokens: list[Token] = []
    for piece, read, after in zip(found, _read(found), breaks, strict=True):
        if read:
            tokens.append(Token(piece.core, read, after))
        elif tokens:  # punctuation that stands alone
            tokens[-1] = tokens[-1]._replace(followed_by=max(tokens[-1].followed_by, after))
    return tokens


def _given(words: Sequence[str]) -> list[Token]:
    inside = [_pieces_of(index, word) for index, word in enumerate(words)]
    read = iter(_read([piece for found in inside for piece in found]))
    tokens = []
    for index, (word, found) in enumerate(zip(words, inside, strict=True)):
        spoken = [reading for reading in (next(read) for _ in found) if reading]
        if not spoken:
            raise TextError(f"word {index} of the list, {word!r}, has nothing to speak; leave it out")
        tokens.append(Token(word, in_sequence(*spoken), _breaks(found)[-1]))
    return tokens


def _pieces_of(index: int, word: object) -> list[Piece]:
    if not isinstance(word, str):
        raise TypeError(f"text must be a str or a list of str, got {type(word).__name__} at index {index}")
    _check_characters(word)
    return list(pieces(word))


def _check_characters(text: str) -> None:
    half = _SURROGATE.search(text)
    if half:
        raise TextError(
            f"character {half.start()} of the text ({half[0]!r}) is not a valid character; save the text as UTF-8"
        )


def _read(found: Sequence[Piece]) -> list[Readings]:
    """The readings of each piece beside its neighbours; none for punctuation."""
    words = [readable(piece.core) for piece in found]
    shouted = _shouted(words)
    read: list[Readings] = []
    previous = mark = ""
    for place, (piece, word) in enumerate(zip(found, words, strict=True)):
        if word:
            following = _following(place, found, words)
            mark = mark or ("©" if "©" in piece.before else "")
            context = Context(previous, following, piece.before, piece.after, mark, place in shouted)
            read.append(readings(word, context))
            previous = "" if _ends_clause(piece, word) else word
            mark = ""
        else:
            read.append(())
            mark = readable(piece.before) or piece.before
            previous = "" if break_in(piece.before + piece.after) else previous
    return read


def _following(place: int, found: Sequence[Piece], words: Sequence[str]) -> str:
    """The next word, if the clause does not end here."""
    if place + 1 == len(words) or _ends_clause(found[place], words[place]):
        return ""
    return words[place + 1]


def _ends_clause(piece: Piece, word: str) -> bool:
    return _break_after(piece, word) > Break.NONE


def _break_after(piece: Piece, word: str) -> Break:
    is_short = is_abbreviation(word) or is_name(word) or is_unit(word)
    if not is_short or not piece.after.startswith("."):
        return break_in(piece.after)
    return Break.NONE if piece.after == "." else max(Break.PHRASE, break_in(piece.after[1:]))


def _breaks(found: Sequence[Piece]) -> list[Break]:
    words = (readable(piece.core) for piece in found)
    return [
        _break_after(piece, word) if word else break_in(piece.before + piece.after)
        for piece, word in zip(found, words, strict=True)
    ]


def _shouted(words: Sequence[str]) -> set[int]:
    """The places of words that stand in a text, or in a passage of some length, that is all in capitals."""
    lettered = [place for place, word in enumerate(words) if sum(map(str.isalpha, word)) > 1]
    passages = [
        (capitals, list(places)) for capitals, places in groupby(lettered, lambda place: words[place].isupper())
    ]
    fewest = _FEWEST_SHOUTED if len(passages) == 1 else _FEWEST_IN_PASSAGE
    return {place for capitals, places in passages if capitals and len(places) >= fewest for place in places}
