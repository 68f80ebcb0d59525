"""Times of day and durations: "3:45", "10:30am", "7 p.m.", "3:45:10"; ratios, which look alike."""

from __future__ import annotations

import re

from streamhmm.text.readers.numbers import cardinal, integer
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

_HALVES = {"a": "a m", "p": "p m"}
_HALF = r"([aApP])\.?[mM]\.?"
_HALF_NEXT = re.compile(rf"{_HALF}(?:-\d.*)?")
_TIME_BEFORE = re.compile(r"(?:.*\D)?\d{1,2}(?:[:.]\d\d)?")
_QUARTERS = {
    15: ("quarter past", "a quarter past", "quarter after"),
    30: ("half past",),
    45: ("quarter to", "a quarter to"),
}


def _time(match: re.Match[str], context: Context) -> Readings:
    hour, minute, half = int(match[1]), int(match[2]), match[3]
    if hour > 24 or minute > 59:
        return _ratio(match, context)
    if half:
        return in_sequence(_hour_and_minute(hour, minute, has_half=True), _HALVES[half.lower()])
    return _hour_and_minute(hour, minute, has_half=bool(_HALF_NEXT.fullmatch(context.following)))


def _dotted_time(match: re.Match[str], context: Context) -> Readings:
    """As in "8.30" is a time only with "am" or "pm"."""
    has_half = match[3] or _HALF_NEXT.fullmatch(context.following)
    return _time(match, context) if has_half and int(match[1]) <= 24 and int(match[2]) <= 59 else ()


def _hour_and_minute(hour: int, minute: int, *, has_half: bool) -> Readings:
    named, minutes = cardinal(hour), cardinal(minute)
    twelve = cardinal((hour - 1) % 12 + 1)
    if minute == 0:
        return _full_hour(hour, named, twelve, has_half=has_half)
    if minute < 10:
        plain = in_sequence(named, any_of(f"oh {minutes}", f"zero {minutes}"))
    else:
        plain = any_of(f"{named} {minutes}")
    if twelve != named:
        plain = any_of(plain, f"{twelve} {minutes if minute >= 10 else f'oh {minutes}'}")
    return any_of(plain, _idioms(hour, minute))


def _full_hour(hour: int, named: str, twelve: str, *, has_half: bool) -> Readings:
    plain = any_of(f"{named} o'clock", named) if 1 <= hour <= 12 else any_of(f"{named} hundred", f"{twelve} o'clock")
    special = {12: any_of("noon", "midnight"), 0: any_of("midnight"), 24: any_of("midnight")}.get(hour, ())
    if has_half:
        plain = plain[::-1]
    return any_of(plain, special, f"{named} hundred", twelve, f"{named} hundred hours", named)


def _idioms(hour: int, minute: int) -> Readings:
    this, coming = cardinal((hour - 1) % 12 + 1), cardinal(hour % 12 + 1)
    if minute in _QUARTERS:
        return any_of(*[f"{phrase} {coming if minute == 45 else this}" for phrase in _QUARTERS[minute]])
    if minute % 5:
        return ()
    if minute < 30:
        return any_of(f"{cardinal(minute)} past {this}", f"{cardinal(minute)} after {this}")
    return any_of(f"{cardinal(60 - minute)} to {coming}")


def _with_seconds(match: re.Match[str], _: Context) -> Readings:
    hours, minutes, seconds = (int(match[group]) for group in (1, 2, 3))
    if minutes > 59 or seconds > 59:
        return ()
    short = [f"oh {cardinal(value)}" if value < 10 else cardinal(value) for value in (minutes, seconds)]
    long = [_named(hours, "hour"), _named(minutes, "minute"), _named(seconds, "second")]
    return any_of(
        " ".join([cardinal(hours), *short]),
        f"{long[0]} {long[1]} and {long[2]}",
        " ".join(long),
        f"{cardinal(hours)} {short[0]} and {long[2]}",
    )


def _named(value: int, unit: str) -> str:
    return f"{cardinal(value)} {unit if value == 1 else unit + 's'}"


def _hour(match: re.Match[str], _: Context) -> Readings:
    """As in "5pm"."""
    if not 0 <= int(match[1]) <= 24:
        return ()
    hour = cardinal(int(match[1]))
    return in_sequence(any_of(hour, f"{hour} o'clock"), _HALVES[match[2].lower()])


def _span(match: re.Match[str], _: Context) -> Readings:
    """As in "9-5pm", "10:00-11:30"."""
    if not (match[6] or (match[2] and match[5])) or max(int(match[1]), int(match[4])) > 24:
        return ()
    ends = []
    for hour, minute, half in (match.groups()[:3], match.groups()[3:]):
        if int(minute or 0) > 59:
            return ()
        read = _hour_and_minute(int(hour), int(minute or 0), has_half=True)[:2]
        ends.append(in_sequence(read, _HALVES[half.lower()] if half else ""))
    return in_sequence(ends[0], any_of("to", ""), ends[1])


def _half_to(match: re.Match[str], context: Context) -> Readings:
    """The middle of "9:00 AM-5:00 PM"."""
    if not _TIME_BEFORE.fullmatch(context.previous) or int(match[2]) > 24 or int(match[3] or 0) > 59:
        return ()
    has_half = bool(match[4] or _HALF_NEXT.fullmatch(context.following))
    until = _hour_and_minute(int(match[2]), int(match[3] or 0), has_half=has_half)[:2]
    last = in_sequence(until, _HALVES[match[4].lower()] if match[4] else "")
    return in_sequence(_HALVES[match[1].lower()], any_of("to", ""), last)


def _half(match: re.Match[str], context: Context) -> Readings:
    """As in "p.m." and "PM", as a word of its own."""
    said = any_of(_HALVES[match[1].lower()])
    if "." in match[0] or match[1] in "pP":
        return said
    if _TIME_BEFORE.fullmatch(context.previous):
        return any_of(said, "am")
    return any_of("am", said) if match[0].isupper() and not context.shouted else ()


def _ratio(match: re.Match[str], _: Context) -> Readings:
    """As in "2:1", "16:9"."""
    return in_sequence(integer(match[1])[:2], any_of("to", "by", ""), integer(match[2])[:2])


RULES = rules(
    (rf"(\d{{1,2}}):(\d\d) ?(?:{_HALF})?", _time),
    (rf"(\d{{1,2}})\.(\d\d) ?(?:{_HALF})?", _dotted_time),
    (r"(\d{1,2}):(\d\d):(\d\d)", _with_seconds),
    (rf"(\d{{1,2}}) ?{_HALF}", _hour),
    (rf"(\d{{1,2}})(?::(\d\d))?(?: ?{_HALF})?-(\d{{1,2}})(?::(\d\d))?(?: ?{_HALF})?", _span),
    (rf"{_HALF}-(\d{{1,2}})(?::(\d\d))?(?: ?{_HALF})?", _half_to),
    (_HALF, _half),
    (r"(\d+):(\d+)", _ratio),
)
