"""Telephone and card numbers, digit by digit: "555-1234", "+1-800-555-0199"."""

from __future__ import annotations

import re

from streamhmm.text.readers.numbers import DIGITS, by_digit, cardinal, integer
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

_PHONE = (
    r"(?:\+?\d{1,3}[-. ]?)?\(?\d{3}\)?[-. ]?\d{3}[-. ]\d{4}|\d{3}-\d{4}"
    r"|\d{3}-\d{2}-\d{4}|\d{4}(?:-\d{4}){2,}|\+\d[-. \d()]{6,}\d"
)
_PHONE_NEXT = re.compile(_PHONE)
_ROUND = re.compile(r"[1-9]00")


def _telephone(match: re.Match[str], _: Context) -> Readings:
    groups = re.findall(r"\d+", match[0])
    digits = by_digit("".join(groups))
    hundreds = " ".join(cardinal(int(group)) if _ROUND.fullmatch(group) else _digits(group) for group in groups)
    plus = any_of("plus", "") if match[0].startswith("+") else ""
    return in_sequence(plus, any_of(digits, hundreds, hundreds.replace("zero", "oh")))


def _digits(group: str) -> str:
    return " ".join(DIGITS[digit] for digit in group)


def _area_code(match: re.Match[str], context: Context) -> Readings:
    if not _PHONE_NEXT.fullmatch(context.following):
        return ()
    return any_of(by_digit(match[0]), integer(match[0]))


RULES = rules(
    (_PHONE, _telephone),
    (r"\d{3}", _area_code),
)
