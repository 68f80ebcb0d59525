"""Roman numerals: "Henry VIII", "Chapter IV", "World War II", "MCMLXXXIV"."""

from __future__ import annotations

import re

from streamhmm.text.readers.initials import letters
from streamhmm.text.readers.numbers import cardinal, ordinal, year
from streamhmm.text.readers.readings import Context, Readings, any_of, rules

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1_000}
_NUMERAL = re.compile("M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_COUNTED_NAMES = """
    chapter part volume vol war act scene section book phase type class level grade appendix article stage bowl title
    mark unit figure table step group tier round episode season version number apollo lesson rocky division
"""
_RULERS_NAMES = """
    elizabeth charles james henry george edward richard william mary john francis napoleon nicholas peter frederick
    alexander philip louis constantine otto leopold wilhelm ferdinand catherine anne ivan paul benedict pius gregory leo
    innocent clement urban boniface albert carl gustav christian harald haakon victoria isabella alfonso juan
"""
_COUNTED, _RULERS = frozenset(_COUNTED_NAMES.split()), frozenset(_RULERS_NAMES.split())
_INITIALS = frozenset(["IV", "XL", "LI", "LL"])
_LONG = 4  # letters of a numeral that is no word and needs no word before it


def value(numeral: str) -> int:
    """The number that a numeral in capitals stands for; 0 if it is none."""
    if not _NUMERAL.fullmatch(numeral):
        return 0
    values = [_VALUES[letter] for letter in numeral]
    return sum(-here if here < after else here for here, after in zip(values, [*values[1:], 0], strict=True))


def _roman(match: re.Match[str], context: Context) -> Readings:
    read = _numeral(match[1], context)
    return any_of(*[" ".join(words) + match[2] for words in read]) if match[2] else read


def _numeral(numeral: str, context: Context) -> Readings:
    number, owner = value(numeral), context.previous
    if not number:
        return ()
    counted, ranked = cardinal(number), f"the {ordinal(number)}"
    is_counted, is_ruler = owner.lower() in _COUNTED, owner.lower() in _RULERS
    if len(numeral) == 1 and not (owner[:1].isupper() and numeral in "IVX" and (is_counted or is_ruler)):
        return any_of(numeral.lower(), counted, ranked) if numeral in "VX" and owner[:1].isupper() else ()
    if len(numeral) >= _LONG and not set(numeral) <= set("IVXL"):
        return any_of(year(str(number)), letters(numeral)[:1]) if number >= 1_000 else ()
    if set(numeral) <= set("IVXL"):
        return _small(numeral, (counted, ranked), is_counted=is_counted, is_named=owner[:1].isupper())
    return ()


def _small(numeral: str, said: tuple[str, str], *, is_counted: bool, is_named: bool) -> Readings:
    counted, ranked = said
    by_name = letters(numeral)[:1]
    if numeral == "XL" or (numeral == "I" and not is_counted):
        return any_of(by_name, ranked, counted)
    if is_counted:
        return any_of(counted, ranked, by_name)
    if is_named:
        return any_of(ranked, counted, by_name)
    return any_of(by_name, counted, ranked) if numeral in _INITIALS else any_of(counted, by_name, ranked)


def _ranked(match: re.Match[str], _: Context) -> Readings:
    """As in "XIXth"."""
    number = value(match[1])
    return any_of(ordinal(number), f"the {ordinal(number)}") if number else ()


RULES = rules(
    (r"([IVXLCDM]+)('s)?", _roman),
    (r"([IVXLC]+)(?:st|nd|rd|th)", _ranked),
)
