"""Pronunciations guessed from the spelling."""

import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamhmm.text import PHONES, spell


def guesses(word):
    return [" ".join(pronunciation) for pronunciation in spell(word)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("livestream", "L AY V S T R IY M"),
        ("timestamp", "T AY M S T AE M P"),
        ("zoomer", "Z UW M ER"),
        ("selfies", "S EH L F IY Z"),
        ("unfriended", "AH N F R EH N D IH D"),
        ("knish", "N IH SH"),
        ("yeet", "Y IY T"),
        ("crowdfunding", "K R AW D F AH N D IH NG"),
        ("EXTRAVAGANZAS", "EH K S T R AE V AH G AE N Z AH Z"),
        ("über", "Y UW B ER"),
        ("rock'n'roll", "R AA K N R OW L"),
        ("aaaaargh", "AA R G"),
    ],
)
def test_the_best_guess(word, expected):
    assert guesses(word)[0] == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("XKCD", "EH K S K EY S IY D IY"),
        ("w", "D AH B AH L Y UW"),
        ("a", "EY"),
        ("mp3", "EH M P IY TH R IY"),
        ("7", "S EH V AH N"),
        ("b'", "B IY"),
    ],
)
def test_names_of_letters(word, expected):
    assert guesses(word) == [expected]


def test_words_that_may_be_initials_or_not():
    assert guesses("UNIDO")[:2] == ["Y UW EH N AY D IY OW", "Y UW N IY D OW"]
    assert guesses("brr")[:2] == ["B IY AA R AA R", "B R"]
    assert spell("EXTRAORDINARY") == spell("extraordinary")
    assert spell("EO")[0] == ("IY", "OW")


@pytest.mark.parametrize(
    ("word", "base", "ending"),
    [
        ("vlog's", "vlog", ["Z"]),
        ("yeet'll", "yeet", ["AH", "L"]),
        ("vlog've", "vlog", ["AH", "V"]),
        ("XKCD'S", "XKCD", ["Z"]),
        ("zoomers'", "zoomers", []),
        ("'zoomer'", "zoomer", []),
    ],
)
def test_an_ending_after_an_apostrophe(word, base, ending):
    assert spell(word) == tuple((*pronunciation, *ending) for pronunciation in spell(base))


def test_guesses_are_few_and_none_is_far_less_probable_than_the_best():
    assert len(spell("kubernetes")) == 4
    assert len(spell("zoomer")) == 1


@given(st.text(string.ascii_letters + string.digits + "'éß", min_size=1).filter(lambda word: word.strip("'")))
def test_any_word_has_a_pronunciation(word):
    assert 1 <= len(spell(word)) == len(set(spell(word))) <= 4
    for pronunciation in spell(word):
        assert pronunciation
        assert set(pronunciation) <= set(PHONES)


@pytest.mark.parametrize("word", ["a" * 200, "zzz" * 60, "eieio" * 40, "llanfairpwllgwyngyll" * 10, "'" * 200 + "s"])
def test_long_words_have_as_few_pronunciations_as_short_ones(word):
    """What grows exponentially with the length would not end."""
    assert 1 <= len(spell(word)) <= 4


@pytest.mark.parametrize("word", ["", "'", "Москва"])
def test_nothing_to_spell(word):
    with pytest.raises(ValueError, match=f"word must have a Latin letter or a digit, got {word!r}"):
        spell(word)


def test_the_model_is_read_when_a_word_needs_it_and_needs_no_torch():
    program = (
        "import sys; from streamhmm.text import spell; spell('XKCD')\n"
        "print('streamhmm.text.g2p' in sys.modules)\n"
        "spell('blarg'); print('streamhmm.text.g2p' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
