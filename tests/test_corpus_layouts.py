"""What is found in folders and manifests, and what is said of the rest."""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path

import pytest
from permissions import unprivileged

from streamhmm.corpus import Part, Problem, Utterance, find_utterances
from streamhmm.errors import BackendUnavailable, CorpusError

LONG_GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 9
tiers? <exists>
size = {count}
item []:
{tiers}"""
TIER = """    item [{number}]:
        class = "IntervalTier"
        name = "{name}"
        xmin = 0
        xmax = 9
        intervals: size = {size}
{intervals}"""
INTERVAL = """        intervals [{number}]:
            xmin = {start}
            xmax = {end}
            text = "{text}"
"""


def grid(**tiers: list[tuple[float, float, str]]) -> str:
    """A TextGrid of 9 seconds."""
    texts = []
    for number, (name, entries) in enumerate(tiers.items(), start=1):
        intervals = "".join(
            INTERVAL.format(number=i, start=start, end=end, text=text)
            for i, (start, end, text) in enumerate(entries, start=1)
        )
        texts.append(TIER.format(number=number, name=name, size=len(entries), intervals=intervals))
    return LONG_GRID.format(count=len(tiers), tiers="".join(texts))


def files(folder: Path, **contents: str) -> None:
    """Files by their names, in which ``__`` stands for a dot and ``___`` for a slash."""
    for name, content in contents.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def test_same_stems_in_folders(tmp_path):
    files(
        tmp_path,
        ann___a__wav="",
        ann___a__lab="one two",
        ann___a__txt="not this",
        bob___x___b__FLAC="",
        bob___x___b__TXT="three\nfour\n",
        c__mp3="",
        c__txt="five",
        ann___notes__doc="",
    )
    (tmp_path / ".hidden").mkdir()
    files(tmp_path / ".hidden", d__wav="", d__txt="six")
    files(tmp_path / "out", e__TextGrid="")
    found = find_utterances(tmp_path, tmp_path / "out")
    assert found.problems == ()
    assert found.utterances == (
        Utterance("c", f"{tmp_path}/./c.mp3".replace("/./", "/"), (Part("five"),), ""),
        Utterance("ann/a", f"{tmp_path}/ann/a.wav", (Part("one two"),), "ann"),
        Utterance("bob/x/b", f"{tmp_path}/bob/x/b.FLAC", (Part("three\nfour\n"),), "bob/x"),
    )


def test_what_has_no_partner_is_listed(tmp_path):
    files(tmp_path, a__wav="", b__txt="text", c__wav="", c__flac="", c__lab="x", d__wav="", d__lab="  \n")
    (tmp_path / "e.wav").touch()
    (tmp_path / "e.txt").write_bytes(b"caf\xe9")
    found = find_utterances(tmp_path)
    assert found.utterances == ()
    assert found.problems == (
        Problem("a", "a.wav has no text; write it into a.lab or .txt beside it"),
        Problem("b", "b.txt has no recording beside it; add the recording, or remove the text"),
        Problem("c", "c.flac and c.wav have the same stem; rename one, or remove it"),
        Problem("d", f"{tmp_path}/d.lab: the file is empty; write the words that are spoken into it"),
        Problem("e", f"{tmp_path}/e.txt: byte 3 (0xe9) is not UTF-8 text; save the file as UTF-8"),
    )


def test_awkward_names(tmp_path):
    names = ["with space", 'it\'s "quoted"', "new\nline", "ünï", "-dash", os.fsdecode(b"caf\xe9")]
    for name in names:
        (tmp_path / f"{name}.wav").touch()
        (tmp_path / f"{name}.txt").write_text("text")
    found = find_utterances(tmp_path)
    assert sorted(one.name for one in found.utterances) == sorted(names)
    assert all(os.path.isfile(one.audio) for one in found.utterances)
    assert found.problems == ()


def test_links_that_lead_in_circles(tmp_path):
    files(tmp_path, a___b__wav="", a___b__txt="text")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert [one.name for one in find_utterances(tmp_path).utterances] == ["a/b"]


def test_a_folder_that_may_not_be_read():
    with unprivileged() as folder:
        files(folder, a___b__wav="", a___b__txt="text", c__wav="", c__txt="text")
        (folder / "a").chmod(0)
        found = find_utterances(folder)
        (folder / "a").chmod(0o755)
    assert [one.name for one in found.utterances] == ["c"]
    assert found.problems == (Problem("a", "the folder can't be read (Permission denied); change its permissions"),)


def test_text_grids_as_text(tmp_path):
    ann, bob = [(0.0, 1.5, "hi there"), (1.5, 3.0, ""), (3.0, 5.0, "bye")], [(2.0, 9.0, "yes")]
    files(tmp_path, one__wav="", one__TextGrid=grid(ann=ann), two__wav="", two__TextGrid=grid(ann=ann, bob=bob))
    files(tmp_path, words__wav="", words__TextGrid=grid(Words=ann, phones=bob))
    files(tmp_path, none__wav="", none__TextGrid=grid(ann=[(0, 9, "")]), bad__wav="", bad__TextGrid="nonsense")
    found = find_utterances(tmp_path)
    parts = (Part("hi there", 0.0, 1.5), Part("bye", 3.0, 5.0))
    assert {one.name: (one.parts, one.speaker) for one in found.utterances} == {
        "one": (parts, ""),
        "two.ann": (parts, "ann"),
        "two.bob": ((Part("yes", 2.0, 9.0),), "bob"),
        "words": ((Part("hi there bye"),), ""),
    }
    bad, none = found.problems
    assert none == Problem(
        "none", f"{tmp_path}/none.TextGrid: no interval has a text; write what is spoken into an interval tier"
    )
    assert bad.reason.startswith(f"{tmp_path}/bad.TextGrid: damaged, or not of the format that its suffix names: ")


def test_alignments_as_text(tmp_path):
    words, phones = [(0.5, 1.0, "hi"), (1.0, 1.5, "there"), (4.0, 5.0, "bye")], [(0.5, 1.0, "HH AY")]
    files(tmp_path, one__wav="", one__TextGrid=grid(**{"ann - words": words, "ann - phones": phones}))
    both = {"ann - words": words, "ann - phones": phones, "bob - words": [(2.0, 3.0, "yes")]}
    files(tmp_path, two__wav="", two__TextGrid=grid(**both), none__wav="", none__TextGrid=grid(phones=phones))
    found = find_utterances(tmp_path)
    assert {one.name: one.parts for one in found.utterances} == {
        "one": (Part("hi there bye"),),
        "two.ann": (Part("hi there", 0.5, 1.5), Part("bye", 4.0, 5.0)),
        "two.bob": (Part("yes", 2.0, 3.0),),
    }
    assert [problem.name for problem in found.problems] == ["none"]


def test_tiers_with_awkward_names_stay_in_their_folder(tmp_path):
    said = [(0.0, 1.0, "hi")]
    files(tmp_path, one__wav="", one__TextGrid=grid(**{"/../../x": said, "a/b": said, "": said}))
    assert [one.name for one in find_utterances(tmp_path).utterances] == ["one._.._.._x", "one.a_b", "one._"]


def test_what_is_no_file_of_a_corpus(tmp_path):
    files(tmp_path, a__m4a="", a__lab="one", b__lab="two", c__wav="", c__lab="three")
    os.mkfifo(tmp_path / "b.wav")
    files(tmp_path, old_results___x__TextGrid="", old_results___x__wav="")
    (tmp_path / "old_results" / ".streamhmm").mkdir()
    found = find_utterances(tmp_path)
    assert [one.name for one in found.utterances] == ["c"]
    assert found.problems == (
        Problem("a", "a.m4a is of a kind that can't be read; convert it: ffmpeg -i a.m4a a.wav"),
        Problem("b", "b.wav is not a file with data; replace it by one, or remove it"),
    )


def manifest(path: Path, *entries: object) -> Path:
    """Entries as JSON, strings as they are, a line each."""
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_nemo(tmp_path):
    path = manifest(
        tmp_path / "train.jsonl",
        {"audio_filepath": "a/x.wav", "text": "one", "duration": 2.0},
        {"audio_filepath": "a/x.wav", "text": "two", "duration": 2.0, "offset": 3.5, "speaker": "ann"},
        "",
        {"audio_filepath": "/elsewhere/y.flac", "text": "three \u2028 four", "duration": None},
        {"audio_filepath": "../z.wav", "text": "five"},
        {"text": "no audio"},
        "{",
        {"audio_filepath": "b.wav", "text": "six", "offset": -1},
        [],
        {"audio_filepath": "b.wav", "text": None},
        {"audio_filepath": "b.wav", "text": "seven", "offset": 0, "duration": 2},
    )
    found = find_utterances(path)
    assert found.utterances == (
        Utterance("a/x", f"{tmp_path}/a/x.wav", (Part("one"),)),
        Utterance("a/x-2", f"{tmp_path}/a/x.wav", (Part("two", 3.5, 5.5),), "ann"),
        Utterance("y", "/elsewhere/y.flac", (Part("three \u2028 four"),)),
        Utterance("z", f"{tmp_path}/../z.wav", (Part("five"),)),
        Utterance("b", f"{tmp_path}/b.wav", (Part("seven", 0.0, 2.0),)),
    )
    assert [problem.name for problem in found.problems] == [f"{path}:{line}" for line in (6, 7, 8, 9, 10)]
    assert found.problems[0].reason == "'audio_filepath' is missing"
    assert all(problem.reason.startswith("not a line of a NeMo manifest (") for problem in found.problems[1:])


def test_kaldi(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files(tmp_path, data___wav__scp="r1 a.wav\nr2 b c.flac\nr3 sox x.wav -t wav - |\nr4\n", data___a__wav="")
    files(tmp_path, data___text="u1 one two\nu2\tthree\nu3 four\nu4 five\nu1 six\n")
    found = find_utterances("data")
    assert found.utterances == ()  # the texts are not those of the recordings
    assert Problem("u1", "has no recording u1 in wav.scp; add it, or remove the text") in found.problems
    assert Problem("data/text:5", "u1 is there twice; remove one") in found.problems
    assert Problem("r1", "has no text; add a line to text") in found.problems
    files(tmp_path, data___segments="u1 r1 0.5 2\nu2 r2 1 -1\nu3 r1 3 2\nu5 r1 1\n", data___utt2spk="u1 ann\nu2 ../b\n")
    found = find_utterances("data")
    assert found.utterances == (
        Utterance("ann/u1", "data/a.wav", (Part("one two", 0.5, 2.0),), "ann"),
        Utterance("_/b/u2", "b c.flac", (Part("three", 1.0, None),), "../b"),
    )
    assert dict(found.problems) == {
        "data/wav.scp:3": "is a command, which is not run; write its output to a file and name that",
        "data/wav.scp:4": "names no file",
        "data/text:5": "u1 is there twice; remove one",
        "data/segments:3": "the segment from 3 to 2 s is empty or not seconds",
        "data/segments:4": "must be 'utterance recording start end', got 'r1 1' after the utterance",
        "u3": "is in text and not in segments; add it, or remove the text",
        "u4": "is in text and not in segments; add it, or remove the text",
    }


def test_lhotse(tmp_path):
    pytest.importorskip("lhotse", reason="lhotse is not installed")
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
    from lhotse.audio import AudioSource

    recording = Recording("r", [AudioSource("file", [0], "/audio/r.wav")], 16_000, 160_000, 10.0)
    said = [SupervisionSegment("s2", "r", 2.0, 1.0, text="two"), SupervisionSegment("s1", "r", 0.5, 1.0, text="one")]
    said += [SupervisionSegment("s3", "r", 3.5, 1.0, text=" ")]
    cuts = [
        MonoCut("c1", 1.0, 5.0, 0, supervisions=[SupervisionSegment("s", "r", 0.0, 5.0, text="all", speaker="ann")],
                recording=recording),
        MonoCut("c2", 4.0, 6.0, 0, supervisions=said, recording=recording),
        MonoCut("c3", 0.0, 1.0, 0, supervisions=[], recording=recording),
        MonoCut("c4", 0.0, 1.0, 0, supervisions=said[:1]),
    ]  # fmt: skip
    for name in ("cuts.jsonl", "cuts.jsonl.gz"):
        CutSet.from_cuts(cuts).to_file(tmp_path / name)
        found = find_utterances(tmp_path / name)
        assert found.utterances == (
            Utterance("c1", "/audio/r.wav", (Part("all", 1.0, 6.0),), "ann", 1),
            Utterance("c2", "/audio/r.wav", (Part("one", 4.5, 5.5), Part("two", 6.0, 7.0)), "", 1),
        )
        assert found.problems == (
            Problem("c3", "has no text; add a supervision with text"),
            Problem("c4", "is not a cut of one recording; export it to a file first"),
        )
    with gzip.open(tmp_path / "bad.jsonl.gz", "wt") as file:
        file.write("{")
    with pytest.raises(CorpusError, match=r"bad\.jsonl\.gz: lhotse can't read it \("):
        find_utterances(tmp_path / "bad.jsonl.gz")


def test_what_is_no_corpus(tmp_path):
    with pytest.raises(CorpusError, match="there is no such folder or manifest; check the path"):
        find_utterances(tmp_path / "none")
    (tmp_path / "a.wav").touch()
    with pytest.raises(CorpusError, match="neither a folder nor a manifest; name a folder with recordings"):
        find_utterances(tmp_path / "a.wav")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(CorpusError, match=r"empty\.jsonl: the file is empty"):
        find_utterances(tmp_path / "empty.jsonl")
    assert find_utterances(tmp_path).problems[0].name == "a"


def test_lhotse_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lhotse", None)
    (tmp_path / "cuts.jsonl.gz").touch()
    with pytest.raises(BackendUnavailable, match=r"lhotse's cuts needs lhotse; install it with: pip install .*lhotse"):
        find_utterances(tmp_path / "cuts.jsonl.gz")
