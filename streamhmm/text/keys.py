"""One spelling for what may be written in several ways: cases, apostrophes, dashes, accents, digits, fractions."""

from __future__ import annotations

import re
import unicodedata

APOSTROPHES = "'’‘ʼ＇`´"
_DASHES = re.compile("[‐‑‒–—―−]")
_INVISIBLE = re.compile("[\u034f\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # joiners and variation selectors of category M
_NOT_DECOMPOSED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"}
    | {"ẞ": "Ss", "Æ": "Ae", "Œ": "Oe", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "Th"}
)

# What NFKC would run together with its neighbours: "5½" is not "51/2", "x²" not "x2", "Acme™" not "AcmeTM".
_WHOLE_BEFORE_FRACTION = re.compile("(?<=[0-9])(?=[¼½¾⅐-⅞])")
_EXPONENT = re.compile("(?<=[A-Za-z0-9])([⁻⁰¹²³⁴-⁹]+)")
_LOST_IN_FOLDING = str.maketrans({"′": "'", "″": '"', "“": '"', "”": '"', "„": '"', "™": "", "®": "", "©": ""})
_ENCLOSING = "Me"  # keycaps and rings around a character


def lookup_key(word: str) -> str:
    """The spelling under which a lexicon holds ``word``: lower case, NFKC, plain apostrophes and hyphens."""
    return _folded(word).lower()


def _folded(word: str) -> str:
    visible = "".join(c for c in _INVISIBLE.sub("", word) if unicodedata.category(c) != "Cf")
    # NFKC would turn a lone acute accent, typed for an apostrophe, into a space and a mark.
    plain = "".join("'" if c in APOSTROPHES else c for c in visible)
    return _DASHES.sub("-", unicodedata.normalize("NFKC", plain))


def without_accents(key: str) -> str:
    """``key`` with its Latin letters reduced to a…z; other scripts are left as they are."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFKD", key).translate(_NOT_DECOMPOSED):
        is_latin_mark = unicodedata.category(char) == "Mn" and kept and kept[-1].isascii()
        if not is_latin_mark:
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def readable(token: str) -> str:
    """``token`` as the readers want it: its case kept, without accents, digits 0 to 9, "x^2" for "x²", "5 1⁄2"."""
    if token.isascii():
        return token.replace("`", "'")
    text = _WHOLE_BEFORE_FRACTION.sub(" ", token)
    text = _EXPONENT.sub(r"^\1", text).translate(_LOST_IN_FOLDING)
    text = "".join(map(_digit, without_accents(_folded(text))))
    return (text.upper() if token.isupper() else text).strip()


def _digit(char: str) -> str:
    if unicodedata.category(char) == _ENCLOSING:
        return ""
    value = unicodedata.digit(char, None)
    return char if value is None else str(value)
