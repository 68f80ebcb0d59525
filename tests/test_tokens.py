"""The user's words and the words spoken for them."""

import io
import unicodedata

import pytest
from permissions import unprivileged

from streamhmm.errors import TextError
from streamhmm.text import Break, Token, read_text, tokenize
from streamhmm.text.keys import lookup_key, readable, without_accents
from streamhmm.text.normalise import readings

TOKENS = [
    ("Hello, World!", [("Hello", "hello"), ("World", "world")]),
    ("well-known", [("well-known", "well known")]),
    ("An e‑mail", [("An", "an"), ("e‑mail", "e mail")]),
    ("and/or", [("and/or", "and or")]),
    ("1914–1918", [("1914–1918", "nineteen fourteen to nineteen eighteen")]),
    ("wait—what", [("wait", "wait"), ("what", "what")]),
    ("wait -- what", [("wait", "wait"), ("what", "what")]),
    ("so...yes…no", [("so", "so"), ("yes", "yes"), ("no", "no")]),
    ("one,two;three", [("one", "one"), ("two", "two"), ("three", "three")]),
    ("“Quoted” «text» [in] (it)", [("Quoted", "quoted"), ("text", "text"), ("in", "in"), ("it", "it")]),
    ("• bullet\n- dash\n* star\n– dash", [("bullet", "bullet"), ("dash", "dash"), ("star", "star"), ("dash", "dash")]),
    ("It’s O’Neill’s", [("It’s", "it's"), ("O’Neill’s", "o'neill's")]),
    ("‘hello’ 'world' \"'both'\"", [("hello", "hello"), ("world", "world"), ("both", "both")]),
    ("'tis ’Twas 'it", [("'tis", "'tis"), ("’Twas", "'twas"), ("it", "it")]),
    ("dogs' bones, goin' home'", [("dogs'", "dogs'"), ("bones", "bones"), ("goin'", "goin'"), ("home", "home")]),
    ("rock 'n' roll", [("rock", "rock"), ("'n'", "'n'"), ("roll", "roll")]),
    ("rock ’n roll", [("rock", "rock"), ("’n", "'n"), ("roll", "roll")]),
    ("the ’90s", [("the", "the"), ("’90s", "nineties")]),
    ("café cafe\u0301 naïve Straße Ærø Łódź", [
        ("café", "cafe"), ("cafe\u0301", "cafe"), ("naïve", "naive"), ("Straße", "strasse"), ("Ærø", "aero"),
        ("Łódź", "lodz"),
    ]),
    ("soft\u00adhyphen zero\u200bwidth \ufeffmark", [
        ("soft\u00adhyphen", "softhyphen"), ("zero\u200bwidth", "zerowidth"), ("mark", "mark"),
    ]),
    ("ﬁne ＡＢ", [("ﬁne", "fine"), ("ＡＢ", "a b")]),
    ("R&D & 50% of $5 at 20°", [
        ("R&D", "r and d"), ("&", "and"), ("50%", "fifty percent"), ("of", "of"), ("$5", "five dollars"),
        ("at", "at"), ("20°", "twenty degrees"),
    ]),
    ("2+2=4 @home C++", [
        ("2+2=4", "two plus two equals four"), ("@home", "at home"), ("C++", "c plus plus"),
    ]),
    ("42 3.14 1,000 MP3", [
        ("42", "forty two"), ("3.14", "three point one four"), ("1,000", "one thousand"), ("MP3", "m p three"),
    ]),
    ("The U.S.A. at 5 p.m. Yes.", [
        ("The", "the"), ("U.S.A.", "u s a"), ("at", "at"), ("5", "five"), ("p.m.", "p m"), ("Yes", "yes"),
    ]),
    ("tabs\tand\u00a0no-break\x00control", [
        ("tabs", "tabs"), ("and", "and"), ("no-break", "no break"), ("control", "control"),
    ]),
    ("😀 smile ☕️", [("smile", "smile")]),
    ("Москва हिन्दी 北京", [("Москва", "москва"), ("हिन्दी", "हिन्दी"), ("北京", "北京")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TOKENS)
def test_tokens(text, expected):
    assert [(token.label, " ".join(token.spoken)) for token in tokenize(text)] == expected


def test_a_list_of_words_is_taken_as_given():
    words = ["Hello,", "New York", "well-known", "42", "  'tis "]
    assert tokenize(words) == [
        Token("Hello,", (("hello",),), Break.PHRASE),
        Token("New York", (("new", "york"),)),
        Token("well-known", (("well", "known"),)),
        Token("42", (("forty", "two"), ("four", "two"))),
        Token("  'tis ", (("'tis",),)),
    ]
    assert tokenize(tuple(words)) == tokenize(words)


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (" ", Break.NONE),
        ("-", None),
        (", ", Break.PHRASE),
        (": ", Break.PHRASE),
        (" — ", Break.PHRASE),
        ("...", Break.PHRASE),
        ("… ", Break.PHRASE),
        (". ", Break.SENTENCE),
        ("? ", Break.SENTENCE),
        (".” “", Break.SENTENCE),
        (" ! ", Break.SENTENCE),
        ("\n", Break.PHRASE),
        ("\r\n", Break.PHRASE),
        (",\n", Break.PHRASE),
        (".\n", Break.SENTENCE),
        ("\n\n", Break.SENTENCE),
        ("\n \n\n", Break.SENTENCE),
        ("\n* * *\n", Break.PHRASE),
    ],
)
def test_the_break_after_a_word(between, expected):
    tokens = tokenize(f"one{between}two three")
    if expected is None:
        assert [token.label for token in tokens] == [f"one{between}two", "three"]
    else:
        assert [token.followed_by for token in tokens] == [expected, Break.NONE, Break.NONE]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith", Break.NONE),
        ("Sept. 5", Break.NONE),
        ("Dr., Smith", Break.PHRASE),
        ("(Dr.) Smith", Break.PHRASE),
        ("Dr.! Smith", Break.SENTENCE),
        ("end. Smith", Break.SENTENCE),
    ],
)
def test_the_point_of_an_abbreviation_ends_nothing(text, expected):
    assert tokenize(text)[0].followed_by == expected


def test_the_elements_of_a_list_have_their_own_punctuation():
    breaks = [token.followed_by for token in tokenize(["Well,", "yes.", "New York!", "(no)", "—so"])]
    assert breaks == [Break.PHRASE, Break.SENTENCE, Break.SENTENCE, Break.NONE, Break.NONE]


def test_the_end_of_the_text_is_no_break_of_its_own():
    assert [token.followed_by for token in tokenize("\n\none\n\n")] == [Break.PHRASE]
    assert [token.followed_by for token in tokenize("— one")] == [Break.NONE]


@pytest.mark.parametrize("text", ["", " \n\t", []])
def test_an_empty_text(text):
    with pytest.raises(TextError, match="the text is empty; give the words that are spoken"):
        tokenize(text)


@pytest.mark.parametrize("text", ["...", "— • *\n!?", "''", "++", "😀"])
def test_punctuation_only(text):
    with pytest.raises(TextError, match="the text has no words, only punctuation; give the words that are spoken"):
        tokenize(text)


@pytest.mark.parametrize("word", ["", "—", "?!"])
def test_a_list_with_an_element_that_is_no_word(word):
    with pytest.raises(TextError) as caught:
        tokenize(["one", word])
    assert str(caught.value) == f"word 1 of the list, {word!r}, has nothing to speak; leave it out"


@pytest.mark.parametrize("text", ["good \udce9vil", ["good", "\udce9vil"]])
def test_half_a_surrogate_pair(text):
    with pytest.raises(TextError, match=r"of the text \('\\udce9'\) is not a valid character; save the text as UTF-8"):
        tokenize(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"bytes", "text must be a str or a list of str, got bytes"),
        (3, "text must be a str or a list of str, got int"),
        (["one", 2], "text must be a str or a list of str, got int at index 1"),
    ],
)
def test_something_else_than_text(text, message):
    with pytest.raises(TypeError, match=message):
        tokenize(text)


def test_keys_and_accents():
    assert lookup_key("O`NEILL´S ‐ ＡＢＣ\u200d☕\ufe0f") == "o'neill's - abc☕"
    assert lookup_key("CAFÉ") == lookup_key("cafe\u0301") == "café"
    assert without_accents("crème brûlée q̈ й") == "creme brulee q й"
    assert readings("'") == ()


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("Kılıçdaroğlu", "Kilicdaroglu"),
        ("Işık", "Isik"),
        ("Ħal", "Hal"),
        ("Għargħur", "Gharghur"),
        ("Ŧŧ Ŋŋ ĸ ſ", "Tt Ngng k s"),
        ("ə Əliyev", "a Aliyev"),
        ("ƒɓɗƙƴ ɛɔ ɫɹʌ", "fbdky eo lrv"),
        ("Straße ẞ Æsir œuvre Øre łódź đ ð Þór", "Strasse Ss Aesir oeuvre Ore lodz d d Thor"),
        ("Hawaiʻi Qurʾan ǃXóõ", "Hawaii Quran Xoo"),
        ("ǃ", "ǃ"),
        ("ŋ̃β", "ngβ"),
    ],
)
def test_latin_letters_are_reduced_to_ascii(word, plain):
    assert without_accents(word) == plain
    assert without_accents(plain) == plain


def test_every_latin_letter_is_reduced_to_ascii_or_left_out():
    characters = filter(str.isalpha, map(chr, range(0x80, 0x30000)))
    letters = [char for char in characters if unicodedata.name(char, "").startswith("LATIN")]
    assert len(letters) > 1_000
    for letter in letters:
        assert without_accents(f"x{letter}").replace("·", "").isascii(), letter  # Ŀ is L·


def test_what_the_readers_get():
    assert readable("coŀlegi col·legi ŉ") == "collegi collegi 'n"
    assert readable("5½ x² m³ 21ˢᵗ №5 ℃ ٣ ① 1️⃣ ﬁ’s ″") == "5 1⁄2 x^2 m^3 21st No5 °C 3 1 1 fi's \""
    assert readable("Ærø Acme™ – `") == "Aero Acme - '"
    assert readable("ÆRØ") == "AERO"


# Text files.


def test_text_files(tmp_path):
    path = tmp_path / "a.txt"
    for data in ("Grüße\n".encode(), b"\xef\xbb\xbf" + "Grüße\n".encode()):
        path.write_bytes(data)
        assert read_text(path) == read_text(str(path)) == read_text(io.BytesIO(data)) == "Grüße\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty; write the words that are spoken into it"),
        (b" \n\xef\xbb\xbf"[:2], "the file is empty"),
        (b"caf\xe9", "byte 3 (0xe9) is not UTF-8 text; save the file as UTF-8"),
        (b"\xef\xbb\xbfcaf\xe9", "byte 6 (0xe9) is not UTF-8 text"),
        (b"RIFF\0\0", "this is a binary file (byte 4 is zero); name a text file"),
        ("text".encode("utf-16"), "this is UTF-16 text; save it as UTF-8"),
    ],
)
def test_unusable_content(tmp_path, data, message):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    named = io.BytesIO(data)
    named.name = "<stdin>"
    for source, name in ((path, str(path)), (named, "<stdin>"), (io.BytesIO(data), "<text>")):
        with pytest.raises(TextError) as caught:
            read_text(source)
        assert str(caught.value).startswith(f"{name}: {message}")


def test_unreadable_files(tmp_path):
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    for path, message in (
        (tmp_path / "no.txt", "there is no such file; check the path"),
        (tmp_path, "this is a directory; name one text file in it"),
        (loop, "can't be read (Too many levels of symbolic links); check the path"),
    ):
        with pytest.raises(TextError) as caught:
            read_text(path)
        assert str(caught.value) == f"{path}: {message}"


def test_a_file_without_permission():
    with unprivileged() as folder:
        path = folder / "a.txt"
        path.write_text("text")
        path.chmod(0)
        with pytest.raises(TextError, match="no permission to read it; change the file's permissions or copy it"):
            read_text(path)
