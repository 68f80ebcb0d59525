"""Our phones in the vocabularies of others: IPA as espeak and others write it, or ARPAbet with or without stress."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from streamhmm.text.phones import PHONES, Pronunciation, without_stress

_SYMBOLS = """
    AA ɑː ɑ ɒ a ɑ̃ aː; AE æ; AH ʌ ə ɐ ɜ; AO ɔː ɔ ɒ; AW aʊ aʊ̯; AY aɪ aɪ̯; B b; CH tʃ t͡ʃ ʧ; D d ɾ; DH ð;
    EH ɛ e; ER ɚ ɝ ɜː ɜːɹ; EY eɪ eː; F f; G ɡ g; HH h ɦ; IH ɪ ᵻ ɨ; IY iː i; JH dʒ d͡ʒ ʤ; K k kʰ; L l ɫ;
    M m m̩; N n n̩; NG ŋ; OW oʊ əʊ oː; OY ɔɪ ɔʏ; P p pʰ; R ɹ ɻ r; S s; SH ʃ; T t ɾ tʰ ʔ; TH θ; UH ʊ ɵ;
    UW uː u ʉ; V v; W w ʍ; Y j; Z z; ZH ʒ
"""
_SEQUENCES = """
    AW a ʊ; AW ɑ ʊ; AY a ɪ; AY ɑ ɪ; CH t ʃ; ER ɜ ɹ; ER ə ɹ; ER ɜ r; ER ə r; EY e ɪ; EY e; JH d ʒ; OW o ʊ; OW ə ʊ; OW o;
    OY ɔ ɪ
"""
_TOGETHER = """
    AA+R ɑːɹ; AH+L əl; AO+R ɔːɹ oːɹ ɔɹ; AY+ER aɪɚ; EH+R ɛɹ; IH+R ɪɹ; IY+AH iə; IY+R ɪɹ; UH+R ʊɹ
"""
_STANDS_FOR = {"AO": "AA", "ZH": "SH"}
"""As in the 39 phones in which TIMIT is usually scored (Lee & Hon 1989)."""
_ONLY_IN_IPA = frozenset("ɹʃʒŋθðəɪʊɛɔæʌɑ")
_ENOUGH = 7
"""Of these no alphabet that people write in has so many."""


class PhoneInventory(NamedTuple):
    """How a vocabulary writes our phones.

    Attributes:
        units: the tokens that mean the same, by a name of our own for it.
        spelled: for each phone the names of its units, one after the other; a phone that the vocabulary lacks is not
            there.
        together: the name of the unit of two phones in a row.
    """

    units: dict[str, tuple[str, ...]]
    spelled: dict[str, Pronunciation]
    together: dict[Pronunciation, str]

    @property
    def lacking(self) -> tuple[str, ...]:
        """Phones that the vocabulary can't write."""
        return tuple(phone for phone in PHONES if phone not in self.spelled)

    def spell(self, phones: Pronunciation) -> tuple[Pronunciation, ...]:
        """The units of a pronunciation; a second time with those that stand for two phones, where there are any."""
        apart = tuple(unit for phone in phones for unit in self.spelled[phone])
        merged: list[str] = []
        place = 0
        while place < len(phones):
            unit = self.together.get(phones[place : place + 2])
            merged += self.spelled[phones[place]] if unit is None else (unit,)
            place += 1 if unit is None else 2
        return (apart,) if tuple(merged) == apart else (tuple(merged), apart)


def inventory(tokens: Collection[str]) -> PhoneInventory:
    """How ``tokens`` write our phones, as far as they can."""
    arpabet = _arpabet(tokens)
    return arpabet if len(arpabet.lacking) <= len(_STANDS_FOR) else _ipa(tokens)


def looks_phonetic(tokens: Collection[str]) -> bool:
    """Whether ``tokens`` are phones rather than letters."""
    return not inventory(tokens).lacking or len(_ONLY_IN_IPA.intersection(tokens)) >= _ENOUGH


def _ipa(tokens: Collection[str]) -> PhoneInventory:
    units: dict[str, tuple[str, ...]] = {}
    spelled: dict[str, Pronunciation] = {}
    for phone, symbols in _entries(_SYMBOLS):
        found = tuple(symbol for symbol in symbols if symbol in tokens)
        if found:
            units[phone], spelled[phone] = found, (phone,)
    for phone, symbols in _entries(_SEQUENCES):
        if phone not in spelled and all(symbol in tokens for symbol in symbols):
            units |= {symbol: (symbol,) for symbol in symbols}
            spelled[phone] = tuple(symbols)
    together: dict[Pronunciation, str] = {}
    for pair, symbols in _entries(_TOGETHER):
        found = tuple(symbol for symbol in symbols if symbol in tokens)
        if found:
            units[pair], together[tuple(pair.split("+"))] = found, pair
    return PhoneInventory(units, spelled, together)


def _arpabet(tokens: Collection[str]) -> PhoneInventory:
    units: dict[str, tuple[str, ...]] = {}
    for token in tokens:
        phone = without_stress(token)
        if phone is not None:
            units[phone] = (*units.get(phone, ()), token)
    spelled: dict[str, Pronunciation] = {phone: (phone,) for phone in units}
    spelled |= {phone: (other,) for phone, other in _STANDS_FOR.items() if phone not in units and other in units}
    return PhoneInventory(units, spelled, {})


def _entries(table: str) -> Sequence[tuple[str, list[str]]]:
    rows = [entry.split() for entry in table.split(";")]
    return [(row[0], row[1:]) for row in rows]
