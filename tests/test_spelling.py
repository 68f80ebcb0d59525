"""Pronunciations guessed from the spelling."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamhmm.text import PHONES, spell


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("station", "S T EY SH AH N"),
        ("night", "N AY T"),
        ("chip", "CH IH P"),
        ("shoe", "SH OW"),
        ("graph", "G R AE F"),
        ("back", "B AE K"),
        ("feet", "F IY T"),
        ("moon", "M UW N"),
        ("rain", "R EY N"),
        ("make", "M EY K"),
        ("makes", "M EY K S"),
        ("hoped", "HH OW P T"),
        ("wanted", "W AA N T AH D"),
        ("boxes", "B AA K S AH Z"),
        ("knight", "N AY T"),
        ("bridge", "B R IH JH"),
        ("unicode", "Y UW N IH K OW D"),
        ("vlog", "V L AA G"),
        ("singing", "S IH NG IH NG"),
        ("sphinx", "S F IH NG K S"),
        ("cherry", "CH ER R IY"),
        ("be", "B IY"),
        ("sky", "S K AY"),
        ("rock'n'roll", "R AA K N R AA L"),
        ("über", "Y UW B ER"),
    ],
)
def test_rules(word, expected):
    assert spell(word) == (tuple(expected.split()),)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("brr", "B IY AA R AA R"),
        ("XKCD", "EH K S K EY S IY D IY"),
        ("w", "D AH B AH L Y UW"),
        ("a", "EY"),
        ("mp3", "EH M P IY TH R IY"),
        ("7", "S EH V AH N"),
    ],
)
def test_names_of_letters(word, expected):
    assert spell(word) == (tuple(expected.split()),)


def test_short_words_in_capitals_may_be_either():
    assert [" ".join(p) for p in spell("UNIDO")] == ["Y UW EH N AY D IY OW", "Y UW N IH D OW"]
    assert spell("EXTRAORDINARY") == spell("extraordinary")
    assert len(spell("EO")) == 2


@given(st.text(string.ascii_letters + string.digits + "'", min_size=1).filter(lambda word: word.strip("'")))
def test_any_word_has_a_pronunciation(word):
    for pronunciation in spell(word):
        assert pronunciation
        assert set(pronunciation) <= set(PHONES)


@pytest.mark.parametrize("word", ["", "'", "Москва"])
def test_nothing_to_spell(word):
    with pytest.raises(ValueError, match=f"word must have a Latin letter or a digit, got {word!r}"):
        spell(word)
