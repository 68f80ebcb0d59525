"""Dates, months, days of the week, decades: "5/11/2020", "Nov. 5, 2020", "the 1990s", "'05"."""

from __future__ import annotations

import re

from streamhmm.text.readers.amounts import number
from streamhmm.text.readers.numbers import by_digit, cardinal, integer, ordinal, plural, two_digits, year
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

_MONTH_NAMES = "january february march april may june july august september october november december"
_DAY_NAMES = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS, DAYS = _MONTH_NAMES.split(), _DAY_NAMES.split()
_SHORT = {"sept": "september", "tues": "tuesday", "thur": "thursday", "thurs": "thursday"}
_SHORT |= {name[:3]: name for name in (*MONTHS, *DAYS)}
ABBREVIATED = {short: name for short, name in _SHORT.items() if short != name}
"""Short names of months and days."""

_ALSO_WORDS = frozenset(["mar", "sat", "sun", "wed"])
_OTHER_WORDS = _ALSO_WORDS | {"may", "march", "august", "jan", "sep", "mon", "tue", "thu", "fri", "thur"}
_ALL_MONTHS = frozenset([*MONTHS, *(short for short, name in ABBREVIATED.items() if name in MONTHS)])
NAMES = frozenset([*ABBREVIATED, *MONTHS, *DAYS])
"""Names of months and days, full and short."""

_DAY = re.compile(r"(?:[12]?\d|3[01]|0\d)(?:st|nd|rd|th)?")
_CENTURY_TURN = 50  # "49" is 2049, "50" is 1950
_LAST_DAY = 31
_DENOMINATORS = frozenset([2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 64, 100, 1_000])
_PAIRS = frozenset([(9, 11), (7, 11), (24, 7)])


def is_month(word: str) -> bool:
    """Whether it may be a month's name, full or short, in capitals where it would else be another word."""
    return word.lower() in _ALL_MONTHS and (word[:1].isupper() or word not in _OTHER_WORDS)


def is_name(word: str) -> bool:
    """Whether it may be the name of a month or of a day of the week."""
    return word.lower() in NAMES and (word[:1].isupper() or word not in _OTHER_WORDS)


def _years(digits: str) -> Readings:
    if len(digits) == 4:
        return year(digits)
    century = "19" if int(digits) >= _CENTURY_TURN else "20"
    return any_of(year(century + digits)[:1], two_digits(digits))


def _day_and_month(month: int, day: int) -> Readings:
    name, rank = MONTHS[month - 1], ordinal(day)
    return any_of(f"{name} {rank}", f"the {rank} of {name}", f"{name} the {rank}", f"{name} {cardinal(day)}")


def _is_date(month: int, day: int) -> bool:
    return 1 <= month <= len(MONTHS) and 1 <= day <= _LAST_DAY


def _dated(first: str, second: str, years: Readings, *, is_day_first: bool) -> Readings:
    """Two numbers that are month and day, in either order, and what is said of the year."""
    orders = [(int(first), int(second)), (int(second), int(first))]
    if is_day_first:
        orders.reverse()
    valid = [order for order in orders if _is_date(*order)]
    if not valid:
        return ()
    likely = [in_sequence(_day_and_month(*order)[:2], years[:1]) for order in valid]
    numbers = in_sequence(_short(first), _short(second), years[:2])
    first_of_each = any_of(*[read[:1] for read in likely], numbers[:1])
    return any_of(first_of_each, *likely, numbers[:2], in_sequence(_day_and_month(*valid[0]), years), numbers)


def _short(digits: str) -> Readings:
    plain = cardinal(int(digits))
    return any_of(two_digits(digits), plain) if len(digits) == 2 else any_of(plain)


def _full_date(match: re.Match[str], _: Context) -> Readings:
    first, mark, second, last = match.groups()
    return _dated(first, second, _years(last), is_day_first=mark == ".")


def _iso_date(match: re.Match[str], _: Context) -> Readings:
    digits, month, day = match[1], int(match[3]), int(match[4])
    if not _is_date(month, day):
        return ()
    years = year(digits)
    named = _day_and_month(month, day)
    numbers = in_sequence(years[:1], two_digits(match[3]), two_digits(match[4]))
    return any_of(in_sequence(named[:2], years), in_sequence(years[:1], named[:1]), numbers, in_sequence(named, years))


def _slashed(match: re.Match[str], context: Context) -> Readings:
    """As in "11/5", "3/4", "24/7": a date, a fraction, or just two numbers."""
    first, second = int(match[1]), int(match[2])
    if first < second and context.previous.isdigit():
        return ()  # "2 1/2"
    dates = _dated(match[1], match[2], ((),), is_day_first=False) if max(first, second) <= _LAST_DAY else ()
    pair = in_sequence(integer(match[1])[:2], integer(match[2])[:2])
    part = number(match[0])
    if first < second and second in _DENOMINATORS:
        return any_of(part[:4], dates[:2], pair[:1], part)
    if dates and (first, second) not in _PAIRS:
        return any_of(dates[:4], pair[:1], part)
    return any_of(pair[:2], dates[:4], part)


def _day(match: re.Match[str], context: Context) -> Readings:
    """A number beside the name of a month."""
    if not (is_month(context.previous) or is_month(context.following)) or not 1 <= int(match[1]) <= _LAST_DAY:
        return ()
    rank = ordinal(int(match[1]))
    bare = () if match[2] else any_of(cardinal(int(match[1])))
    return any_of(rank, bare, f"the {rank}", by_digit(match[1]) if match[1][0] == "0" else ())


def _days(match: re.Match[str], context: Context) -> Readings:
    """As in "May 5-7"."""
    if not is_month(context.previous) or not 1 <= int(match[1]) < int(match[2]) <= _LAST_DAY:
        return ()
    ends = [any_of(ordinal(int(digits)), cardinal(int(digits))) for digits in match.groups()]
    return in_sequence(ends[0], any_of("to", "through", ""), ends[1])


def _name(match: re.Match[str], context: Context) -> Readings:
    """The name of a month or a day, short or after a number."""
    key = match[0].lower()
    if not is_name(match[0]):
        return ()
    full = ABBREVIATED.get(key, key)
    follows_day = full in MONTHS and _DAY.fullmatch(context.previous)
    named = any_of(full, f"of {full}") if follows_day else any_of(full)
    if key == full:
        return named
    is_dated = follows_day or context.following[:1].isdigit() or is_month(context.following)
    if is_dated or (key not in _ALSO_WORDS and key != match[0]):
        return any_of(named, key)
    return any_of(key, full) if context.after[:1] == "." else ()


def _decade(match: re.Match[str], _: Context) -> Readings:
    """As in "1990s", "'90s", "80s"."""
    century, tens = match[1] or "", match[2]
    if century:
        number = int(century + tens)
        if number == 1_000:
            return ()
        if tens == "00":
            return any_of(f"{cardinal(number // 100)} hundreds") if number % 1_000 else any_of(plural(cardinal(number)))
        return any_of(plural(f"{cardinal(int(century))} {cardinal(int(tens))}"), plural(cardinal(number)))
    if tens == "00":
        return any_of("two thousands", "oh ohs", "naughties")
    seconds = () if match[0][0] == "'" else any_of(f"{cardinal(int(tens))} seconds")
    return any_of(plural(cardinal(int(tens))), seconds)


def _class_of(match: re.Match[str], _: Context) -> Readings:
    """As in "'05"."""
    return any_of(two_digits(match[1]), _years(match[1]))


RULES = rules(
    (r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", _full_date),
    (r"(\d{1,2})([/-])(\d{1,2})\2(\d{2})", _full_date),
    (r"(\d\d)(\.)(\d\d)\2(\d\d)", _full_date),
    (r"(\d{4})([/.-])(\d{1,2})\2(\d{1,2})", _iso_date),
    (r"(\d{1,4})/(\d{1,4})", _slashed),
    (r"(\d{1,2})(st|nd|rd|th)?", _day),
    (r"(\d{1,2})-(\d{1,2})", _days),
    (r"[A-Za-z]{3,9}", _name),
    (r"'?(\d\d)?(\d0)'?s'?", _decade),
    (r"'(\d\d)", _class_of),
)
