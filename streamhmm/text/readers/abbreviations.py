"""Words that are written short: "Dr.", "St.", "No. 5", "vs.", "e.g."."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from streamhmm.text.readers.readings import Context, Readings, any_of, rules

# A line: the short form = what is said | what else may be. Marks in front tell when it is short for that rather than
# a word of its own: . if a point follows, # if a number does, ^ if it begins with a capital, & if it stands between
# words with capitals. With "place" at the end the first is a title, which stands before a name, and the second a place,
# which stands after one.
_TABLE = """
    mr = mister
    mrs = missus | misses
    ms = ms | miss
    messrs = messers
    dr = doctor | drive, place
    st = saint | street, place
    prof = professor
    sr = senior | sister
    jr = junior
    esq = esquire
    .^ hon = honorable | hon
    .^ rev = reverend | rev
    .^ gov = governor | gov
    .^ sen = senator | sen
    .^ rep = representative | rep
    .^ pres = president
    .^ gen = general | gen
    col = colonel
    .^ maj = major
    capt = captain
    cpt = captain
    lt = lieutenant
    sgt = sergeant
    cpl = corporal
    pvt = private
    cmdr = commander
    adm = admiral
    supt = superintendent
    . fr = father
    . br = brother
    inc = incorporated | inc
    ltd = limited | l t d
    .^ co = company | co
    corp = corporation | corp
    bros = brothers
    dept = department
    assn = association
    assoc = association | associate
    asst = assistant
    atty = attorney
    attn = attention
    univ = university
    intl = international
    govt = government
    .^ nat = national | nat
    .^ ave = avenue | ave
    rd = road
    blvd = boulevard
    hwy = highway
    pkwy = parkway
    .^ ln = lane
    .^ ct = court
    . pl = place
    . sq = square
    .^ apt = apartment
    .^ mt = mount | mountain
    mts = mountains
    .^ ft = fort | feet
    calif = california
    .^ mass = massachusetts | mass
    .^ conn = connecticut
    fla = florida
    .^ ill = illinois | ill
    .^ tex = texas | tex
    .^ wash = washington | wash
    ariz = arizona
    .^ penn = pennsylvania | penn
    mich = michigan
    minn = minnesota
    tenn = tennessee
    approx = approximately
    etc = et cetera | etcetera
    vs = versus | v s
    .# v = versus | v
    & v = versus | v
    . est = established | estimated | est
    . ca = circa | c a
    cf = compare | confer | c f
    viz = namely
    ie = i e | that is
    eg = e g | for example
    ibid = ibid
    # no = number | no
    # nos = numbers
    # vol = volume
    # vols = volumes
    # pp = pages
    .# p = page | p
    .# fig = figure | fig
    # figs = figures
    # ch = chapter
    # sec = section | second
    # art = article | art
    # par = paragraph | par
    # ext = extension
    # tel = telephone
    # eq = equation
    .# op = opus | op
    .# ver = version
    . ed = edition | editor | ed
    eds = editors
    . avg = average
    . max = maximum | max
    . min = minimum | min | minutes
    . misc = miscellaneous
    . ref = reference | ref
    . temp = temperature | temp
    . pop = population | pop
    . tel = telephone
    . sec = seconds | section
    hr = hour
    hrs = hours
    secs = seconds
    mins = minutes
    wwi = world war one | w w one
    wwii = world war two | w w two
    ph.d = p h d
    n/a = n a | not applicable
    w/ = with
    w/o = without
    b/c = because
    c/o = care of
    &c = et cetera | etcetera
    a.k.a = a k a | also known as
    i.e = i e | that is
    e.g = e g | for example
"""


class Abbreviation(NamedTuple):
    """What a short form stands for, and what it needs to do so."""

    readings: Readings
    needs: str
    is_title_or_place: bool


def _parse(table: str) -> dict[str, list[Abbreviation]]:
    found: dict[str, list[Abbreviation]] = {}
    for line in table.strip().splitlines():
        left, right = line.split(" = ")
        *needs, short = left.split()
        said = right.removesuffix(", place")
        entry = Abbreviation(any_of(*said.split(" | ")), "".join(needs), said != right)
        found.setdefault(short, []).append(entry)
    return found


ABBREVIATIONS = _parse(_TABLE)


def is_abbreviation(word: str) -> bool:
    """Whether a point after ``word`` may be its own rather than the sentence's."""
    return word.lower() in ABBREVIATIONS


def _abbreviation(match: re.Match[str], context: Context) -> Readings:
    key = match[0].lower().rstrip(".")
    for entry in ABBREVIATIONS.get(key, ()):
        if all(_HOLDS[need](match[0], context) for need in entry.needs):
            return _in_place(entry.readings, context) if entry.is_title_or_place else entry.readings
    return ()


_HOLDS: dict[str, Callable[[str, Context], bool]] = {
    ".": lambda word, context: context.after[:1] == "." or word.endswith("."),
    "#": lambda word, context: re.match(r"\d|[IVX]{2,}$", context.following) is not None,
    "^": lambda word, context: word[:1].isupper(),
    "&": lambda word, context: word.islower() and context.previous[:1].isupper() and context.following[:1].isupper(),
}


def _in_place(readings: Readings, context: Context) -> Readings:
    """A title stands before a name, a street after one."""
    follows_name = context.previous[:1].isupper() or context.previous[:1].isdigit()
    return readings[::-1] if follows_name and not context.following[:1].isupper() else readings


def _owner(match: re.Match[str], context: Context) -> Readings:
    """As in "Jr.'s", "Inc's", "Dr.s"."""
    within = context._replace(after="")  # a point behind the ending is the sentence's
    for entry in ABBREVIATIONS.get(match[1].lower(), ()):
        if all(_HOLDS[need](match[1] + match[2], within) for need in entry.needs):
            return tuple((*words[:-1], words[-1] + match[3]) for words in entry.readings)
    return ()


RULES = rules(
    (r"([A-Za-z]{2,})(\.(?='?s)|(?='))('?s)", _owner),
    (r"[A-Za-z]+|[A-Za-z.]+|(?:[wWcCbBnN]/[a-zA-Z]?|&c)\.?", _abbreviation),
)
