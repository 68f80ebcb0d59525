"""Alignments of a speaker who is followed: what they hold, what they warn of, and how they are written."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import soundfile
import torch
from planted import FRAME_S, evenly, muffled, runs_to_scores

import streamhmm as sh
from streamhmm import cli, formats
from streamhmm.align.aligner import Aligner
from streamhmm.align.reading import check_reading, check_share, count_takes, words_skipped
from streamhmm.formats import Tiers
from streamhmm.segment import Segment
from streamhmm.text import SILENCE

FRAMES = 20

# What comes of a reading.


def test_takes_and_words_left_out():
    assert count_takes([0, 1, 1, 0, 1, 4]) == (0, 0, 1, 1, 2, 0)
    assert count_takes([]) == ()
    assert words_skipped([0, 1, 1, 4], 6) == (2, 3, 5)
    assert words_skipped([], 2) == (0, 1)
    assert words_skipped([1, 0], 2) == ()


@pytest.mark.parametrize(
    ("skipped", "count", "is_said"), [(0, 10, False), (5, 10, False), (6, 10, True), (9, 10, True), (10, 10, False)]
)
def test_what_is_said_of_a_text_that_is_mostly_left_out(skipped, count, is_said):
    message = f"only {count - skipped} of {count} words are read; check that audio and text belong together"
    assert check_share(skipped, count) == ((message,) if is_said else ())


LABELS = [f"w{index}" for index in range(20)]


@pytest.mark.parametrize(
    ("skipped", "expected"),
    [
        ((), ()),
        ((3,), ("not read: 'w3'",)),
        ((3, 4, 9), ("not read: 'w3 w4', 'w9'",)),
        (range(8), ("not read: 'w0 w1 w2 w3 w4 w5 w6 w7'",)),
        (range(9), ("not read: 'w0 w1 w2 … w6 w7 w8'",)),
        (
            range(0, 20, 2),
            ("not read: 'w0', 'w2', 'w4', 'w6', 'w8', 'w10', 'w12', 'w14', and 2 more",),
        ),
        (range(20), ("nothing of the text is read; check that audio and text belong together",)),
    ],
)
def test_what_is_said_of_words_left_out(skipped, expected):
    assert check_reading((), (), tuple(skipped), (), LABELS) == expected


def test_what_is_said_of_words_read_again_and_of_other_speech():
    words = [Segment("a", 0.0, 1.0), Segment("a", 1.25, 2.0)]
    talk = [Segment("<off-script>", 2.5, 3.254), Segment("<off-script>", 5.0, 6.0)]
    assert check_reading(words, (0, 1), (), talk, ["a"]) == (
        "read again: 'a' at 1.25 s",
        "speech that is not in the text from 2.50 to 3.25 s, from 5.00 to 6.00 s",
    )


@pytest.fixture(scope="module")
def aligner():
    torch.set_num_threads(1)
    return Aligner()


@pytest.fixture
def plant(aligner, monkeypatch):
    """Make the network say ``runs``; returns samples of their length."""

    def plant(runs):
        columns = {label: column for column, label in enumerate(aligner.model.labels)}
        scores = muffled(runs_to_scores(runs, columns), runs, columns, TALK.split(), ("ZH", "TH"))
        monkeypatch.setattr(aligner.model, "log_posteriors", lambda samples: scores.clone())
        return np.full(len(scores) * 160, 0.1, np.float32), 16_000

    return plant


TEXT = "The cats slept. We own a moon. Joy!"
PARTS = {
    "The": "DH AH",
    "cats": "K AE T S",
    "slept": "S L EH P T",
    "We": "W IY",
    "own": "OW N",
    "a": "AH",
    "moon": "M UW N",
    "Joy": "JH OY",
}
TALK = "HH AW Z G OY CH EY V"


def said(*parts):
    runs = []
    for part in parts:
        runs += [(SILENCE, 30)] if part is None else evenly(PARTS.get(part, part), FRAMES)
    return runs


def near(frames):
    return pytest.approx(frames * FRAME_S, abs=0.5 * FRAME_S)


def test_a_followed_alignment(aligner, plant):
    order = ["The", "cats", "The", "cats", "slept", None, TALK, None, "We", "own", "a", "moon"]
    runs = said(*order)
    found = aligner.align(plant(runs), TEXT, follow=True)
    assert [word.label for word in found.words] == [part for part in order if part in PARTS]
    assert found.word_indices == (0, 1, 0, 1, 2, 3, 4, 5, 6)
    assert found.takes == (0, 0, 1, 1, 0, 0, 0, 0, 0)
    assert found.skipped == (7,)
    assert [found.words[word].label for word in found.phone_words[:6]] == ["The"] * 2 + ["cats"] * 4
    assert found.phone_words == tuple(sorted(found.phone_words))
    (talk,) = found.offscript
    begin = len(said(*order[:6])) - 2  # pauses are of 30 frames
    begin = (begin * FRAMES) + 30 + FRAMES
    assert (talk.label, talk.start, talk.end) == ("<off-script>", near(begin), near(begin + 8 * FRAMES))
    assert found.words[4].end == near(begin - 30)
    assert all(word.score > 0.5 for word in found.words)
    assert found.warnings[:3] == (
        "not read: 'Joy'",
        f"read again: 'The' at {found.words[2].start:.2f} s, 'cats' at {found.words[3].start:.2f} s",
        f"speech that is not in the text from {talk.start:.2f} to {talk.end:.2f} s",
    )


def test_a_jump_after_talk_does_not_shorten_it(aligner, plant):
    runs = said("The", "cats", "slept", TALK, "The", "cats", "slept", "We", "own")
    found = aligner.align(plant(runs), TEXT, follow=True)
    (talk,) = found.offscript
    assert (talk.start, talk.end) == (near(11 * FRAMES), pytest.approx(19 * FRAMES * FRAME_S, abs=3 * FRAME_S))


def test_nothing_read(aligner, plant):
    for parts in ([None, TALK, None], [None]):
        found = aligner.align(plant(said(*parts)), TEXT, follow=True)
        assert (found.words, found.phones, found.word_indices, found.takes) == ((), (), (), ())
        assert found.skipped == tuple(range(8))
        assert "nothing of the text is read; check that audio and text belong together" in found.warnings
        assert len(found.offscript) == len(parts) // 2


def test_one_frame_is_enough_to_follow(aligner, plant):
    found = aligner.align(plant([(SILENCE, 1)]), TEXT, follow=True)
    assert found.skipped == tuple(range(8))


def test_a_plain_reading_is_the_same_with_and_without_follow(aligner, plant):
    audio = plant(said(None, *PARTS, None))
    plain, followed = (aligner.align(audio, TEXT, follow=follow) for follow in (False, True))
    assert plain.is_plain
    assert (plain.word_indices, plain.takes, plain.skipped, plain.offscript) == (tuple(range(8)), (0,) * 8, (), ())
    assert followed == plain


def test_long_pauses_are_no_matter(aligner, plant):
    audio = plant([*said("The", "cats", "slept"), (SILENCE, 1500), *said("We", "own", "a", "moon", "Joy")])
    assert not [warning for warning in aligner.align(audio, TEXT, follow=True).warnings if "no words" in warning]
    assert [warning for warning in aligner.align(audio, TEXT).warnings if "no words" in warning]


# Files and the command line.

WORDS = (Segment("a", 0.0, 0.5), Segment("b", 0.5, 1.0), Segment("a", 1.5, 2.0))
FOLLOWED = Tiers(
    WORDS,
    (),
    (),
    3.0,
    word_indices=(0, 3, 0),
    takes=(0, 0, 1),
    skipped=(1, 2),
    offscript=(Segment("<off-script>", 2.0, 3.0),),
)


def test_json_has_what_was_followed(tmp_path):
    formats.save(tmp_path / "a.json", FOLLOWED)
    content = json.loads((tmp_path / "a.json").read_text())
    assert [(word["index"], word["take"]) for word in content["words"]] == [(0, 0), (3, 0), (0, 1)]
    assert content["skipped"] == [1, 2]
    assert [(talk["label"], talk["start"], talk["end"]) for talk in content["offscript"]] == [
        ("<off-script>", 2.0, 3.0)
    ]
    assert formats.load(tmp_path / "a.json") == FOLLOWED


@pytest.mark.parametrize("changed", [{"word_indices": (0, 3, 4)}, {"takes": (0, 0, 1)}, {"skipped": (3,)}])
def test_json_of_any_one_of_them_comes_back(tmp_path, changed):
    tiers = dataclasses.replace(Tiers(WORDS, (), (), 3.0), **changed)
    formats.save(tmp_path / "a.json", tiers)
    assert formats.load(tmp_path / "a.json") == tiers


def test_json_of_a_plain_reading_is_as_ever(tmp_path):
    formats.save(tmp_path / "a.json", Tiers(WORDS, (), (), 3.0))
    content = json.loads((tmp_path / "a.json").read_text())
    assert not {"skipped", "offscript"} & set(content)
    assert not {"index", "take"} & set(content["words"][0])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"word_indices": (0,)}, r"word_indices must have one entry a word \(3\), got 1"),
        ({"takes": (0,)}, r"takes must have one entry a word \(3\), got 1"),
        ({"word_indices": (0, -1, 1)}, "word_indices must not be negative, got -1"),
        ({"takes": (0, -2, 1)}, "takes must not be negative, got -2"),
        ({"skipped": (-3,)}, "skipped must not be negative, got -3"),
        ({"offscript": (Segment("x", 2.0, 4.0),)}, r"offscript\[0\] .* ends after the recording"),
    ],
)
def test_tiers_refuse_what_can_not_be(changed, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FOLLOWED, **changed)


def test_a_textgrid_has_the_words_as_they_were_read(tmp_path):
    formats.save(tmp_path / "a.TextGrid", FOLLOWED)
    assert [(w.label, w.start, w.end) for w in formats.load(tmp_path / "a.TextGrid").words] == [
        (w.label, w.start, w.end) for w in WORDS
    ]


@pytest.mark.parametrize("option", [[], ["--follow"], ["--imperfect"]])
def test_the_command_line(option, tmp_path, monkeypatch, capfd):
    seen = {}

    def align(self, audio, text, **options):
        seen.update(options)
        return sh.Alignment((Segment("a", 0.0, 0.5, 0.9),), (), (), 3.0)

    monkeypatch.setattr(Aligner, "align", align)
    soundfile.write(tmp_path / "a.wav", np.full(16_000, 0.1, np.float32), 16_000)
    assert cli.main(["align", str(tmp_path / "a.wav"), "--text", "a", *option]) == 0
    assert seen == {"follow": option == ["--follow"], "imperfect": option == ["--imperfect"], "strict": False}
    assert "0.000\t0.500" in capfd.readouterr().out
