"""One spelling for what may be written in several ways: cases, apostrophes, dashes, accents, digits, fractions."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

APOSTROPHES = "'’‘ʼ＇`´"
_DASHES = re.compile("[‐‑‒–—―−]")
_INVISIBLE = re.compile("[\u034f\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # joiners and variation selectors of category M
_LETTER = re.compile(
    r"LATIN (?:SUBSCRIPT |EPIGRAPHIC )?(SMALL |CAPITAL )?(?:CAPITAL )?(?:LETTER|LIGATURE) (.+?)(?: WITH .*)?"
)
_NAMES = """
    ALPHA a; BETA b; CHI kh; DEZH j; ENG ng; ESH sh; ETH d; EZH zh; GAMMA gh; IOTA i; KRA k; LEZH l; OMEGA o; PHI f;
    SCHWA a; SHARP ss; TESH ch; THORN th; UPSILON u; WYNN w; YOGH y
"""
_NAMED = dict(entry.split() for entry in _NAMES.split(";"))
_L_GEMINADA = re.compile("(?<=[lL])·(?=[lL])")

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
    return _DASHES.sub("-", unicodedata.normalize("NFKC", plain.replace("ŉ", "'n")))


def without_accents(key: str) -> str:
    """``key`` with its Latin letters reduced to a…z; other scripts are left as they are.

    Letters of phonetic alphabets and the like that have no counterpart are left out where other Latin letters remain.
    """
    if key.isascii():
        return key
    kept: list[str] = []
    for char in unicodedata.normalize("NFKD", key):
        is_latin_mark = unicodedata.category(char) == "Mn" and kept and kept[-1].isascii()
        if not is_latin_mark:
            kept.append(_in_ascii(char) or char)
    if any(char.isascii() and char.isalpha() for char in kept):
        kept = [char for char in kept if char.isascii() or not _is_of_latin(char)]
    return unicodedata.normalize("NFC", "".join(kept))


@lru_cache(maxsize=1024)
def _in_ascii(char: str) -> str:
    """What a Latin letter beyond a…z is written with, by its Unicode name: "LATIN SMALL LETTER H WITH STROKE"."""
    letter = None if char.isascii() else _LETTER.fullmatch(unicodedata.name(char, ""))
    if letter is None:
        return ""
    words = letter[2].split()
    plain = [_NAMED[word] for word in words if word in _NAMED] or [word.lower() for word in words if len(word) <= 2]
    return "".join(plain[-1:]).capitalize() if letter[1] == "CAPITAL " else "".join(plain[-1:])


def _is_of_latin(char: str) -> bool:
    return unicodedata.category(char)[0] == "L" and unicodedata.name(char, "").startswith(("LATIN", "MODIFIER LETTER"))


def readable(token: str) -> str:
    """``token`` as the readers want it: its case kept, without accents, digits 0 to 9, "x^2" for "x²", "5 1⁄2"."""
    if token.isascii():
        return token.replace("`", "'")
    text = _WHOLE_BEFORE_FRACTION.sub(" ", token)
    text = _EXPONENT.sub(r"^\1", text).translate(_LOST_IN_FOLDING)
    text = _L_GEMINADA.sub("", _folded(text))
    text = "".join(map(_digit, without_accents(text)))
    return (text.upper() if token.isupper() else text).strip()


def _digit(char: str) -> str:
    if unicodedata.category(char) == _ENCLOSING:
        return ""
    value = unicodedata.digit(char, None)
    return char if value is None else str(value)
