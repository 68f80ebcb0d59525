"""Sums of money: "$5.50", "€100", "£3.2bn", "$5 million", "5¢"."""

from __future__ import annotations

import re
from typing import NamedTuple

from streamhmm.text.readers.amounts import AMOUNT, NUMBER, SIGNS, amount, number
from streamhmm.text.readers.numbers import cardinal, two_digits
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules


class Currency(NamedTuple):
    """Names of a currency and of its hundredth part."""

    one: str
    many: str
    cent: str = "cent"
    cents: str = "cents"


DOLLAR = Currency("dollar", "dollars")
CURRENCIES = {
    "$": DOLLAR,
    "£": Currency("pound", "pounds", "penny", "pence"),
    "€": Currency("euro", "euros"),
    "¥": Currency("yen", "yen"),
    "₹": Currency("rupee", "rupees", "paisa", "paise"),
    "₽": Currency("ruble", "rubles", "kopeck", "kopecks"),
    "₩": Currency("won", "won"),
    "₪": Currency("shekel", "shekels"),
    "₺": Currency("lira", "lira"),
    "₿": Currency("bitcoin", "bitcoins"),
    "฿": Currency("baht", "baht"),
    "₫": Currency("dong", "dong"),
    "₦": Currency("naira", "naira"),
}
COUNTRIES = {
    "US": "us",
    "A": "australian",
    "AU": "australian",
    "C": "canadian",
    "CA": "canadian",
    "NZ": "new zealand",
    "HK": "hong kong",
    "S": "singapore",
}
CODES = {
    "USD": any_of("us dollars", "u s dollars", "dollars", "u s d"),
    "EUR": any_of("euros", "e u r"),
    "GBP": any_of("pounds", "british pounds", "g b p"),
    "JPY": any_of("yen", "japanese yen", "j p y"),
    "CHF": any_of("swiss francs", "francs", "c h f"),
    "CAD": any_of("canadian dollars", "c a d", "cad"),
    "AUD": any_of("australian dollars", "a u d"),
    "INR": any_of("rupees", "indian rupees", "i n r"),
    "CNY": any_of("yuan", "chinese yuan", "c n y"),
}
SCALES = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "mn": "million",
    "mln": "million",
    "b": "billion",
    "B": "billion",
    "bn": "billion",
    "Bn": "billion",
    "t": "trillion",
    "T": "trillion",
    "tn": "trillion",
    "trn": "trillion",
}
SCALE_WORDS = frozenset(["hundred", "thousand", "million", "billion", "trillion", *SCALES])

_SYMBOLS = "[" + "".join(CURRENCIES) + "]"
_SCALE = "(?:" + "|".join(sorted(SCALES, key=len, reverse=True)) + ")"
_SUM = rf"([-+±~≈<>≤≥]?)({'|'.join(COUNTRIES)})?({_SYMBOLS})(-?)({NUMBER}(?:-{_SYMBOLS}?{NUMBER})?)"
_WITH_CENTS = re.compile(r"([\d,]*)\.(\d\d)")
_PREVIOUS = re.compile(rf".*?({_SYMBOLS})[-\d.,/⁄ ]*|.*?[\d.,]({_SYMBOLS})?")


def _sum(match: re.Match[str], context: Context) -> Readings:
    before, country, symbol, minus, figure, scale = match.groups()
    sign: Readings | str = SIGNS[before or minus] if before or minus else ""
    figure = re.sub(_SYMBOLS, "", figure)
    currency, cents = CURRENCIES[symbol], _WITH_CENTS.fullmatch(figure)
    if scale:
        return in_sequence(sign, _with_scale(figure, scale, currency))
    if context.following in SCALE_WORDS:
        return in_sequence(sign, amount(figure, is_count=True))
    if cents and not country:
        return in_sequence(sign, _with_cents(cents[1].replace(",", ""), cents[2], currency, symbol))
    named = in_sequence(amount(figure, is_count=True), _named_country(country, currency, is_one=figure == "1"))
    return in_sequence(sign, any_of(named, "a dollar" if figure == "1" and symbol == "$" else ()))


def _with_scale(figure: str, scale: str, currency: Currency) -> Readings:
    """As in "$3.2M"."""
    counts = amount(figure, is_count=True)
    said = in_sequence(counts[:2], SCALES[scale], _names(currency, is_one=False))
    short = in_sequence(counts[:1], scale.lower()) if len(scale) == 1 else ()
    return any_of(said[:3], short, said)


def _names(currency: Currency, *, is_one: bool) -> Readings:
    return any_of(currency.one) if is_one else any_of(currency.many, currency.one)


def _named_country(country: str | None, currency: Currency, *, is_one: bool) -> Readings:
    names = _names(currency, is_one=is_one)
    if country is None:
        return names
    letters = " ".join(country.lower())
    return any_of(in_sequence(COUNTRIES[country], names[:1]), names[:1], in_sequence(letters, names[:1]), names)


def _with_cents(whole: str, cents: str, currency: Currency, symbol: str) -> Readings:
    small = currency.cent if cents == "01" else currency.cents
    minor = f"{cardinal(int(cents))} {small}"
    if whole.strip("0") == "":
        return any_of(minor, in_sequence(decimal_of(whole, cents), currency.many))
    figure = amount(whole, is_count=True)
    major = in_sequence(figure, currency.one if whole == "1" else currency.many)
    if cents == "00":
        return any_of(major, in_sequence(decimal_of(whole, cents), currency.many))
    digits = two_digits(cents)
    full = in_sequence(major[:2], any_of(f"and {minor}", minor))
    short = any_of(in_sequence(major[:1], cardinal(int(cents))), in_sequence(figure[:1], digits))
    pointed = in_sequence(decimal_of(whole, cents), currency.many)
    first = short[:1] if symbol == "£" else full[:1]
    return any_of(first, short, full[:3], pointed, full)


def decimal_of(whole: str, cents: str) -> Readings:
    return number(f"{whole}.{cents}")[:1]


def _number_before(match: re.Match[str], context: Context) -> Readings:
    """As in "100€", "5 p"."""
    return in_sequence(amount(match[1], is_count=True), _names(CURRENCIES[match[2]], is_one=match[1] == "1"))


def _cents(match: re.Match[str], _: Context) -> Readings:
    return in_sequence(amount(match[1]), any_of("cent") if match[1] == "1" else any_of("cents", "cent"))


def _scaled(match: re.Match[str], _: Context) -> Readings:
    """As in "10k", "3M", "2bn", of whatever."""
    figure, scale = match.groups()
    counts = amount(figure, is_count=True)[:2]
    named, short = in_sequence(counts, SCALES[scale]), in_sequence(counts, " ".join(scale.lower()))
    is_letter = scale in "kK" or (len(scale) == 1 and figure.isdigit())  # "221B"
    return any_of(short, named) if is_letter else any_of(named, short)


def _scale_word(match: re.Match[str], context: Context) -> Readings:
    """The second word of "$5 million" and "5 bn"."""
    sum_before = _PREVIOUS.fullmatch(context.previous)
    if not sum_before or match[0] not in SCALE_WORDS:
        return ()
    word = SCALES.get(match[0], match[0])
    symbol = sum_before[1] or sum_before[2]
    if symbol:
        currency = CURRENCIES[symbol]
        return any_of(f"{word} {currency.many}", f"{word} {currency.one}", word)
    if match[0] in ("million", "billion", "trillion", "thousand", "hundred"):
        return any_of(word)
    return () if len(match[0]) == 1 else any_of(word, " ".join(match[0].lower()))


def _code(match: re.Match[str], context: Context) -> Readings:
    beside_number = context.previous[-1:].isdigit() or context.following[:1].isdigit()
    return CODES.get(match[0], ()) if beside_number or context.previous in SCALE_WORDS else ()


def _with_code(match: re.Match[str], _: Context) -> Readings:
    code, figure = match[1] or match[4], match[2] or match[3]
    return in_sequence(amount(figure, is_count=True)[:3], CODES[code][:3])


_CODE = "|".join(CODES)
RULES = rules(
    (rf"{_SUM}({_SCALE})?", _sum),
    (rf"({AMOUNT})({_SYMBOLS})", _number_before),
    (rf"({AMOUNT})¢", _cents),
    (r"hundred|thousand|[a-zA-Z]{1,3}|[mbt]r?illion", _scale_word),
    (r"[A-Z]{3}", _code),
    (rf"({AMOUNT})([kKMBT]|mn|mln|bn|Bn|tn|trn)", _scaled),
    (rf"({_CODE})({AMOUNT})|({AMOUNT})({_CODE})", _with_code),
)
