"""Audacity's labels."""

import pytest
from results import small

from streamhmm import formats
from streamhmm.errors import OutputError
from streamhmm.formats import Tiers
from streamhmm.segment import Segment


def test_what_is_written(tmp_path):
    formats.save(tmp_path / "a.labels.txt", small())
    formats.save(tmp_path / "a.phones.txt", small())
    assert (tmp_path / "a.labels.txt").read_text("utf-8") == "0.100000\t0.400000\tHello,\n0.500000\t0.750000\tO’Neill\n"
    assert (tmp_path / "a.phones.txt").read_text("utf-8") == (
        "0.100000\t0.200000\tHH\n0.200000\t0.400000\tOW\n0.500000\t0.750000\tN\n"
    )


def test_round_trips(tmp_path):
    for name in ("a.labels.txt", "a.phones.txt"):
        formats.save(tmp_path / name, small())
    words = (Segment("Hello,", 0.1, 0.4), Segment("O’Neill", 0.5, 0.75))
    phones = (Segment("HH", 0.1, 0.2), Segment("OW", 0.2, 0.4), Segment("N", 0.5, 0.75))
    assert formats.load(tmp_path / "a.labels.txt") == Tiers(words, (), (), 0.75)
    assert formats.load(tmp_path / "a.phones.txt") == Tiers((), phones, (-1, -1, -1), 0.75)


def test_what_audacity_exports_under_any_name(tmp_path):
    path = tmp_path / "Label Track.txt"
    path.write_text("0.0\t0.5\ta\tb\r\n\\\t100.0\t200.0\r\n0.5\t0.5\tpoint\n0.5\t0.75\t\n0.5\t0.75\n\n0.75\t1\t c \n")
    assert formats.load(path, "audacity").words == (Segment("a\tb", 0.0, 0.5), Segment("c", 0.75, 1.0))
    assert formats.load(path, "audacity-phones").phones == (Segment("a\tb", 0.0, 0.5), Segment("c", 0.75, 1.0))
    with pytest.raises(ValueError, match=r"the suffix of .* got '\.txt'"):
        formats.load(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there are no segments in it, and without them no duration"),
        ("0\t1\ta\nA transcript.\n", "line 2 is not start, end and label with tabs between"),
        ("0\tx\ta\n", "line 1: could not convert string to float: 'x'"),
        ("0\t1\ta\n0.5\t2\tb\n", "starts before 1.0 s"),
    ],
)
def test_damaged_files(tmp_path, text, reason):
    path = tmp_path / "a.labels.txt"
    path.write_text(text)
    with pytest.raises(OutputError, match=reason) as caught:
        formats.load(path)
    assert str(caught.value).startswith(f"{path}: damaged")
