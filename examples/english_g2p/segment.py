"""Words cut into graphones: which letters stand for which phones, found by expectation maximisation.

With q(g) the probability of a graphone g, a word and its pronunciation have the probability Σ over cuts Π over
graphones q(g), and an iteration sets q to the relative frequency that is expected under the q before (Bisani & Ney
2008, with a unigram). Words of the same numbers of letters and phones are worked on together, as arrays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamhmm.text import PHONES, Pronunciation
from streamhmm.text.graphone_ngram import Graphone

SIZES = ((1, 0), (1, 1), (1, 2), (2, 1))
"""The graphones' (letters, phones). Two letters for two phones would be cut off as one where they are two."""
_N_LETTERS, _N_PHONES = 26, len(PHONES)
_N_LETTER_CODES = _N_LETTERS + _N_LETTERS**2
_N_PHONE_CODES = 1 + _N_PHONES + _N_PHONES**2
_A = ord("a")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Group(NamedTuple):
    """Words of L letters with pronunciations of P phones.

    Attributes:
        letters: (L, words).
        phones: (P, words).
    """

    letters: Ints
    phones: Ints


def group(entries: Iterable[tuple[str, Pronunciation]]) -> list[Group]:
    """All pairs of a word and a pronunciation, by their lengths; those that no cut fits are left out."""
    same_size: dict[tuple[int, int], list[tuple[str, Pronunciation]]] = defaultdict(list)
    for word, phones in entries:
        if len(phones) <= 2 * len(word):
            same_size[len(word), len(phones)].append((word, phones))
    index = {phone: number for number, phone in enumerate(PHONES)}
    return [
        Group(
            np.array([[ord(letter) - _A for letter in word] for word, _ in pairs]).T,
            np.array([[index[phone] for phone in phones] for _, phones in pairs]).T,
        )
        for _, pairs in sorted(same_size.items())
    ]


def graphone_probabilities(groups: Sequence[Group], iterations: int) -> Floats:
    """q of all codes after ``iterations``, the first with all graphones equal."""
    q = np.ones(_N_LETTER_CODES * _N_PHONE_CODES)
    for _ in range(iterations):
        expected = np.zeros_like(q)
        for words in groups:
            _add_expected(words, q, expected)
        q = expected / expected.sum()
    return q


def _add_expected(words: Group, q: Floats, expected: Floats) -> None:
    """Add P(g is used | word, phones) of every place of every word to ``expected``.

    α[i, j] = Σ_g α[i − letters, j − phones] q(g) and β[i, j] = Σ_g q(g) β[i + letters, j + phones] over the cuts of
    the first i letters and j phones, and of the rest.
    """
    (n_letters, n_words), n_phones = words.letters.shape, len(words.phones)
    forward = np.zeros((n_letters + 1, n_phones + 1, n_words))
    forward[0, 0] = 1
    steps = [(step, _codes(words, *step)) for step in _steps(n_letters, n_phones)]
    for (i, j, letters, phones), codes in steps:
        forward[i, j] += forward[i - letters, j - phones] * q[codes]
    backward = np.zeros_like(forward)
    backward[-1, -1] = 1 / forward[-1, -1]
    for (i, j, letters, phones), codes in reversed(steps):
        after = q[codes] * backward[i, j]
        np.add.at(expected, codes, forward[i - letters, j - phones] * after)
        backward[i - letters, j - phones] += after


def cut(words: Group, q: Floats) -> list[list[int]]:
    """The most probable cut of each word, as codes; of equal ones the first of ``SIZES`` at its end."""
    (n_letters, n_words), n_phones = words.letters.shape, len(words.phones)
    best = np.full((n_letters + 1, n_phones + 1, n_words), -np.inf)
    best[0, 0] = 0
    last = np.zeros((n_letters + 1, n_phones + 1, n_words), dtype=np.int64)
    with np.errstate(divide="ignore"):
        log_q = np.log(q)
    for i, j, letters, phones in _steps(n_letters, n_phones):
        score = best[i - letters, j - phones] + log_q[_codes(words, i, j, letters, phones)]
        better = score > best[i, j]
        best[i, j][better] = score[better]
        last[i, j][better] = SIZES.index((letters, phones))
    return [_trace(words, last[:, :, word], word) for word in range(n_words)]


def _trace(words: Group, last: Ints, word: int) -> list[int]:
    one = Group(words.letters[:, word : word + 1], words.phones[:, word : word + 1])
    i, j = len(one.letters), len(one.phones)
    codes: list[int] = []
    while i:
        letters, phones = SIZES[last[i, j]]
        codes.append(int(_codes(one, i, j, letters, phones)[0]))
        i, j = i - letters, j - phones
    return codes[::-1]


def _steps(n_letters: int, n_phones: int) -> Iterator[tuple[int, int, int, int]]:
    """Ends (i, j) and sizes of all places of graphones, those that come before others first."""
    for i in range(1, n_letters + 1):
        for j in range(n_phones + 1):
            for letters, phones in SIZES:
                if letters <= i and phones <= j:
                    yield i, j, letters, phones


def _codes(words: Group, i: int, j: int, letters: int, phones: int) -> Ints:
    """(words,) codes of the graphones of the given size that end before letter i and phone j."""
    letter_code = words.letters[i - 1]
    if letters == 2:
        letter_code = _N_LETTERS * (1 + words.letters[i - 2]) + letter_code
    phone_code = np.zeros_like(letter_code)
    for phone in words.phones[j - phones : j]:
        phone_code = _N_PHONES * phone_code + phone + 1
    return letter_code * _N_PHONE_CODES + phone_code


def graphone(code: int) -> Graphone:
    """What a code stands for."""
    letter_code, phone_code = divmod(code, _N_PHONE_CODES)
    letters = chr(_A + letter_code % _N_LETTERS)
    if letter_code >= _N_LETTERS:
        letters = chr(_A + letter_code // _N_LETTERS - 1) + letters
    phones: list[str] = []
    while phone_code:
        phone_code, phone = divmod(phone_code - 1, _N_PHONES)
        phones.insert(0, PHONES[phone])
    return Graphone(letters, tuple(phones))
