"""Recordings held against a reference: what is paired, what is counted, and how figures are put together."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from permissions import unprivileged

from streamhmm.errors import OutputError
from streamhmm.formats import Tiers, save
from streamhmm.metrics import compare_tiers, evaluate, find_audio_pairs, find_pairs
from streamhmm.metrics.evaluation import MEASURES
from streamhmm.segment import Segment


def tiers(text: str, shift_s: float = 0.0, step_s: float = 0.1) -> Tiers:
    """Words with phones of equal length in a row: "to=T.UW be=B.IY"; "-" is a pause of one step."""
    words, phones, owners, now = [], [], [], 0.2 + shift_s
    for part in text.split():
        label, _, spoken = part.partition("=")
        start = now
        for phone in spoken.split(".") if spoken else []:
            phones.append(Segment(phone, now, now + step_s))
            owners.append(len(words))
            now += step_s
        now = now if spoken else now + step_s
        if label != "-":
            words.append(Segment(label, start, now))
    return Tiers(tuple(words), tuple(phones), tuple(owners), now + 1.0)


SPOKEN = "to=T.UW - be=B.IY or=ER not=N.AA.T"


def test_equal_alignments() -> None:
    found = compare_tiers(tiers(SPOKEN), tiers(SPOKEN))
    for tier in (found.words, found.phones):
        assert not np.any([tier.starts, tier.ends, tier.is_missing])
        assert tier.extra == ()
        assert tier.reference_hits.all()
        assert tier.hypothesis_hits.all()
    assert found.words.labels == ("to", "be", "or", "not")
    assert found.words.reference_times.tolist() == pytest.approx([0.2, 0.4, 0.5, 0.7, 0.8, 1.1])  # each once
    assert found.phones.befores == ("pause", "stop", "pause", "stop", "vowel", "vowel", "nasal", "vowel")
    assert found.phones.afters == ("vowel", "pause", "vowel", "vowel", "nasal", "vowel", "stop", "pause")


def test_a_missing_word_takes_its_phones_along_and_nothing_else() -> None:
    found = compare_tiers(tiers(SPOKEN), tiers("To, - or=ER not=N.AA.T so=S"))
    assert found.words.is_missing.tolist() == [False, True, False, False]
    assert found.words.extra == ("so",)
    assert found.phones.is_missing.tolist() == [True, True, True, True, False, False, False, False]
    assert found.phones.extra == ("S",)
    assert np.isnan(found.phones.starts).tolist() == [True] * 4 + [False] * 4
    assert found.words.starts[2:] == pytest.approx(-0.3)


def test_another_pronunciation_costs_the_boundaries_that_differ() -> None:
    found = compare_tiers(tiers("and=AE.N.D"), tiers("and=AE.N"))
    assert found.phones.is_missing.tolist() == [False, False, True]
    assert np.isnan(found.phones.ends).tolist() == [False, True, True]
    stressed = compare_tiers(tiers("and=AE.N.D"), tiers("and=ae1.n.d"))
    assert not stressed.phones.is_missing.any()


def test_silence_is_no_segment() -> None:
    reference = tiers("sil=SIL to=T.UW <eps>=sp")
    found = compare_tiers(reference, tiers("- to=T.UW"))
    assert found.words.labels == ("to",)
    assert found.words.starts.tolist() == found.phones.starts.tolist()[:1] == [0.0]
    assert (found.phones.labels, found.phones.extra) == (("T", "UW"), ())


def test_phones_without_words_are_paired_throughout() -> None:
    reference, hypothesis = tiers(SPOKEN), tiers(SPOKEN, shift_s=0.01)
    wordless = replace(hypothesis, words=(), phone_words=(-1,) * 8, word_indices=(), takes=())
    found = compare_tiers(reference, wordless)
    assert found.phones.starts == pytest.approx(0.01)
    assert found.words.is_missing.all()


def test_a_wrong_tolerance() -> None:
    with pytest.raises(ValueError, match=r"tolerance_ms must be at least 0, got -1"):
        compare_tiers(tiers("to"), tiers("to"), tolerance_ms=-1)


def test_no_words_at_all() -> None:
    nothing = Tiers((), (), (), 1.0)
    found = compare_tiers(tiers("to=T.UW"), nothing)
    assert found.words.is_missing.all()
    evaluation = evaluate([found], tolerance_ms=20)
    assert (evaluation.tiers["words"].missing, evaluation.tiers["words"].figures["within_20_ms"].value) == (1, 0.0)
    assert evaluate([compare_tiers(nothing, tiers("to"))], tolerance_ms=20).tiers == {}


# ---- figures


def jittered(text: str, seed: int) -> Tiers:
    """The same with every boundary moved a little, neighbours together."""
    chance, given = np.random.default_rng(seed), tiers(text)
    moved = {time: time + chance.normal(0, 0.012) for segment in given.phones for time in (segment.start, segment.end)}

    def move(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        return tuple(Segment(s.label, moved[s.start], moved[s.end]) for s in segments)

    return replace(given, words=move(given.words), phones=move(given.phones))


def recordings(speakers: tuple[str, ...], count: int):
    return [
        compare_tiers(tiers(SPOKEN), jittered(SPOKEN, 10 * place + index), name=f"{speaker}{index}")
        for place, speaker in enumerate(speakers)
        for index in range(count)
    ]


def test_rows_hold_what_their_recordings_do() -> None:
    compared = recordings(("anna/", "ben/"), 4)
    evaluation = evaluate(compared, tolerance_ms=20)
    errors = [e for one in compared for e in (*one.words.starts, *one.words.ends)]
    row = evaluation.tiers["words"]
    assert (row.segments, row.boundaries, row.missing, row.extra, row.missed) == (32, 64, 0, 0, 0)
    assert tuple(row.figures) == MEASURES
    assert row.figures["mean_ms"].value == pytest.approx(1000 * statistics.fmean(map(abs, errors)))
    assert row.figures["median_ms"].value == pytest.approx(1000 * statistics.median(map(abs, errors)))
    hits = sum(int(one.words.reference_hits.sum()) for one in compared)
    assert row.figures["recall"].value == pytest.approx(hits / (8 * 6))
    assert {name: r.segments for name, r in evaluation.speakers["words"].items()} == {"anna": 16, "ben": 16}
    alone = evaluate(compared[:4], tolerance_ms=20)
    for name in MEASURES:
        assert evaluation.speakers["words"]["anna"].figures[name] == pytest.approx(alone.tiers["words"].figures[name])
    classes = evaluation.classes
    assert {kind: r.segments for kind, r in classes.items()} == {"stop": 24, "nasal": 8, "vowel": 32}
    assert classes["stop"].extra is None
    assert "precision" not in classes["stop"].figures
    assert sum(summary.boundaries for summary in evaluation.class_pairs.values()) == 8 * 10
    assert evaluation.class_pairs["vowel", "pause"].boundaries == 8


def test_intervals_hold_the_figures_and_come_from_the_seed() -> None:
    compared = recordings(("",), 12)
    row = evaluate(compared, tolerance_ms=20).tiers["phones"]
    for name in ("within_10_ms", "mean_ms", "median_ms", "bias_ms", "aas_ms", "f1", "r_value"):
        figure = row.figures[name]
        assert figure.low < figure.value < figure.high
    assert evaluate(compared, tolerance_ms=20).tiers["phones"] == row
    assert evaluate(compared, tolerance_ms=20, seed=5).tiers["phones"] != row
    assert evaluate(compared, tolerance_ms=20).speakers == {}


def test_of_one_recording_stretches_are_drawn() -> None:
    short = evaluate([compare_tiers(tiers(SPOKEN), jittered(SPOKEN, 1))], tolerance_ms=20)
    assert (short.units, short.is_of_stretches) == (1, True)
    assert math.isnan(short.tiers["words"].figures["mean_ms"].low)
    text = " - ".join([SPOKEN] * 11)  # 44 words
    long = evaluate([compare_tiers(tiers(text), jittered(text, 1))], tolerance_ms=20)
    assert long.units == 3
    assert long.tiers["words"].figures["mean_ms"].low < long.tiers["words"].figures["mean_ms"].high


def test_only_the_tiers_asked_for() -> None:
    evaluation = evaluate(recordings(("",), 2), tolerance_ms=20, tiers=["words"])
    assert list(evaluation.tiers) == ["words"]
    assert evaluation.classes == {}


# ---- files


def test_pairs_of_files_and_folders(tmp_path: Path) -> None:
    for name in ("ref/anna/a.TextGrid", "ref/anna/b b.TextGrid", "ref/c.json", "hyp/anna/a.json", "hyp/anna/b b.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        save(tmp_path / name, tiers("to=T.UW"))
    save(tmp_path / "hyp/anna/a.TextGrid", tiers("to=T.UW"))  # comes first in the order of the formats
    save(tmp_path / "hyp/d.JSON", tiers("to=T.UW"))
    (tmp_path / "hyp/notes.md").write_text("no alignment")
    (tmp_path / "hyp/.json").write_text("no name")
    (tmp_path / "hyp/.streamhmm").mkdir()
    for name in ("report.csv", "anna/report.csv", ".streamhmm/c.json"):
        (tmp_path / "hyp" / name).write_text("")
    found = find_pairs(tmp_path / "ref", tmp_path / "hyp")
    assert [(pair.name, pair.hypothesis.name) for pair in found.pairs] == [
        ("anna/a", "a.TextGrid"),
        ("anna/b b", "b b.json"),
    ]
    assert (found.only_reference, found.only_hypothesis) == (("c",), ("anna/report", "d"))
    (one,) = find_pairs(tmp_path / "ref/c.json", tmp_path / "hyp/d.JSON").pairs
    assert (one.name, one.hypothesis) == ("c", tmp_path / "hyp/d.JSON")
    with pytest.raises(ValueError, match=r"compare two files or two folders: .*ref is a folder, .*d.JSON is not"):
        find_pairs(tmp_path / "ref", tmp_path / "hyp/d.JSON")


def test_an_unreadable_folder() -> None:
    with unprivileged() as folder:
        (folder / "closed").mkdir(mode=0)
        with pytest.raises(OutputError, match=r"closed: can't be read \(Permission denied\); check the permissions"):
            find_pairs(folder, folder)


def test_recordings_of_two_folders(tmp_path: Path) -> None:
    for name in ("ours/a.WAV", "ours/x/b.flac", "ours/x/b.wav", "ours/c.mp3", "ours/d.txt", "ours/.e.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("theirs/a.ogg", "theirs/x/b.opus", "theirs/d.wav", "theirs/.hidden/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_audio_pairs(tmp_path / "ours", tmp_path / "theirs")
    paths = [tuple(str(path.relative_to(tmp_path)) for path in pair[1:]) for pair in found.pairs]
    assert [pair.name for pair in found.pairs] == ["a", "x/b"]
    assert paths == [("ours/a.WAV", "theirs/a.ogg"), ("ours/x/b.wav", "theirs/x/b.opus")]
    assert (found.only_reference, found.only_hypothesis) == (("c",), ("d",))
    ((pair,), _, _) = find_audio_pairs(tmp_path / "ours/c.mp3", tmp_path / "theirs/a.ogg")
    assert pair == ("c", tmp_path / "ours/c.mp3", tmp_path / "theirs/a.ogg")
    with pytest.raises(ValueError, match=r"compare two files or two folders"):
        find_audio_pairs(tmp_path / "ours", tmp_path / "theirs/a.ogg")
