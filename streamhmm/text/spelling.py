"""A pronunciation guessed from the spelling, for words that no lexicon has."""

from __future__ import annotations

from string import ascii_letters

from streamhmm.text.graphemes import LETTER_NAMES, RULES
from streamhmm.text.normalise import DIGITS, without_accents
from streamhmm.text.phones import Pronunciation

_VOWEL_LETTERS = frozenset("aeiouy")
_LONGEST_INITIALISM = 6


def spell(word: str) -> tuple[Pronunciation, ...]:
    """Pronunciations of a word as it is written.

    Single letters, words without a vowel letter and words with digits are read by the names of their letters ("brr",
    "b2"), short ones in capitals by names or as a word ("UNIDO"), all others by spelling rules.

    Raises:
        ValueError: there is neither a Latin letter nor a digit in ``word``.
    """
    letters = "".join(char for char in without_accents(word) if char in ascii_letters or char in DIGITS)
    if not letters:
        raise ValueError(f"word must have a Latin letter or a digit, got {word!r}")
    named = tuple(phone for char in letters.lower() for phone in LETTER_NAMES[char])
    is_readable = letters.isalpha() and len(letters) > 1 and _VOWEL_LETTERS.intersection(letters.lower())
    if not is_readable:
        return (named,)
    read = _by_rules(letters.lower())
    if letters.isupper() and len(letters) <= _LONGEST_INITIALISM:
        return (named, read) if named != read else (named,)
    return (read,)


def _by_rules(letters: str) -> Pronunciation:
    """Left to right, at each letter the first rule that fits."""
    phones: list[str] = []
    position = 0
    while position < len(letters):
        for pattern, sounds in RULES[letters[position]]:
            match = pattern.match(letters, position)
            if match:
                phones += sounds
                position = match.end()
                break
    return tuple(phones)
