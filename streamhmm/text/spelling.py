"""A pronunciation guessed from the spelling, for words that no lexicon has."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters, digits
from typing import TYPE_CHECKING

from streamhmm.text.inflection import inflected
from streamhmm.text.keys import without_accents
from streamhmm.text.phones import Pronunciation

if TYPE_CHECKING:
    from streamhmm.text.g2p import Candidate

MOST_GUESSES = 4
_LEAST_OF_BEST = 0.02
"""How probable a guess must be, as a share of the best one's probability."""
_LONGEST_INITIALISM = 6
_VOWEL_LETTERS = frozenset("aeiouy")
_NAMES = """
    a EY; b B IY; c S IY; d D IY; e IY; f EH F; g JH IY; h EY CH; i AY; j JH EY; k K EY; l EH L; m EH M; n EH N; o OW;
    p P IY; q K Y UW; r AA R; s EH S; t T IY; u Y UW; v V IY; w D AH B AH L Y UW; x EH K S; y W AY; z Z IY;
    0 Z IH R OW; 1 W AH N; 2 T UW; 3 TH R IY; 4 F AO R; 5 F AY V; 6 S IH K S; 7 S EH V AH N; 8 EY T; 9 N AY N
"""
LETTER_NAMES: dict[str, Pronunciation] = {name.split()[0]: tuple(name.split()[1:]) for name in _NAMES.split(";")}
"""Phones of the names of letters (lower case) and digits."""


def spell(word: str) -> tuple[Pronunciation, ...]:
    """Pronunciations of a word as it is written, the best guess first, at most ``MOST_GUESSES``.

    Single letters, words with digits and words in capitals without a vowel letter are read by the names of their
    letters ("b2", "XKCD"); short words in capitals and words without a vowel letter by names or as a word ("UNIDO",
    "brr"); all others as a word, by ``GraphemeToPhone``, with an ending after an apostrophe read as such ("XBox's").

    Raises:
        ValueError: there is neither a Latin letter nor a digit in ``word``.
    """
    plain = without_accents(word)
    if not _letters(plain):
        raise ValueError(f"word must have a Latin letter or a digit, got {word!r}")
    if "'" in plain:
        stem, apostrophe, ending = plain.rpartition("'")
        with_ending = inflected(stem + apostrophe + ending.lower(), _guesses)
        if with_ending:
            return with_ending[:MOST_GUESSES]
    return _guesses(plain)


def _guesses(word: str) -> tuple[Pronunciation, ...]:
    """What ``spell`` gives for a word in which an apostrophe means nothing; ``()`` if there is nothing to spell."""
    letters = _letters(word)
    named = tuple(phone for char in letters.lower() for phone in LETTER_NAMES[char])
    has_vowel = not _VOWEL_LETTERS.isdisjoint(letters.lower())
    if not letters.isalpha() or len(letters) == 1 or (letters.isupper() and not has_vowel):
        return (named,) if named else ()
    may_be_initials = letters.isupper() and len(letters) <= _LONGEST_INITIALISM
    first = (named,) if may_be_initials or not has_vowel else ()
    return tuple(dict.fromkeys((*first, *_read(letters))))[:MOST_GUESSES] or (named,)


def _letters(word: str) -> str:
    return "".join(char for char in word if char in ascii_letters + digits)


def _read(letters: str) -> tuple[Pronunciation, ...]:
    from streamhmm.text.g2p import shipped_model  # takes NumPy and a file of 2 MB, and most texts need neither

    return offered(shipped_model().pronunciations(letters, MOST_GUESSES))


def offered(candidates: Sequence[Candidate]) -> tuple[Pronunciation, ...]:
    """Those that are not much less probable than the first, which is the best."""
    return tuple(
        candidate.phones
        for candidate in candidates
        if candidate.probability >= _LEAST_OF_BEST * candidates[0].probability
    )
