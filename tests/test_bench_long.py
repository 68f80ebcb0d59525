"""Long recordings for the bench: what is said to be spoken, what is said to differ, and how it is counted."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import streamhmm as sh

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import long as bench
import long_hour
import long_judge
from long_hour import FRAME, RATE, Piece, Script
from long_judge import LOST_MS, boundaries, flags


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """Four utterances of three words; the samples of word w of utterance u are (3u + w + 1) / 100."""
    folder = tmp_path_factory.mktemp("pieces")
    found = []
    for index in range(4):
        levels = [0.0, *((3 * index + place + 1) / 100 for place in range(3)), 0.0]
        path = folder / f"{index}.wav"
        soundfile.write(path, np.repeat(levels, [100, 800, 800, 800, 77]), RATE, subtype="FLOAT")
        times = tuple(((100 + 800 * place) / RATE, (900 + 800 * place) / RATE) for place in range(3))
        found.append(Piece(path, tuple(f"w{3 * index + place}" for place in range(3)), times))
    return found


def test_what_is_said_to_be_spoken_is_heard(pieces):
    recording = long_hour.join(pieces, 2.0, seed=1)
    assert recording.seconds >= 2.0
    assert len(recording.samples) % FRAME == 0
    for word in recording.spoken:
        part = recording.samples[round(word.start * RATE) : round(word.end * RATE)]
        assert np.allclose(part, (int(word.label[1:]) + 1) / 100, atol=1e-3)
        assert pieces[word.piece].words[word.place] == word.label
    again = long_hour.join(pieces, 2.0, seed=1)
    assert np.array_equal(recording.samples, again.samples)
    assert recording.spoken == again.spoken


def test_every_utterance_comes_as_often_as_the_others(pieces):
    recording = long_hour.join(pieces, 8.0, seed=2)
    counts = np.bincount([word.piece for word in recording.spoken])
    assert counts.max() - counts.min() <= 3


@pytest.fixture(scope="module")
def recording(pieces):
    return long_hour.join(pieces, 20.0, seed=3)


def as_spoken(recording, script):
    """Each word of a script that is said to be spoken, is."""
    return all(
        place is None or recording.spoken[place].label == word
        for word, place in zip(script.words, script.spoken, strict=True)
    )


def test_edited_texts(recording):
    count = len(recording.spoken)
    script = long_hour.edited(recording, 0.2, seed=1)
    assert as_spoken(recording, script)
    places = [place for place in script.spoken if place is not None]
    assert places == sorted(places)
    wrong, missing = script.spoken.count(None), script.missing(count)
    assert 0 < wrong < 0.2 * count
    assert 0 < len(missing) < 0.2 * count
    assert [index for index, place in enumerate(script.spoken) if place is None] == np.flatnonzero(
        script.distance == 0
    ).tolist()
    assert long_hour.edited(recording, 0.0, seed=1).words == long_hour.right_text(recording).words


def test_other_texts(recording):
    count = len(recording.spoken)
    for script, words, missing in (
        (long_hour.right_text(recording), count, 0),
        (long_hour.without_middle(recording), count - (3 * count // 4 - count // 4), 3 * count // 4 - count // 4),
        (long_hour.with_more(recording, 1), 2 * count, 0),
        (long_hour.shuffled(recording, 1), count, count),
    ):
        assert as_spoken(recording, script)
        assert (len(script.words), len(script.missing(count))) == (words, missing)


@pytest.mark.parametrize(
    ("marks", "expected"),
    [([], [np.inf] * 4), ([0.0], [0, 1, 2, 3]), ([1.5], [2, 1, 1, 2]), ([-0.5, 3.0], [1, 2, 1, 0])],
)
def test_distances_are_in_words(marks, expected):
    assert long_hour._distance(4, marks).tolist() == expected


# Counting.


def segment(label, start, end, score=0.9):
    return sh.Segment(label, start, end, score)


def found_as(segments, indices, skipped=(), offscript=()):
    return sh.Alignment(
        tuple(segments),
        (),
        (),
        100.0,
        word_indices=tuple(indices),
        takes=(0,) * len(segments),
        skipped=tuple(skipped),
        offscript=tuple(offscript),
    )


def test_boundaries_of_words_far_and_near(recording):
    words = recording.spoken
    script = Script([w.label for w in words[:6]], list(range(6)), np.array([9, 9, 4, 3, 1, 9.0]))
    segments = [segment(w.label, w.start + 0.01, w.end - 0.018) for w in words[:5]]
    alone = {(piece, place): (3.0, 4.0) for piece in range(4) for place in range(3)}
    far = boundaries(recording, script, found_as(segments, range(5)), alone)
    assert (far.words, far.found) == (4, 3)
    assert far.errors.tolist() == pytest.approx([10, 18] * 3 + [LOST_MS] * 2)
    assert far.single.tolist() == [3, 4] * 4
    near = boundaries(recording, script, found_as(segments, range(5)), alone, far=False)
    assert (near.words, near.found) == (2, 2)
    shares = bench._shares(far)
    assert (shares["within_20"], shares["within_50"], shares["alone_within_20"]) == (6 / 8, 6 / 8, 1.0)
    assert shares["median_ms"] == pytest.approx(18)
    assert bench._shares(boundaries(recording, script._replace(distance=np.zeros(6)), found_as([], []), alone)) == {
        "words": 0
    }


def test_flags(recording):
    words = recording.spoken
    count = len(words)
    script = Script(["x", *(w.label for w in words[2:]), "y"], [None, *range(2, count), None], np.zeros(count))
    talk = [
        sh.Segment("<off-script>", words[0].start, words[0].end),
        sh.Segment("<off-script>", words[5].start, words[6].end),
    ]
    segments = [segment("a", 1.0, 2.0, long_judge.LOW_SCORE - 0.01), segment("y", 3.0, 4.0, 0.1)]
    found = flags(recording, script, found_as(segments, [1, count - 1], skipped=(0, 4), offscript=talk))
    assert found == (2, 2, 1, 2, 1, 2, 1 + (words[1].start <= words[0].end + 0.02), 2, 1)


def test_the_bench_names_what_is_missing(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["long.py", "--truth", str(tmp_path / "none")])
    assert bench.main() == 2
    assert "not there; name the truth sets with --truth" in capsys.readouterr().err
