"""CTM: lines of words or of phones, one utterance or many."""

import dataclasses

import pytest
from results import small

from streamhmm import formats
from streamhmm.errors import OutputError
from streamhmm.formats import Tiers
from streamhmm.segment import Segment


def write(tmp_path, text, name="a.ctm"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_what_is_written(tmp_path):
    formats.save(tmp_path / "a.ctm", small())
    formats.save(tmp_path / "a.phones.ctm", small())
    assert (tmp_path / "a.ctm").read_text("utf-8") == (
        "café 1 0.100000 0.300000 Hello, 0.9\ncafé 1 0.500000 0.250000 O’Neill\n"
    )
    assert (tmp_path / "a.phones.ctm").read_text("utf-8") == (
        "café 1 0.100000 0.100000 HH 0.5\ncafé 1 0.200000 0.200000 OW 1.0\ncafé 1 0.500000 0.250000 N\n"
    )


def test_round_trips(tmp_path):
    formats.save(tmp_path / "a.ctm", small())
    formats.save(tmp_path / "a.phones.ctm", small())
    words = (Segment("Hello,", 0.1, 0.4, 0.9), Segment("O’Neill", 0.5, 0.75))
    phones = (Segment("HH", 0.1, 0.2, 0.5), Segment("OW", 0.2, 0.4, 1.0), Segment("N", 0.5, 0.75))
    assert formats.load(tmp_path / "a.ctm") == Tiers(words, (), (), 0.75, "café")
    assert formats.load(tmp_path / "a.phones.ctm") == Tiers((), phones, (-1, -1, -1), 0.75, "café")


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("New  York\n", "New%20York"),
        ("50%", "50%"),
        ("100%25", "100%2525"),
        ("%", "%"),
        ("% 2", "%%202"),
        ("%FF", "%25FF"),
        ("\u00a0北京\u3000x", "北京%20x"),
        (";;", "%3B;"),
    ],
)
def test_fields_never_hold_white_space(tmp_path, label, written):
    tiers = Tiers((Segment(label, 0.0, 1.0),), (), (), 1.0, f"/data/{label.strip()}.b.wav")
    path = tmp_path / "a.ctm"
    formats.save(path, tiers)
    utterance, _, _, _, token = path.read_text("utf-8").split()
    assert token == written
    assert utterance == written.replace("北京%20", "北京%E3%80%80").replace("New%20", "New%20%20") + ".b"
    read = formats.load(path)
    assert (read.words[0].label, read.audio) == (" ".join(label.split()), f"{label.strip()}.b")


def test_a_recording_without_a_name(tmp_path):
    formats.save(tmp_path / "a.ctm", dataclasses.replace(small(), audio=""))
    assert formats.load(tmp_path / "a.ctm").audio == "unnamed"


MANY = """\
;; of another program
u2 1 1.00 0.50 b
u1 1 0.00 0.30 x 0.5

u2 A 0.00 0.30 %FF
u1 1 0.30 0.10 y 1.00 speaker
u2 1 0.20 0.30 a
"""


def test_many_utterances(tmp_path):
    path = write(tmp_path, MANY)
    u1 = Tiers((Segment("x", 0.0, 0.3, 0.5), Segment("y", 0.3, 0.4, 1.0)), (), (), 0.4, "u1")
    found = formats.load_all(path)
    assert list(found) == ["u2 1", "u1", "u2 A"]
    assert found["u1"] == u1 == formats.load(path, name="u1")
    assert found["u2 1"].words == (Segment("a", 0.2, 0.5), Segment("b", 1.0, 1.5))
    assert found["u2 A"].words == (Segment("%FF", 0.0, 0.3),)
    with pytest.raises(OutputError, match=r"a\.ctm: holds 3 results, choose one by name: 'u1', 'u2 1', 'u2 A'"):
        formats.load(path)
    with pytest.raises(OutputError, match="holds nothing named 'u2'; there is 'u1', 'u2 1', 'u2 A'"):
        formats.load(path, name="u2")


def test_not_all_names_of_a_corpus_are_listed(tmp_path):
    path = write(tmp_path, "".join(f"u{number} 1 0 1 a\n" for number in range(8)))
    with pytest.raises(
        OutputError, match="holds 8 results, choose one by name: 'u0', 'u1', 'u2', 'u3', 'u4' and 3 more"
    ):
        formats.load(path)


def test_one_utterance_needs_no_name(tmp_path):
    path = write(tmp_path, "u1 1 0 1 a\n")
    assert formats.load(path) == formats.load(path, name="u1") == formats.load_all(path)["u1"]
    assert formats.load(write(tmp_path, "u1 1 0 1 AH\n", "b.phones.ctm")).phones == (Segment("AH", 0.0, 1.0),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there are no segments in it, and without them no duration"),
        (";; nothing\n\n", "there are no segments in it"),
        ("u1 1 0 1 a\nu1 1 0 1\n", r"line 2: not enough values to unpack \(expected at least 5, got 4\)"),
        ("u1 1 x 1 a\n", "line 1: could not convert string to float: 'x'"),
        ("u1 1 0 1 a b\n", "line 1: could not convert string to float: 'b'"),
        ("u1 1 0 0 a\nu1 1 0 1 b\n", "ends at or before its start"),
        ("u1 1 0 1 a\nu1 1 0.5 1 b\n", "starts before 1.0 s, where the segment before it ends"),
        ("u1 1 0 1 a 2\n", "has the score 2.0, which is not in 0…1"),
        ("u1 1 0 nan a\nu1 1 0 1 b\n", "has a time that is not a finite number"),
    ],
)
def test_damaged_files(tmp_path, text, reason):
    path = write(tmp_path, text)
    with pytest.raises(OutputError, match=f"damaged, or not of the format that its suffix names: .*{reason}") as caught:
        formats.load(path)
    assert str(caught.value).startswith(f"{path}: ")
