"""Amounts with units, in one token or two: "5km", "10 kg", "20°C", "100 km/h", "5'10"", "50%"."""

from __future__ import annotations

import re
from typing import NamedTuple

from streamhmm.text.readers.amounts import AMOUNT, amount, is_one
from streamhmm.text.readers.numbers import NUMBER_WORDS, cardinal
from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

# A line: symbols = singular, plural, what else is said. A symbol with * in front stands for the unit only after a
# number; one with ~ may there also be the word or the letter that it is.
_TABLE = """
    mm = millimeter, millimeters
    cm = centimeter, centimeters
    ~m = meter, meters, million, minutes
    km = kilometer, kilometers
    μm = micrometer, micrometers, microns
    *nm = nanometer, nanometers, nautical miles
    ~in *" = inch, inches
    *ft ' = foot, feet, foot
    yd yds = yard, yards
    *mi = mile, miles
    *ha = hectare, hectares
    *sq = square, square
    *cu = cubic, cubic
    ~mg = milligram, milligrams
    μg mcg = microgram, micrograms
    ~g = gram, grams
    kg kgs = kilogram, kilograms, kilos
    ~t = ton, tons, metric tons
    lb lbs = pound, pounds
    oz = ounce, ounces
    ml mL = milliliter, milliliters
    cl cL = centiliter, centiliters
    dl dL = deciliter, deciliters
    ~l ~L = liter, liters
    *gal = gallon, gallons
    *pt pts = pint, pints, points
    *qt qts = quart, quarts
    tsp = teaspoon, teaspoons
    tbsp = tablespoon, tablespoons
    ~s *sec *secs = second, seconds
    *ms = millisecond, milliseconds
    μs = microsecond, microseconds
    *ns = nanosecond, nanoseconds
    *min *mins = minute, minutes, min
    ~h hr hrs = hour, hours
    *yr yrs = year, years
    Hz hz = hertz, hertz
    kHz = kilohertz, kilohertz
    MHz = megahertz, megahertz
    GHz = gigahertz, gigahertz
    THz = terahertz, terahertz
    kB KB = kilobyte, kilobytes, k b
    MB = megabyte, megabytes, megs, m b
    GB = gigabyte, gigabytes, gigs, g b
    TB = terabyte, terabytes, t b
    kbps kbit/s = kilobit per second, kilobits per second
    Mbps Mbit/s = megabit per second, megabits per second, megs
    Gbps Gbit/s = gigabit per second, gigabits per second, gigs
    ~V = volt, volts, volt
    kV = kilovolt, kilovolts
    mV = millivolt, millivolts
    ~A = amp, amps, amperes
    mA = milliamp, milliamps
    mAh = milliamp hour, milliamp hours
    ~W = watt, watts, watt
    kW = kilowatt, kilowatts
    MW = megawatt, megawatts
    GW = gigawatt, gigawatts
    kWh = kilowatt hour, kilowatt hours
    MWh = megawatt hour, megawatt hours
    Ω = ohm, ohms
    ~N = newton, newtons
    ~J = joule, joules
    kJ = kilojoule, kilojoules
    *cal = calorie, calories
    kcal = kilocalorie, kilocalories
    *Pa = pascal, pascals
    kPa = kilopascal, kilopascals
    hPa = hectopascal, hectopascals
    psi = pound per square inch, pounds per square inch, p s i
    dB = decibel, decibels, d b
    ~K = kelvin, kelvin, thousand
    ~C = celsius, celsius, degrees celsius
    ~F = fahrenheit, fahrenheit, degrees fahrenheit
    mph MPH = mile per hour, miles per hour, m p h
    kph kmh = kilometer per hour, kilometers per hour, k p h
    mpg = mile per gallon, miles per gallon, m p g
    rpm RPM = revolution per minute, revolutions per minute, r p m
    bpm = beat per minute, beats per minute, b p m
    fps = frame per second, frames per second, f p s
    ppm = part per million, parts per million, p p m
    *hp *HP = horsepower, horsepower, h p
    px = pixel, pixels
    *cc = cubic centimeter, cubic centimeters, c c
    ~p = penny, pence, p
    % = percent, percent
    ‰ = per thousand, per thousand, per mille
    ° = degree, degrees
    °C ºC = degree celsius, degrees celsius, degrees, degrees centigrade, degrees c, celsius
    °F ºF = degree fahrenheit, degrees fahrenheit, degrees, degrees f, fahrenheit
    °K = degree kelvin, degrees kelvin, kelvin
    °N = degree north, degrees north
    °S = degree south, degrees south
    °E = degree east, degrees east
    °W = degree west, degrees west
"""
_TIMES = "s second; sec second; min minute; h hour; hr hour; hour hour; d day; day day; yr year; year year; week week"
_DENOMINATORS = dict(entry.split() for entry in _TIMES.split("; "))
_DENOMINATORS |= {"kg": "kilogram", "m": "meter", "km": "kilometer", "L": "liter", "l": "liter", "lb": "pound"}
_DENOMINATORS |= {"month": "month", "person": "person", "gal": "gallon", "dl": "deciliter", "dL": "deciliter"}


class Unit(NamedTuple):
    """How a unit is read after one, after several, and otherwise; and what its symbol needs to stand for it."""

    one: str
    many: str
    others: tuple[str, ...]
    needs_number: bool
    is_word: bool


def _parse(table: str) -> dict[str, Unit]:
    units = {}
    for line in table.strip().splitlines():
        symbols, names = line.split(" = ")
        one, many, *others = names.split(", ")
        for symbol in symbols.split():
            mark = symbol[0] if symbol[0] in "*~" else ""
            units[symbol.lstrip("*~")] = Unit(one, many, tuple(others), bool(mark), mark == "~")
    return units


UNITS = _parse(_TABLE)
_OFTEN_LETTERS = frozenset("KCFNJAt")
"""Units that in one token with a number, as in "4K", are more often just letters."""
_LONGEST_BEFORE = {"s": 1, "p": 2}  # digits; "747s" and "1080p" are something else
_NUMBER_BEFORE = re.compile(rf".*\d|.*\d[/⁄]\d+|{'|'.join(NUMBER_WORDS)}")
_POWERS = {"2": "square", "3": "cubic"}
_AFTER = {"2": "squared", "3": "cubed"}


def is_unit(symbol: str) -> bool:
    return symbol in UNITS


def unit_readings(symbol: str, *, is_one: bool) -> Readings:
    """How a unit's symbol is read after a number; nothing if it is none."""
    if "/" in symbol and symbol not in UNITS:
        return _rate(*symbol.split("/", 1), is_one=is_one)
    power = re.fullmatch(r"([a-zA-Zμ]+)\^?([23])", symbol)
    if power:
        return _area(power[1], power[2], is_one=is_one)
    unit = _find(symbol)
    if unit is None:
        return ()
    names = (unit.one, unit.many) if is_one else (unit.many, unit.one)
    return any_of(*names, *unit.others)


def _find(symbol: str) -> Unit | None:
    return UNITS.get(symbol) or (UNITS.get(symbol.lower()) if len(symbol) > 1 else None)


def _rate(above: str, below: str, *, is_one: bool) -> Readings:
    """As in "km/h"; "m/s^2"."""
    base, _, power = below.partition("^")
    name = _DENOMINATORS.get(base) or _DENOMINATORS.get(base.lower())
    if not name or (power and power not in _AFTER):
        return ()
    article = "an" if name == "hour" else "a"
    above_readings = unit_readings(above, is_one=is_one)
    return in_sequence(above_readings[:2], any_of("per", article), f"{name} {_AFTER[power] if power else ''}")


def _area(symbol: str, power: str, *, is_one: bool) -> Readings:
    unit = _find(symbol)
    if unit is None or not unit.one.endswith(("meter", "inch", "foot", "mile", "yard")):
        return ()
    name = unit.one if is_one else unit.many
    return any_of(f"{_POWERS[power]} {name}", f"{name} {_AFTER[power]}", f"{_POWERS[power]} {unit.one}")


# Patterns of whole tokens.


def _quantity(match: re.Match[str], context: Context) -> Readings:
    """As in "5km", "5-km"."""
    figure, hyphen, symbol = match.groups()
    if (hyphen and not (len(symbol) > 1 and symbol.isalpha())) or (
        len(figure) > _LONGEST_BEFORE.get(symbol, len(figure))
    ):
        return ()
    names = unit_readings(symbol, is_one=is_one(figure) or bool(hyphen))
    if not names:
        return ()
    plain = amount(figure, is_count=True)
    letter = in_sequence(plain[:1], symbol.lower()) if re.fullmatch("[A-Za-z]", symbol) else ()
    usual = in_sequence(plain[:1], names)[:4]
    first = (letter, usual) if symbol in _OFTEN_LETTERS else (usual, letter)
    return any_of(*first, in_sequence(plain, names))


def _apart(match: re.Match[str], context: Context) -> Readings:
    """A unit after its number."""
    symbol = match[0]
    if not _follows_number(context) and not _stands_alone(symbol):
        return ()
    unit = _find(symbol)
    names = unit_readings(symbol, is_one=context.previous in ("1", "one"))
    if unit is None or not unit.is_word:
        return names
    word = any_of(symbol.lower())
    is_usually_word = symbol == "A" or (symbol == "in" and context.after[:1] != ".")
    return any_of(word, names) if is_usually_word else any_of(names, word)


def _follows_number(context: Context) -> bool:
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
    feet, inches = int(match[1]), number_of_inches(match[2])
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


def number_of_inches(text: str) -> Readings:
    return amount(text)[:1]


_SYMBOL = "[a-zA-ZμΩ°º%‰'\"/^23]+"
RULES = rules(
    (r"(\d{1,2})'(1?\d(?:\.\d+)?(?: \d⁄\d)?)\"?", _height),
    (rf"({AMOUNT})(-?)({_SYMBOL})", _quantity),
    (AMOUNT, _amount_with_marks),
    (_SYMBOL, _apart),
)
