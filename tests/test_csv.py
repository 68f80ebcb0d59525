"""CSV, held against Python's csv module and pandas' habits."""

import csv
import dataclasses

import pytest
from results import small

from streamhmm import formats
from streamhmm.errors import OutputError
from streamhmm.formats import Tiers
from streamhmm.segment import Segment

HEADER = "tier,start,end,label,score,start_sd,end_sd,word,index,take"


def rows_of(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_what_is_written(tmp_path):
    path = tmp_path / "a.csv"
    formats.save(path, small())
    assert (
        path.read_bytes()
        == "\r\n".join(
            [
                "\ufeff" + HEADER,
                'words,0.1,0.4,"Hello,",0.9,7.5,12,0,0,0',
                "words,0.5,0.75,O’Neill,,,,1,1,0",
                "phones,0.1,0.2,HH,0.5,7.5,0,0,,",
                "phones,0.2,0.4,OW,1,,,0,,",
                "phones,0.5,0.75,N,,,,1,,",
                "",
            ]
        ).encode()
    )


FOLLOWED = Tiers(
    (Segment("a", 0.0, 1.0), Segment("b", 1.0, 2.0), Segment("a", 2.0, 3.0)),
    (Segment("AH", 0.0, 1.0), Segment("SIL", 3.0, 3.5)),
    (0, -1),
    4.0,
    word_indices=(0, 3, 0),
    takes=(0, 0, 1),
    skipped=(1, 2),
    offscript=(Segment("<off-script>", 3.0, 4.0),),
)


@pytest.mark.parametrize("tiers", [small(), FOLLOWED], ids=["plain", "followed"])
def test_round_trip(tmp_path, tiers):
    formats.save(tmp_path / "a.csv", tiers)
    end = max(part[-1].end for part in (tiers.words, tiers.phones, tiers.offscript) if part)
    assert formats.load(tmp_path / "a.csv") == dataclasses.replace(tiers, duration=end, audio="", text="", warnings=())


def test_what_was_followed(tmp_path):
    formats.save(tmp_path / "a.csv", FOLLOWED)
    assert [row[:4] + row[7:] for row in rows_of(tmp_path / "a.csv")[1:]] == [
        ["words", "0", "1", "a", "0", "0", "0"],
        ["words", "1", "2", "b", "1", "3", "0"],
        ["words", "2", "3", "a", "2", "0", "1"],
        ["phones", "0", "1", "AH", "0", "", ""],
        ["phones", "3", "3.5", "SIL", "", "", ""],
        ["offscript", "3", "4", "<off-script>", "", "", ""],
        ["skipped", "", "", "", "", "1", ""],
        ["skipped", "", "", "", "", "2", ""],
    ]


def test_numbers_have_no_exponent(tmp_path):
    formats.save(tmp_path / "a.csv", Tiers((Segment("a", 0.00001, 1e5, 1e-7),), (), (), 1e5))
    assert rows_of(tmp_path / "a.csv")[1] == ["words", "0.00001", "100000", "a", "0", "", "", "0", "0", "0"]


def test_what_people_write(tmp_path):
    path = tmp_path / "a.csv"
    words, phones = (Segment("a", 0.0, 1.0), Segment('b "c"', 1.0, 2.0)), (Segment("AH", 1.2, 1.5),)
    path.write_text('label,end,start,tier\na,1,0,words\n\n"b ""c""",2,1,words\nAH,1.5,1.2,phones\n')
    assert formats.load(path) == Tiers(words, phones, (1,), 2.0)
    path.write_text('tier;start;end;label\r\nwords;0;1;a\r\nwords;1;2;"b ""c"""\r\nphones;1.2;1.5;AH\r\n')
    assert formats.load(path) == Tiers(words, phones, (1,), 2.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has no column tier, start, end, label"),
        ("a,b\n1,2\n", "it has no column tier, start, end, label"),
        ("tier,start,end,label\n", "there are no segments in it, and without them no duration"),
        ("tier,start,end,label\nwords,0,1\n", "row 2 has not as many fields as the header"),
        ("tier,start,end,label\nwords,0,1,a,b\n", "row 2 has not as many fields as the header"),
        ("tier,start,end,label\nlines,0,1,a\n", "row 2: tier must be one of words, phones, offscript, skipped, got 'l"),
        ('tier,start,end,label\nwords,0,1,"a', "unexpected end of data"),
        ("tier,start,end,label\nwords,0,x,a\n", "could not convert string to float: 'x'"),
        ("tier,start,end,label\nwords,1,1,a\n", "ends at or before its start"),
        ("tier,start,end,label,word\nphones,0,1,a,1\n", "phone_words must be -1 to -1, got 1"),
        ("tier,start,end,label,index\nwords,0,1,a,x\n", "invalid literal for int"),
        ("tier,start,end,label,index\nwords,0,1,a,0\nskipped,,,,\n", "skipped must not be negative, got -1"),
    ],
)
def test_damaged_files(tmp_path, text, reason):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(OutputError, match=reason) as caught:
        formats.load(path)
    assert str(caught.value).startswith(f"{path}: damaged")
