"""Our phones in the vocabularies of others, and words in letters of others."""

from __future__ import annotations

import pytest
from test_ctc_alignment import ESPEAK

from streamhmm.text import tokenize
from streamhmm.text.ipa import inventory, looks_phonetic
from streamhmm.text.letters import UNKNOWN, spell_out
from streamhmm.text.phones import PHONES

_TIMIT = "aa ae ah aw ay b ch d dh dx eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh sil t th uh uw v w y z"
TIMIT = tuple(_TIMIT.split())
CMU = (*PHONES, *(f"{vowel}{stress}" for vowel in ("AA", "AH", "IY") for stress in "012"))
SINGLE_SYMBOLS = tuple("abdefhijklmnoprstuvwzæðŋɑɔəɛɡɪɹʃʊʌʒθɾː")
LATIN = tuple("abcdefghijklmnopqrstuvwxyz'|")
EWE_AND_ICELANDIC = (*LATIN, *"ɖɛƒɣŋɔʋáðéíóúýþæö")


@pytest.mark.parametrize("tokens", [ESPEAK, TIMIT, CMU, SINGLE_SYMBOLS], ids=["espeak", "TIMIT", "CMU", "single"])
def test_vocabularies_that_can_write_all_of_our_phones(tokens):
    found = inventory(tokens)
    assert found.lacking == ()
    assert looks_phonetic(tokens)
    for phone in PHONES:
        (units,) = found.spell((phone,))
        assert all(set(found.units[unit]) <= set(tokens) for unit in units)


@pytest.mark.parametrize("tokens", [LATIN, EWE_AND_ICELANDIC, tuple(map(str.upper, LATIN))])
def test_letters_are_no_phones(tokens):
    assert not looks_phonetic(tokens)


def test_phones_that_one_symbol_does_not_write_are_several():
    found = inventory(SINGLE_SYMBOLS)
    assert found.spell(("CH", "ER", "N")) == (("t", "ʃ", "ə", "ɹ", "N"),)
    assert found.units["t"] == ("t",)


def test_phones_that_one_symbol_writes_together_are_one_as_well():
    found = inventory(ESPEAK)
    assert found.spell(("N", "AO", "R", "TH")) == (("N", "AO+R", "TH"), ("N", "AO", "R", "TH"))
    assert found.units["AO+R"] == ("ɔːɹ",)
    assert found.spell(("AO",)) == (("AO",),)


def test_stress_is_left_out_and_rare_phones_have_stand_ins():
    assert inventory(CMU).units["AH"] == ("AH", "AH0", "AH1", "AH2")
    assert inventory(TIMIT).spell(("AO", "ZH")) == (("AA", "SH"),)


def test_what_can_not_be_written_is_lacking():
    assert inventory([symbol for symbol in SINGLE_SYMBOLS if symbol not in "ðŋ"]).lacking == ("DH", "NG")
    assert inventory(["AA", "b"]).lacking == tuple(phone for phone in PHONES if phone != "B")


def letters_of(text, letters=LATIN):
    spelling = spell_out(tokenize(text), letters)
    ways = [
        [" ".join("".join(part[0]) for part in reading) for reading in word.readings] for word in spelling.script.words
    ]
    return ways, spelling


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("Don’t", [["don't"]]),
        ("café Ærø", [["cafe"], ["aero"]]),
        ("well-known", [["well known"]]),
        ("FBI", [["fbi", "f b i"]]),
        ("Dr. Who", [["dr", "doctor", "drive"], ["who"]]),
        ("7", [["seven"]]),
        ("東京 a", [[UNKNOWN], ["a"]]),
    ],
)
def test_words_in_letters(text, ways):
    assert letters_of(text)[0] == ways


def test_letters_that_the_vocabulary_has_are_kept():
    assert letters_of("Café 7", (*LATIN, "é", "7"))[0] == [["café"], ["7", "seven"]]


def test_what_is_left_out_is_named_once():
    ways, spelling = letters_of("aжb жc ж")
    assert ways == [["ab"], ["c"], [UNKNOWN]]
    assert spelling.lacking == ("ж",)
    assert spelling.script.unknown == ("ж",)


def test_readings_are_kept_as_long_as_there_is_room():
    (ways,), _ = letters_of("1984")
    assert ways[0] == "nineteen eighty four"
    assert sum(len(way.replace(" ", "")) for way in ways) <= 100
    (ways,), _ = letters_of("123456789123456789")
    assert len(ways) == 1
