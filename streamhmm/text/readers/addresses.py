"""E-mail and web addresses, handles and hashtags, file names: spoken sign by sign."""

from __future__ import annotations

import re

from streamhmm.text.readers.initials import capitals, is_sayable, letters
from streamhmm.text.readers.numbers import by_digit, integer
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

_SIGNS = {
    ".": "dot",
    "@": "at",
    "/": "slash",
    "-": "dash",
    "_": "underscore",
    "+": "plus",
    ":": "colon",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "%": "percent",
    "~": "tilde",
}
_DOMAINS = "com|org|net|edu|gov|mil|int|info|biz|io|ai|co|uk|us|eu|de|fr|jp|cn|au|ca|app|dev|tv|me"
_FILES = "js|py|txt|pdf|doc|docx|jpg|png|gif|mp3|mp4|csv|html|css|cpp|exe|zip|xml|json|wav|flac"
_NOT_SPELLED = "com org net gov int info biz app dev co doc zip wav flac exe at in my to of on by we go is it"
_WORDS = frozenset(_NOT_SPELLED.split())
_PIECES = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+|.", re.DOTALL)
_SCHEME = re.compile(r"(https?|ftp)://", re.IGNORECASE)
_SAID_WWW = any_of("w w w", "triple w", "dub dub dub")
_SHORTEST_WORD = 3


def spell_out(text: str) -> Readings:
    """An address, sign by sign; signs without a name are passed over."""
    return in_sequence(*[_piece(piece) for piece in _PIECES.findall(text)])


def _piece(piece: str) -> Readings | str:
    if piece[0] in "0123456789":
        return any_of(integer(piece)[:2], by_digit(piece))
    if not piece[0].isalpha():
        return _SIGNS.get(piece, "")
    if piece.lower() == "www":
        return _SAID_WWW
    if not piece.isascii():
        return piece.lower()
    if len(piece) > 1 and piece.isupper():
        return capitals(piece)
    return _name(piece.lower())


def _name(word: str) -> Readings:
    if word in _WORDS:
        return any_of(word)
    if len(word) < _SHORTEST_WORD or not is_sayable(word):
        return letters(word)[:1]
    return any_of(word)


def _address(match: re.Match[str], _: Context) -> Readings:
    return spell_out(match[0].rstrip("/"))


def _web(match: re.Match[str], _: Context) -> Readings:
    """With "https://" and "www." or without."""
    scheme = _SCHEME.match(match[0])
    rest = match[0][scheme.end() if scheme else 0 :].rstrip("/")
    place = spell_out(rest)
    bare = spell_out(rest[4:]) if rest.lower().startswith("www.") else ()
    if scheme is None:
        return any_of(place[:4], bare)
    names = " ".join(scheme[1].lower())
    full = in_sequence(f"{names} colon slash slash", place)
    return any_of(place[:3], bare[:2], full)


def _hashtag(match: re.Match[str], _: Context) -> Readings:
    words = spell_out(match[1].replace("_", " "))
    together = match[1].lower() if match[1].isalpha() else ()
    return any_of(in_sequence("hashtag", words)[:2], words[:2], in_sequence("hashtag", together), together)


def _handle(match: re.Match[str], _: Context) -> Readings:
    words = spell_out(match[1])
    return any_of(in_sequence("at", words)[:4], words)


def _file(match: re.Match[str], _: Context) -> Readings:
    """As in "Node.js", "report.pdf"."""
    said = spell_out(match[0])
    return any_of(said, spell_out(match[0].replace(".", " ")))


_HOST = r"[\w-]+(?:\.[\w-]+)*"
RULES = rules(
    (rf"[\w.+%-]+@{_HOST}", _address),
    (r"(?i:https?|ftp)://\S+", _web),
    (rf"(?i:www)\.{_HOST}(?::\d+)?(?:[/?#]\S*)?", _web),
    (rf"[A-Za-z0-9][\w-]*(?:\.[\w-]+)*\.(?:{_DOMAINS})(?::\d+)?(?:[/?#]\S*)?", _web),
    (rf"[A-Za-z][\w-]*\.(?:{_FILES})", _file),
    (r"#([^\W\d_][\w]*)", _hashtag),
    (r"@(\w[\w.]*)", _handle),
)
