"""Amounts with units, in one token or two: "5km", "10 kg", "20°C", "100 km/h", "5'10"", "50%"."""

from __future__ import annotations

import re

from streamhmm.text.readers.amounts import AMOUNT, NUMBER, amount, is_one
from streamhmm.text.readers.numbers import NUMBER_WORDS, cardinal
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules
from streamhmm.text.readers.units import UNITS, find_unit, is_unit, unit_readings

_OFTEN_LETTERS = frozenset("KCFNJAt")
"""Units that in one token with a number, as in "4K", are more often just letters."""
_LONGEST_BEFORE = {"s": 1, "p": 2}  # digits; "747s" and "1080p" are something else
_NUMBER_BEFORE = re.compile(rf".*\d|{'|'.join(NUMBER_WORDS)}")
_FRACTION = re.compile(r"\d+[/⁄]\d+")
_YEAR = re.compile(r"1\d{3}|20\d\d")
_POWER_OF_TEN = re.compile(r"10{0,2}(?:,000)+")
_OF_AREA = {"sq": "square", "cu": "cubic"}


def _quantity(match: re.Match[str], context: Context) -> Readings:
    """As in "5km", "5-km"."""
    figure, hyphen, symbol = match.groups()
    is_whole = figure.isdigit() or _POWER_OF_TEN.fullmatch(figure)
    is_long = is_whole and len(figure) > _LONGEST_BEFORE.get(symbol, len(figure))
    if is_long or (hyphen and not (len(symbol) > 1 and symbol.isalpha())):
        return ()
    names = unit_readings(symbol, is_one=is_one(figure) or bool(hyphen))
    if not names:
        return ()
    plain = amount(figure, is_count=True)
    letter = in_sequence(plain[:1], symbol.lower()) if re.fullmatch("[A-Za-z]", symbol) else ()
    usual = in_sequence(plain[:1], names)[:4]
    first = (letter, usual) if symbol in _OFTEN_LETTERS else (usual, letter)
    return any_of(*first, in_sequence(plain, names))


def _sized(match: re.Match[str], _: Context) -> Readings:
    """As in "4x100m"."""
    names = unit_readings(match[3], is_one=False)
    if not names:
        return ()
    first, second = amount(match[1], is_count=True)[:1], amount(match[2], is_count=True)[:2]
    return in_sequence(first, any_of("by", "times"), second, names[:2])


def _apart(match: re.Match[str], context: Context) -> Readings:
    """A unit after its number."""
    symbol = match[0]
    if not _follows_number(context) and not _stands_alone(symbol):
        return ()
    unit = find_unit(symbol)
    if unit is not None and context.previous.lower() in _OF_AREA:
        return any_of(unit.many, unit.one)
    names = unit_readings(symbol, is_one=context.previous in ("1", "one"))
    if unit is not None and _FRACTION.fullmatch(context.previous):
        names = any_of(unit.one, f"of a {unit.one}", f"a {unit.one}", names)
    if unit is None or not unit.is_word:
        return names
    word = any_of(symbol.lower())
    if symbol == "in" and _YEAR.fullmatch(context.previous):
        return word
    is_usually_word = symbol == "A" or (symbol == "in" and context.after[:1] != ".")
    return any_of(word, names) if is_usually_word else any_of(names, word)


def _follows_number(context: Context) -> bool:
    """A number, or "sq" or "cu" that stands between it and the unit."""
    if context.previous.lower() in _OF_AREA:
        return True
    return context.previous != "" and _NUMBER_BEFORE.fullmatch(context.previous) is not None


def _stands_alone(symbol: str) -> bool:
    """Whether nothing else is spelled like the unit: "the kg"."""
    first = symbol.split("/")[0]
    unit = UNITS.get(first)
    return unit is not None and not unit.needs_number and first.isalpha() and len(first) > 1


def _amount_with_marks(match: re.Match[str], context: Context) -> Readings:
    """A number before a quotation mark, which may be the sign of inches or feet."""
    marks = {'"': ("inches", "inch"), "'": ("feet", "foot")}
    if context.after[:1] not in marks or context.before.endswith(('"', "'")):
        return ()
    plain = amount(match[0])
    return any_of(plain[:4], *[in_sequence(plain[:1], name) for name in marks[context.after[0]]])


def _height(match: re.Match[str], _: Context) -> Readings:
    """As in "5'10"": feet and inches."""
    feet, inches = int(match[1]), amount(match[2], is_count=True)[:1]
    named = in_sequence(inches, any_of("inch") if match[2] == "1" else any_of("inches"))
    first = cardinal(feet)
    one = "foot" if feet == 1 else "feet"
    return any_of(
        in_sequence(f"{first} foot", inches),
        in_sequence(first, inches),
        in_sequence(f"{first} {one}", named),
        in_sequence(f"{first} foot", named),
        in_sequence(f"{first} {one}", inches),
    )


def _square(match: re.Match[str], context: Context) -> Readings:
    """As in "per sq ft"."""
    return any_of(_OF_AREA[match[0].lower()]) if is_unit(context.following) else ()


def _cross(_: re.Match[str], context: Context) -> Readings:
    """As in "2 x 4", "3 ft x 5 ft"."""
    is_between = context.previous[-1:].isdigit() or is_unit(context.previous)
    return any_of("by", "times", "x") if is_between and context.following[:1].isdigit() else ()


_SYMBOL = "[a-zA-ZμΩ°º%‰'\"/^23]+"
RULES = rules(
    (r"(\d{1,2})'(1?\d(?:\.\d+)?(?: \d⁄\d)?)\"?", _height),
    (rf"({AMOUNT})(-?)({_SYMBOL})", _quantity),
    (AMOUNT, _amount_with_marks),
    (rf"({NUMBER})[x×]({NUMBER})({_SYMBOL})", _sized),
    ("[xX]", _cross),
    ("(?i:sq|cu)", _square),
    (_SYMBOL, _apart),
)
