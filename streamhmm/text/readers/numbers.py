"""Numbers in words: cardinals, ordinals, years, digit by digit."""

from __future__ import annotations

from streamhmm.text.readers.readings import Readings, any_of, in_sequence

_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_FROM_TWENTY = "_ _ twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL, _TENS = _TO_NINETEEN.split(), _FROM_TWENTY.split()
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
LONGEST = 3 * len(_SCALES)
"""The most digits of a number that is read as a whole."""

DIGITS = dict(zip("0123456789", _SMALL, strict=False))
NUMBER_WORDS = frozenset([*_SMALL, *_TENS[2:], "hundred", *_SCALES[1:]])


def cardinal(number: int, link: str = "") -> str:
    """The number in words; with ``link`` "and" as the British say it: "one hundred and five"."""
    words: list[str] = []
    for power in reversed(range(len(_SCALES))):
        group = number // 1_000**power % 1_000
        if group:
            words += _group(group, link, is_last=power == 0 and bool(words)), _SCALES[power]
    return " ".join(" ".join(words).split()) or "zero"


def _group(number: int, link: str, is_last: bool) -> str:
    """A number below 1,000; ``is_last``: thousands come before it."""
    hundreds, rest = divmod(number, 100)
    words = [_SMALL[hundreds], "hundred"] if hundreds else []
    if rest and (hundreds or is_last):
        words.append(link)
    if rest < len(_SMALL):
        words += [_SMALL[rest]] if rest else []
    else:
        words += [_TENS[rest // 10], _SMALL[rest % 10] if rest % 10 else ""]
    return " ".join(words)


def ordinal(number: int, link: str = "") -> str:
    """The number as a rank in words: "one hundred third"."""
    *front, last = cardinal(number, link).split()
    if last not in _ORDINALS:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*front, _ORDINALS.get(last, last)])


def plural(words: str) -> str:
    """The plural of the last word: "nineteen nineties", "sixes"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")


def by_digit(digits: str) -> Readings:
    """Digit by digit, 0 as "zero" or "oh"."""
    names = " ".join(DIGITS[digit] for digit in digits)
    return any_of(names, names.replace("zero", "oh"))


def in_pairs(digits: str) -> str:
    """Three or four digits as years and house numbers are read: "nineteen oh five", "seven forty seven"."""
    front, back = cardinal(int(digits[:-2])), int(digits[-2:])
    if back == 0:
        return f"{front} hundred"
    return f"{front} {two_digits(digits[-2:])}"


def two_digits(digits: str) -> str:
    """As in "forty seven", "oh five"."""
    return f"oh {DIGITS[digits[1]]}" if digits[0] == "0" else cardinal(int(digits))


def counted(number: int) -> Readings:
    """A number of things: "one hundred five", "one hundred and five", "a hundred five"."""
    plain, linked = cardinal(number), cardinal(number, "and")
    article = [f"a {words[4:]}" for words in (plain, linked) if words.startswith("one ") and number < 1_100]
    return any_of(plain, linked, *article)


def integer(digits: str) -> Readings:
    """Digits without separators, which may be a number, a year or a code."""
    if len(digits) > LONGEST or (digits[0] == "0" and len(digits) > 1):
        return _code(digits)
    number = int(digits)
    if number == 0:
        return any_of("zero", "oh", "naught")
    whole = counted(number)
    if len(digits) not in (3, 4):
        return any_of(whole, by_digit(digits))
    if digits[1:] == "000":
        return any_of(whole, by_digit(digits))
    pairs = in_pairs(digits)
    if is_year(number):
        return any_of(pairs, whole, by_digit(digits))
    return any_of(whole[:2], pairs, by_digit(digits), whole)


def is_year(number: int) -> bool:
    """Whether the number is more often a year, read in pairs, than not."""
    return 1_010 <= number <= 2_099 and not 2_000 <= number <= 2_009


def year(digits: str) -> Readings:
    """Four digits as a year: "nineteen eighty four", "two thousand and five", "twenty oh five"."""
    number = int(digits)
    whole = any_of(cardinal(number), cardinal(number, "and"))
    if digits[1:] == "000" or digits[0] == "0":
        return whole
    return any_of(in_pairs(digits), whole) if is_year(number) else any_of(whole, in_pairs(digits))


def _code(digits: str) -> Readings:
    zeros = len(digits) - len(digits.lstrip("0"))
    spelled = by_digit(digits)
    if len(digits) > LONGEST:
        return spelled
    rest = cardinal(int(digits[zeros:] or "0"))
    doubled = in_sequence(any_of("double oh", "double zero"), by_digit(digits[2:])) if zeros >= 2 else ()
    return any_of(spelled, f"oh {rest}", doubled[:2], rest)


def ordinal_readings(number: int) -> Readings:
    """As in "one hundred third", "one hundred and third", "hundred third"."""
    plain, linked = ordinal(number), ordinal(number, "and")
    bare = [words.removeprefix("one ") for words in (plain, linked) if words.startswith("one ")]
    return any_of(plain, linked, f"the {plain}", f"the {linked}", *bare)


def decimal(whole: str, fraction: str) -> Readings:
    """A decimal number: "three point one four", "three point fourteen", "point five"."""
    is_short = len(fraction) == 2 and fraction[0] != "0"
    digits = any_of(by_digit(fraction), cardinal(int(fraction)) if is_short else ())
    if not whole:
        return any_of(in_sequence("point", digits), in_sequence("zero point", digits))
    if set(whole) == {"0"}:
        return in_sequence(any_of("zero", "naught", "oh", ""), "point", digits)
    return in_sequence(counted(int(whole)) if len(whole) <= LONGEST else by_digit(whole), "point", digits)


def fraction(numerator: int, denominator: int) -> Readings:
    """A fraction: "three quarters", "three fourths", "three over four"."""
    above, below = cardinal(numerator), cardinal(denominator)
    names = ["half"] if denominator == 2 else [ordinal(denominator).removeprefix("one ")]
    if denominator == 4:
        names.insert(0, "quarter")
    if numerator == 1:
        parts = any_of(*[f"{article} {name}" for article in ("one", "a") for name in names])
        parts = any_of(parts, "half" if denominator == 2 else ())
    else:
        parts = any_of(*["halves" if name == "half" else plural(name) for name in names])
        parts = in_sequence(above, parts)
    return any_of(parts, f"{above} over {below}", f"{above} out of {below}")
