"""Letters read by name, or as a word: "BBC", "NATO", "CEOs", "U.S.A.", "PhD"; names in CamelCase."""

from __future__ import annotations

import re

from streamhmm.text.readers.readings import Context, Readings, any_of, in_sequence, rules

# Short ones that are rather words; longer ones are if they can be.
_SHORT_WORDS = """
    NO SO WE IN ON TO BE DO GO IF IS HE ME MY OF OR UP AT AS BY AN THE AND NOT YES ALL BUT CAN NEW NOW OUT SHE HIS HER
    HIM HAS HAD WAS ARE FOR YOU ANY WHO WHY HOW ONE TWO OFF SEE SAY OUR ITS PIN SIM RAM ROM GIF SAT SQL
"""
_WORDS = frozenset(_SHORT_WORDS.split())
_VOWELS = re.compile("[aeiouy]")
_CLUSTER = re.compile(r"[^aeiouy]{4}|^(?!thr|[sc]hr|phr|sch|s[cpt]r|spl|sph)[^aeiouy]{3}|(.)\1\1")
_LONGEST_INITIALISM = 5
_SHORTEST_ACRONYM = 4  # that is rather a word, if it can be one
_DOUBLED = re.compile(r"\b([ax]) \1\b(?! \1\b)")
_CAMEL_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_FAMILY_PREFIXES = frozenset(["mc", "mac", "fitz", "van", "de", "la", "le", "di", "du", "o"])


def letters(text: str) -> Readings:
    """The names of the letters; two of the same may be "double"."""
    names = " ".join(text.lower())
    tripled = re.sub(r"\b([a-z]) \1 \1\b", r"triple \1", names)
    return any_of(names, _DOUBLED.sub(r"double \1", names), tripled)


def capitals(text: str, *, shouted: bool = False) -> Readings:
    """A word in capitals: letters, a word, or either; ``shouted`` if all the text is in capitals."""
    word = text.lower()
    if not _VOWELS.search(word):
        return letters(text)
    if shouted or len(text) > _LONGEST_INITIALISM + 1:
        return any_of(word)
    if not is_sayable(word):
        return any_of(letters(text)[:1], word if len(text) >= _SHORTEST_ACRONYM else ())  # "UNHCR", "MONTHS"
    if text in _WORDS or len(text) >= _SHORTEST_ACRONYM:
        return any_of(word, letters(text)[:1])
    return any_of(letters(text)[:1], word)


def is_sayable(word: str) -> bool:
    """Whether English letters could be a word."""
    is_long = len(word) > _LONGEST_INITIALISM + 1
    return _VOWELS.search(word) is not None and (is_long or _CLUSTER.search(word) is None)


def _capitals(match: re.Match[str], context: Context) -> Readings:
    return _ending(capitals(match[1], shouted=context.shouted), match[2] or "")


def _ending(readings: Readings, ending: str) -> Readings:
    """Readings with a plural or possessive s."""
    if "s" not in ending:
        return readings
    return any_of(*[_with_s(words, ending) for words in readings])


def _with_s(words: tuple[str, ...], ending: str) -> str:
    is_letter = len(words[-1]) == 1
    return " ".join(words) + ("'s" if is_letter or ending == "'s" else "s")


def _dotted(match: re.Match[str], _: Context) -> Readings:
    """As in "U.S.A.", "e.g."."""
    return _ending(letters(match[1].replace(".", "")), match[2] or "")


def _camel(match: re.Match[str], context: Context) -> Readings:
    """As in "iPhone", "YouTube", "McDonald", "PhD"."""
    text, ending = match[1], match[2] or ""
    parts = _CAMEL_PARTS.findall(text)
    if all(len(part) <= 2 and (part.isupper() or not is_sayable(part.lower())) for part in parts):
        return _ending(letters(text), ending)
    split = in_sequence(*[_part(part, context) for part in parts])
    is_name = parts[0].lower() in _FAMILY_PREFIXES or len(parts[0]) == 1
    whole = any_of(text.lower())
    return _ending(any_of(whole, split) if is_name else any_of(split, whole), ending)


def _part(part: str, context: Context) -> Readings:
    if len(part) > 1 and part.isupper():
        return capitals(part, shouted=context.shouted)
    return any_of(part.lower()) if is_sayable(part.lower()) else letters(part)


RULES = rules(
    (r"([A-Z]{2,})('s|s'|s|')?", _capitals),
    (r"((?:[A-Za-z]\.)+[A-Za-z]?\.?)('s)?", _dotted),
    (r"((?:[A-Z][a-z]?\.)+(?:[A-Z][a-z]?\.?)??)('?s)", _dotted),  # "Ph.D.s"
    (r"((?:[A-Z][a-z]+|[a-z]+|[A-Z]+)(?:[A-Z][a-z]*)+)('s)?", _camel),
)
