"""What holds for every format: round trips of awkward labels, precision, empty results, damaged files, names."""

import csv
import dataclasses
import html
import itertools
import math
import random

import pympi
import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from results import small

from streamhmm import formats
from streamhmm.errors import OutputError
from streamhmm.formats import FORMATS, Tiers
from streamhmm.formats.subtitles import unguarded
from streamhmm.segment import Segment

NAMES = [known.name for known in FORMATS]
HAS_WORDS = {"textgrid", "textgrid-short", "json", "csv", "ctm", "audacity", "vtt", "ass"}
HAS_PHONES = {"textgrid", "textgrid-short", "json", "csv", "ctm-phones", "audacity-phones"}
HAS_DURATION = {"textgrid", "textgrid-short", "json"}
VERBATIM = {"json", "csv"}
TICKS_PER_S = {"srt": 1000, "vtt": 1000, "ass": 100}

PARTS = [
    "a",
    "Hello,",
    '"',
    "'",
    "{",
    "}",
    r"{\k5}",
    "\\N",
    "\\",
    "<b>",
    "</c>",
    "<00:00:01.000>",
    "&amp;",
    "&",
    "-->",
    "--",
]
PARTS += [
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    " ",
    "\u00a0",
    "\u2028",
    "%20",
    "%",
    "=1+1",
    "北京",
    "é",
    "😀",
    "item [1]:",
    "#",
    "!",
]
labels = st.one_of(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map("".join),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=8),
).filter(str.strip)


@st.composite
def alignments(draw, phones=True):
    """Words with phones of theirs, at times to the microsecond; the text has them with punctuation around."""
    time, words, owned, owners = 0, [], [], []
    for label in draw(st.lists(labels, max_size=6)):
        start = time + draw(st.sampled_from([0, 1, 5000, 123457, 2_000_000]))
        time = start + draw(st.sampled_from([2, 999, 10_000, 333_333, 8_000_000]))
        score = draw(st.sampled_from([None, 0.0, 0.123456, 1.0]))
        words.append(Segment(label, start / 1e6, time / 1e6, score))
        middle = (start + time) // 2
        owned += [Segment(draw(labels), start / 1e6, middle / 1e6), Segment("N", middle / 1e6, time / 1e6)]
        owners += [len(words) - 1] * 2
    marks = draw(st.lists(st.sampled_from([" ", ", ", ".\n\n", "—", "", " (", ") "]), min_size=7, max_size=7))
    text = "".join(word.label + mark for word, mark in zip(words, marks, strict=False))
    if not phones:
        owned, owners = [], []
    return Tiers(tuple(words), tuple(owned), tuple(owners), max(time, 1) / 1e6 + 1, "x.wav", text)


def saved(folder, tiers, name):
    path = folder / ("a" + formats.format_named(name).suffix)
    formats.save(path, tiers, name)
    return path


def single_line(segments, is_verbatim=False):
    return [(part.label if is_verbatim else " ".join(part.label.split()), part.start, part.end) for part in segments]


def is_near(ours, theirs, tolerance):
    return [label for label, *_ in ours] == [label for label, *_ in theirs] and all(
        abs(a - b) <= tolerance
        for (_, *times), (_, *others) in zip(ours, theirs, strict=True)
        for a, b in zip(times, others, strict=True)
    )


# Round trips


@pytest.mark.parametrize("name", sorted(HAS_WORDS | HAS_PHONES))
@settings(derandomize=True, deadline=None, max_examples=60)
@given(tiers=alignments())
def test_round_trip(tmp_path_factory, name, tiers):
    path = saved(tmp_path_factory.getbasetemp(), tiers, name)
    if name not in HAS_DURATION and not tiers.words:
        with pytest.raises(OutputError, match="there are no segments in it, and without them no duration"):
            formats.load(path, name)
        return
    read = formats.load(path, name)
    tick = 1 / TICKS_PER_S.get(name, 10**6)
    tolerance = tick / 2 + 1e-9 if tick > 1e-6 else 0
    crowded = len(tiers.words) * tick if tick > 1e-6 else 0  # words shorter than a tick push those after them on
    for has_it, ours, theirs in (
        (name in HAS_WORDS, tiers.words, read.words),
        (name in HAS_PHONES, tiers.phones, read.phones),
    ):
        assert is_near(
            single_line(ours if has_it else (), name in VERBATIM),
            single_line(theirs, name in VERBATIM),
            tolerance + crowded,
        )
    if name in HAS_DURATION:
        assert read.duration == tiers.duration
    if name in {"ctm", "csv", "json"}:
        assert [word.score for word in read.words] == [word.score for word in tiers.words]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(tiers=alignments(phones=False))
def test_readers_of_others_find_the_same(tmp_path_factory, tiers):
    folder = tmp_path_factory.getbasetemp()
    expected = single_line(tiers.words)
    with open(saved(folder, tiers, "csv"), encoding="utf-8-sig", newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == [word.label for word in tiers.words]
    lines = saved(folder, tiers, "audacity").read_text("utf-8").split("\n")[:-1]
    assert [tuple(line.split("\t")) for line in lines] == [(f"{a:.6f}", f"{b:.6f}", label) for label, a, b in expected]
    lines = saved(folder, tiers, "ctm").read_text("utf-8").splitlines()
    assert [len(line.split()) for line in lines] == [5 if word.score is None else 6 for word in tiers.words]
    for name in ("textgrid", "textgrid-short"):
        path = saved(folder, tiers, name)
        tier = pympi.TextGrid(str(path)).get_tier("words")
        assert [(label, a, b) for a, b, label in tier.get_all_intervals() if label] == expected


@settings(derandomize=True, deadline=None, max_examples=100)
@given(tiers=alignments(phones=False))
def test_captions_show_the_whole_text(tmp_path_factory, tiers):
    """As pysubs2 and webvtt read it, white space aside."""
    folder = tmp_path_factory.getbasetemp()
    srt = pysubs2.SSAFile.from_string(
        saved(folder, tiers, "srt").read_text("utf-8"), format_="srt", keep_html_tags=True
    )
    ass = pysubs2.SSAFile.from_string(saved(folder, tiers, "ass").read_text("utf-8"))
    shown = {
        "srt": "".join(event.text.replace(r"\N", " ") for event in srt),
        "ass": "".join(event.plaintext for event in ass).replace("\u200b", ""),
    }
    path = saved(folder, tiers, "vtt")
    if tiers.words:
        shown["vtt"] = html.unescape("".join(caption.text for caption in webvtt.read(str(path))))
    for name, text in shown.items():
        assert "".join(unguarded(text).split()) == "".join(tiers.text.split()), name


# The edges


def test_all_of_json_and_what_each_other_format_drops(tmp_path):
    whole = dataclasses.replace(small(), duration=2.0, skipped=(5,), takes=(0, 1), offscript=(Segment("x", 0.8, 0.9),))
    assert formats.load(saved(tmp_path, whole, "json")) == whole
    for name in NAMES:
        read = formats.load(saved(tmp_path, whole, name), name)
        kept = {
            "words": name in HAS_WORDS,
            "phones": name in HAS_PHONES,
            "duration": name in HAS_DURATION,
            "skipped": name in {"json", "csv"},
            "takes": name in {"json", "csv"},
            "offscript": name in {"json", "csv", "textgrid", "textgrid-short"},
            "audio": name in {"json"},
            "warnings": name in {"json"},
        }
        same = {
            "words": [word.label for word in read.words] == ["Hello,", "O’Neill"],
            "phones": [phone.label for phone in read.phones] == ["HH", "OW", "N"],
            "duration": read.duration == 2.0,
            "skipped": read.skipped == (5,),
            "takes": read.takes == (0, 1),
            "offscript": read.offscript == whole.offscript,
            "audio": read.audio == whole.audio,
            "warnings": read.warnings == whole.warnings,
        }
        assert same == kept, name


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_it(tmp_path, name):
    path = saved(tmp_path, Tiers((), (), (), 2.0), name)
    if name in HAS_DURATION:
        assert formats.load(path) == Tiers((), (), (), 2.0)
    else:
        with pytest.raises(OutputError, match="there are no segments in it, and without them no duration"):
            formats.load(path)


@pytest.mark.parametrize("name", sorted(HAS_PHONES))
def test_phones_without_words(tmp_path, name):
    phones = (Segment("SIL", 0.0, 0.5), Segment("AH", 0.5, 1.0))
    read = formats.load(saved(tmp_path, Tiers((), phones, (-1, -1), 1.0), name), name)
    assert (read.words, read.phones, read.phone_words, read.duration) == ((), phones, (-1, -1), 1.0)


@pytest.mark.parametrize("name", sorted(HAS_WORDS))
def test_words_shorter_than_the_grid_keep_their_order(tmp_path, name):
    words = tuple(Segment(f"w{index}", 1 + index / 1e6, 1 + (index + 1) / 1e6) for index in range(20))
    later = Segment("later", 2.0, 3.0)
    read = formats.load(saved(tmp_path, Tiers((*words, later), (), (), 3.0), name), name)
    assert [word.label for word in read.words] == [f"w{index}" for index in range(20)] + ["later"]
    assert all(word.start < word.end for word in read.words)
    assert all(one.end <= other.start for one, other in itertools.pairwise(read.words))
    assert (read.words[0].start, read.words[-1]) == (1.0, later)


@pytest.mark.parametrize("name", sorted(HAS_WORDS))
def test_equal_times_stay_equal_and_errors_do_not_add_up(tmp_path, name):
    edges = [math.sqrt(2) / 100 * index for index in range(3000)]
    words = tuple(Segment("a", *pair) for pair in itertools.pairwise(edges))
    read = formats.load(saved(tmp_path, Tiers(words, (), (), 60.0), name), name)
    half_tick = 0.5 / TICKS_PER_S.get(name, 10**6) + 1e-9
    assert max(abs(one.start - other.start) for one, other in zip(read.words, words, strict=True)) <= half_tick
    assert all(one.end == other.start for one, other in itertools.pairwise(read.words))


# Damage


@pytest.mark.parametrize("name", NAMES)
def test_mutilated_files_are_read_or_refused_by_name(tmp_path, name):
    path = saved(tmp_path, dataclasses.replace(small(), offscript=(Segment("x", 0.8, 0.9),)), name)
    whole, rng, refused = path.read_bytes(), random.Random(name), 0
    pieces = [b"", b"-", b"9", b"e999", b"nan", b'"', b"\n\n", b"\xff", b"\0", b"{", b"<", b",", b"\t", b"[[" * 5000]
    for _ in range(250):
        start, end = sorted(rng.randrange(len(whole) + 1) for _ in range(2))
        end = rng.choice([end, start + 1, len(whole)])
        path.write_bytes(whole[:start] + rng.choice(pieces) + whole[end:])
        try:
            formats.load_all(path, name)
        except OutputError as error:
            refused += str(error).startswith(f"{path}: ") or pytest.fail(f"{error} does not name its file")
    assert refused > 25


@pytest.mark.parametrize("name", ["textgrid", "textgrid-short", "json", "csv"])
def test_no_part_of_a_file_passes_for_the_whole(tmp_path, name):
    path = saved(tmp_path, small(), name)
    whole = path.read_text("utf-8").rstrip()
    for length in range(len(whole)):
        path.write_text(whole[:length], encoding="utf-8")
        if name == "csv" and (whole[length] in "\r\n,0." or whole[:length].count("\n") >= 1):
            continue  # a shorter table is one, too
        with pytest.raises(OutputError):
            formats.load(path, name)


@pytest.mark.parametrize("name", NAMES)
def test_files_that_can_not_be_opened(tmp_path, name):
    for path, reason in ((tmp_path / "no", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(OutputError) as caught:
            formats.load(path, name)
        assert str(caught.value) == f"{path}: can't be read ({reason}); check the path"


@pytest.mark.parametrize("name", NAMES)
def test_bytes_that_are_no_text(tmp_path, name):
    (tmp_path / "a").write_bytes(b"File \xff")
    with pytest.raises(OutputError, match="byte 5 is not utf-8"):
        formats.load(tmp_path / "a", name)


# Names


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.TextGrid", "textgrid"),
        ("a.textgrid", "textgrid"),
        ("a.JSON", "json"),
        ("dir.csv/a.b.ctm", "ctm"),
        ("phones.ctm", "ctm"),
        ("a.phones.ctm", "ctm-phones"),
        ("a.Phones.CTM", "ctm-phones"),
        ("a.labels.txt", "audacity"),
        ("a.phones.txt", "audacity-phones"),
        (".a.srt", "srt"),
    ],
)
def test_the_suffix_names_the_format(path, name):
    assert formats.format_of(path).name == name


@pytest.mark.parametrize("path", ["a", "a.txt", "labels.txt", ".json", "json", "a.json/", "a.phones", ""])
def test_names_without_a_known_suffix(path):
    with pytest.raises(ValueError, match=r"the suffix of .* must be one of \.TextGrid, \.json, \.csv, .*\.ass, got '"):
        formats.format_of(path)


def test_formats_by_name(tmp_path):
    assert len(set(NAMES)) == len(NAMES)
    for name in NAMES:
        assert formats.format_named(name).name == name
    names = ", ".join(NAMES)
    for call in (
        lambda: formats.format_named("doc"),
        lambda: formats.save(tmp_path / "a.json", small(), "doc"),
        lambda: formats.load(tmp_path / "a.json", "doc"),
    ):
        with pytest.raises(ValueError, match=f"format must be one of {names}, got 'doc'"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "stem"),
    [("x/a.b.phones.ctm", "a.b"), ("a.wav", "a"), ("a", "a"), ("a.labels.txt", "a"), (".json", ".json")],
)
def test_the_stem_is_without_the_whole_suffix(path, stem):
    assert formats.stem_of(path) == stem


def test_one_result_goes_by_the_stem(tmp_path):
    path = tmp_path / "a.b.json"
    formats.save(path, small())
    assert formats.load_all(path) == {"a.b": small()}
    assert formats.load(path, name="a.b") == small()
    with pytest.raises(OutputError, match=r"holds nothing named 'c'; there is 'a\.b'"):
        formats.load(path, name="c")


def test_every_format_is_in_the_table():
    for known in FORMATS:
        assert f"\n{known.name} " in formats.__doc__
        assert known.suffix in formats.__doc__
