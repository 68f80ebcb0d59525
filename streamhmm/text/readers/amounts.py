"""Numbers as they are written: signs, separators, decimals, fractions, ranges."""

from __future__ import annotations

import re

from streamhmm.text.readers.initials import is_sayable, letters
from streamhmm.text.readers.numbers import (
    LONGEST,
    by_digit,
    cardinal,
    counted,
    decimal,
    fraction,
    in_pairs,
    integer,
    ordinal,
    ordinal_readings,
    plural,
    two_digits,
)
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

_GROUPED = r"\d{1,3}(?:,\d{3})+|\d{1,3}(?:'\d{3})+|\d{1,3}(?: \d{3})+"
NUMBER = rf"(?:(?:{_GROUPED}|\d+) \d+⁄\d+|\d+⁄\d+|\d+/\d+|(?:{_GROUPED}|\d+)?\.\d+|{_GROUPED}|\d+,\d\d?(?!\d)|\d+)"
"""A number without a sign; readable text has ⁄ for the bar of "½" and a space before it in "5½"."""
AMOUNT = rf"(?:[-+±~≈<>≤≥]?{NUMBER}(?:-{NUMBER})?)"
"""A number or a range of numbers with a sign."""

SIGNS: dict[str, Readings] = {
    "-": any_of("minus", "negative", ""),
    "+": any_of("plus", "positive", ""),
    "±": any_of("plus or minus", "plus minus"),
    "~": any_of("about", "approximately", "around", ""),
    "≈": any_of("about", "approximately", "approximately equal to"),
    "<": any_of("less than", "under", "below"),
    ">": any_of("more than", "greater than", "over", "above"),
    "≤": any_of("less than or equal to", "at most", "up to"),
    "≥": any_of("greater than or equal to", "at least"),
}

_PARTS = re.compile(rf"([-+±~≈<>≤≥]?)({NUMBER})(?:-({NUMBER}))?")
_FRACTION = re.compile(r"(?:(.+) )?(\d+)[/⁄](\d+)")
_LONGEST_VARIABLE = 2
_USUAL_POWERS = {2: "squared", 3: "cubed"}
_TENS: dict[int, Readings] = {5: any_of("tens of thousands"), 6: any_of("hundreds of thousands")}
_MOST_OF_EACH = 3  # of the two ends of a range
LARGEST_DENOMINATOR = 10_000


def amount(text: str, *, is_count: bool = False) -> Readings:
    """All readings of what matches ``AMOUNT``; ``is_count``: of things, so it is neither a year nor a code."""
    parts = _PARTS.fullmatch(text)
    if not parts:
        raise ValueError(f"text must match AMOUNT, got {text!r}")
    sign, first, last = parts.groups()
    read = _count if is_count else number
    readings = read(first) if last is None else _range(first, last)
    return in_sequence(SIGNS[sign], readings) if sign else readings


def _count(text: str) -> Readings:
    return counted(int(text)) if re.fullmatch(rf"[1-9]\d{{0,{LONGEST - 1}}}", text) else number(text)


def number(text: str) -> Readings:
    """All readings of what matches ``NUMBER``."""
    parts = _FRACTION.fullmatch(text)
    if parts:
        return _with_fraction(*parts.groups())
    digits = re.sub("[,' ]", "", text) if re.fullmatch(_GROUPED, text) or "." in text else text
    if "." in digits:
        return decimal(*digits.split("."))
    if "," in digits:
        whole, tenths = digits.split(",")
        return any_of(decimal(whole, tenths), in_sequence(integer(whole)[:2], "comma", by_digit(tenths)))
    return integer(digits) if digits == text else _grouped(digits)


def is_one(text: str) -> bool:
    """Whether a thing so counted is in the singular."""
    return text.lstrip("-+±~≈<>≤≥") == "1"


def _grouped(digits: str) -> Readings:
    if len(digits) > LONGEST:
        return by_digit(digits)
    value = int(digits)
    hundreds = len(digits) == 4 and value % 100 == 0 and value % 1_000 != 0
    return any_of(counted(value), in_pairs(digits) if hundreds else ())


def _with_fraction(whole: str | None, above: str, below: str) -> Readings:
    if max(len(above), len(below)) > LONGEST or not 2 <= int(below) <= LARGEST_DENOMINATOR:
        return in_sequence(integer(above)[:2], any_of("", "over", "slash"), integer(below)[:2])
    part = fraction(int(above), int(below))
    if whole is None:
        return part
    if int(above) == 1:
        part = any_of(part[1:2], part)  # "five and a half"
    return in_sequence(number(whole)[:2], "and", part)


def _range(first: str, last: str) -> Readings:
    is_years = re.fullmatch(r"1\d{3}|20\d\d", first) and len(last) in (2, 4)
    if not is_years:
        return in_sequence(_count(first)[:_MOST_OF_EACH], any_of("to", ""), _count(last)[:_MOST_OF_EACH])
    ends = any_of(two_digits(last), cardinal(int(last))) if len(last) == 2 and last.isdigit() else number(last)
    return in_sequence(number(first)[:_MOST_OF_EACH], any_of("to", ""), ends[:_MOST_OF_EACH])


# Patterns of whole tokens.


def _amount(match: re.Match[str], context: Context) -> Readings:
    readings = amount(match[0])
    if context.mark == "-" and context.previous[-1:].isdigit():
        readings = in_sequence(any_of("to", "", "minus"), readings)  # "10 - 15"
    if context.mark == "*" and context.previous[-1:].isdigit():
        readings = in_sequence(any_of("times", ""), readings)
    return any_of(readings)


def _separate_groups(match: re.Match[str], context: Context) -> Readings:
    """A part of "25 000"."""
    digits = match[0]
    if digits == "000" and re.fullmatch(r"\d{1,3}", context.previous):
        return any_of("thousand", by_digit(digits))
    if re.fullmatch(r"\d{3}", context.following) and digits[0] != "0" and len(digits) <= 3:
        thousands = in_sequence(counted(int(digits))[:2], "thousand")
        return any_of(integer(digits)[:4], thousands)
    return ()


def _after_whole_number(match: re.Match[str], context: Context) -> Readings:
    """The fraction of "2 1/2"."""
    if not context.previous.isdigit() or int(match[1]) >= int(match[2]):
        return ()
    part = _with_fraction(None, match[1], match[2])
    if match[1] == "1":
        part = any_of(part[1:2], part)
    return any_of(in_sequence("and", part[:4]), part)


def _ordinal(match: re.Match[str], _: Context) -> Readings:
    digits = match[1].replace(",", "")
    return ordinal_readings(int(digits)) if len(digits) <= LONGEST else ()


def _parts(match: re.Match[str], _: Context) -> Readings:
    """As in "2/3rds", "1/10th"."""
    part = _with_fraction(None, match[1], match[2])
    as_written = tuple(reading for reading in part if reading[-1] not in ("quarter", "quarters"))
    return any_of(as_written[:1], part)


def _ranked(match: re.Match[str], _: Context) -> Readings:
    """As in "100ths"."""
    digits = match[1].replace(",", "")
    if len(digits) > LONGEST:
        return ()
    name = plural(ordinal(int(digits)))
    return any_of(name.removeprefix("one "), name)


def _powers_of_ten(match: re.Match[str], _: Context) -> Readings:
    """As in "1000s of": powers of ten in the plural."""
    digits = match[1].replace(",", "")
    name = plural(cardinal(int(digits))).removeprefix("one ")
    return any_of(_TENS.get(len(digits), ()), name, f"one {name}" if digits in ("100", "1000") else ())


def _several(match: re.Match[str], _: Context) -> Readings:
    """Plurals and possessives: "747s", "2020's"."""
    readings = integer(match[1])
    named = tuple(tuple(plural(" ".join(words)).split()) for words in readings)
    owned = tuple((*words[:-1], words[-1] + "'s") for words in readings)
    usual = any_of(plural(in_pairs(match[1]))) if len(match[1]) == 3 and match[1][0] != "0" else ()
    seconds = in_sequence(readings[:1], "seconds") if len(match[1]) == 2 else ()
    return any_of(usual, named[:4], owned[:4] if "'" in match[0] else seconds)


def _by(match: re.Match[str], _: Context) -> Readings:
    """Sizes and products: "1920x1080", "3×4"."""
    links = any_of("times", "by") if match[2] == "×" else any_of("by", "times", "x")
    return in_sequence(number(match[1])[:2], links, number(match[3])[:2])


def _times(match: re.Match[str], _: Context) -> Readings:
    return in_sequence(number(match[1])[:3], any_of("x", "times"))


def _power(match: re.Match[str], _: Context) -> Readings:
    """A base, a number or letters, with an exponent: "x²", "10^6"."""
    base = number(match[1])[:2] if match[1][0].isdigit() else letters_or_word(match[1])
    minus, exponent = match[2], int(match[3])
    plain = cardinal(exponent)
    if minus:
        said = any_of(f"to the minus {plain}", f"to the power of minus {plain}", f"to the negative {plain}")
    else:
        ranked = ordinal(exponent)
        said = any_of(f"to the {ranked}", f"to the power of {plain}", f"to the {ranked} power", f"to the {plain}")
        said = any_of(_USUAL_POWERS.get(exponent, ()), said)
    is_word = match[1].isalpha() and len(match[1]) > _LONGEST_VARIABLE
    return any_of(base if is_word else (), in_sequence(base, said))  # after a word it counts footnotes


def letters_or_word(text: str) -> Readings:
    """A variable or a unit: "x", "mc", "cm"."""
    return any_of(text.lower()) if is_sayable(text.lower()) else letters(text)[:1]


def _scientific(match: re.Match[str], _: Context) -> Readings:
    """As in "1.5e-3"."""
    sign = {"-": "minus", "+": "plus", "": ""}[match[2]]
    power = cardinal(int(match[3]))
    base = amount(match[1])[:2]
    ranked = power if sign == "minus" else ordinal(int(match[3]))
    return any_of(
        in_sequence(base[:1], f"times ten to the {sign} {ranked}"),
        in_sequence(base, f"e {sign} {power}"),
        in_sequence(base[:1], f"times ten to the {sign} {power}"),
    )


def _named(match: re.Match[str], _: Context) -> Readings:
    names = {"#": ("number", "hashtag", "pound"), "§": ("section",), "No": ("number",)}
    return in_sequence(any_of(*names[match[1]]), amount(match[2]))


def _at_least(match: re.Match[str], _: Context) -> Readings:
    return in_sequence(amount(match[1])[:4], any_of("plus", "or more"))


RULES = rules(
    (r"\d{1,3}", _separate_groups),
    (r"(\d{1,4})[/⁄](\d{1,4})", _after_whole_number),
    (AMOUNT, _amount),
    (r"([\d,]*\d)(?:st|nd|rd|th|ST|ND|RD|TH)", _ordinal),
    (r"(\d{1,4})[/⁄](\d{1,4})(?:rd|th|nd)s?", _parts),
    (r"([\d,]*\d)(?:rd|th|nd)s", _ranked),
    (r"(100+|10{1,2}(?:,000)+|1(?:,000)+)'?s", _powers_of_ten),
    (r"(\d+)'?s'?", _several),
    (rf"({NUMBER})([xX×])({NUMBER})", _by),
    (rf"({AMOUNT})[eE]([-+]?)(\d{{1,3}})", _scientific),
    (rf"({NUMBER})[xX×]", _times),
    (r"(\d[\d.,]*|[A-Za-z]+)\^(-?)(\d{1,2})", _power),
    (rf"(#|§|No)\.?({AMOUNT})", _named),
    (rf"({AMOUNT})\+", _at_least),
)
