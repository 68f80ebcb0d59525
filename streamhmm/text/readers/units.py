"""Symbols of units and what they are called: "km", "°C", "m/s", "cm3"."""

from __future__ import annotations

import re
from typing import NamedTuple

from streamhmm.text.readers.readings import Readings, any_of, in_sequence

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
_BELOW = """
    s second; sec second; min minute; h hour; hr hour; d day; yr year; kg kilogram; g gram; m meter; km kilometer;
    L liter; l liter; lb pound; lbs pound; oz ounce; gal gallon; dl deciliter; dL deciliter; second second;
    minute minute; hour hour; day day; night night; week week; month month; quarter quarter; year year; person person;
    head head; unit unit; item item; pound pound; mile mile; acre acre; gallon gallon
"""
_DENOMINATORS = dict(entry.split() for entry in _BELOW.split(";"))


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
_ANY_CASE = {symbol.lower(): unit for symbol, unit in reversed(UNITS.items()) if len(symbol) > 1}
_POWERS = {"2": "square", "3": "cubic"}
_VOWEL_SOUNDS = frozenset(["ho", "ou", "ac", "it"])  # hour, ounce, acre, item
_LENGTHS = ("meter", "inch", "foot", "mile", "yard")
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
    unit = find_unit(symbol)
    if unit is None:
        return ()
    names = (unit.one, unit.many) if is_one else (unit.many, unit.one)
    return any_of(*names, *unit.others)


def find_unit(symbol: str) -> Unit | None:
    """The unit of a symbol, in capitals too."""
    return UNITS.get(symbol) or _ANY_CASE.get(symbol.lower())


def per(symbol: str) -> Readings:
    """What comes after the bar of "km/h" and of "$5/month"; nothing if it is nothing to count by."""
    base, _, power = symbol.partition("^")
    unit = find_unit(base) if len(base) > 1 else None
    name = _DENOMINATORS.get(base) or _DENOMINATORS.get(base.lower()) or (unit.one if unit else "")
    if not name or (power and power not in _AFTER):
        return ()
    said = f"{name} {_AFTER.get(power, '')}"
    if power and name.endswith(_LENGTHS):
        said = f"{_POWERS[power]} {name}"
    article = "an" if said[:2] in _VOWEL_SOUNDS else "a"
    return any_of(in_sequence(any_of("per", article), said), f"per {name} {_AFTER[power]}" if power else ())


def _rate(above: str, below: str, *, is_one: bool) -> Readings:
    names, counted_by = unit_readings(above, is_one=is_one), per(below)
    return in_sequence(names[:2], counted_by) if names and counted_by else ()


def _area(symbol: str, power: str, *, is_one: bool) -> Readings:
    unit = find_unit(symbol)
    if unit is None or not unit.one.endswith(_LENGTHS):
        return ()
    name = unit.one if is_one else unit.many
    return any_of(f"{_POWERS[power]} {name}", f"{name} {_AFTER[power]}", f"{_POWERS[power]} {unit.one}")
