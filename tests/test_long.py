"""Long recordings: in parts they align as a whole, and imperfect texts leave right words where they are."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from planted import decode_scores, evenly, runs_to_scores

import streamhmm as sh
from streamhmm.align import decoding, mismatch, splitting
from streamhmm.align.follow import IMPERFECT, Follow
from streamhmm.align.topology import OFFSCRIPT
from streamhmm.text import PHONES, SILENCE, Break, SpokenWord

COLUMNS = {label: column for column, label in enumerate((*PHONES, SILENCE))}
FIRST, OTHERS = PHONES[:19], PHONES[19:]
OTHER_SPEECH = "ZH TH NG SH"
"""Sounds that no word has."""
FERRY = Path(__file__).resolve().parents[1] / "examples" / "quick_start" / "ferry.flac"
TEXT = FERRY.with_suffix(".txt").read_text()


def random_words(rng, count):
    """Words that begin with a sound of one kind and go on with others: so none ends as the next begins."""
    sounds = [sound for sound in OTHERS if sound not in OTHER_SPEECH.split()]
    pronunciations = [(rng.choice(FIRST), *rng.sample(sounds, rng.randint(1, 4))) for _ in range(count)]
    breaks = [rng.choice((Break.NONE, Break.NONE, Break.PHRASE, Break.SENTENCE)) for _ in range(count)]
    return [
        SpokenWord(f"w{place}", (((labels,),),), after)
        for place, (labels, after) in enumerate(zip(pronunciations, breaks, strict=True))
    ]


def read(rng, words, pauses=0.2):
    """Runs of a reading of all words, after ``pauses`` of which there is a pause; and the first frame of each word."""
    runs, starts, frames = [(SILENCE, 30)], [], 30
    for word in words:
        starts.append(frames)
        added = [(label, rng.choice((6, 9, 12))) for label in word.readings[0][0][0]]
        if rng.random() < pauses:
            added.append((SILENCE, rng.choice((15, 30, 60))))
        runs += added
        frames += sum(length for _, length in added)
    return [*runs, (SILENCE, 30)], starts


@pytest.fixture
def short_parts(monkeypatch):
    """Everything is long, and parts are of some seconds; gives the list of the parts made."""
    made = []

    def split(*arguments):
        made.extend(splitting.split(*arguments))
        return made

    monkeypatch.setattr(decoding, "LONG_FRAMES", 6)
    monkeypatch.setattr(decoding, "split", split)
    monkeypatch.setattr(splitting, "SHORTEST", 300)
    monkeypatch.setattr(splitting, "LONGEST", 900)
    return made


def decoded(words, runs, costs, *, whole=False):
    with pytest.MonkeyPatch.context() as patch:
        if whole:
            patch.setattr(decoding, "LONG_FRAMES", 10**9)
        return decode_scores(words, COLUMNS, runs_to_scores(runs, COLUMNS), costs)


def assert_equal(found, expected):
    assert (found.phones, found.word_indices) == (expected.phones, expected.word_indices)
    assert torch.equal(found.phone_readings, expected.phone_readings)
    assert torch.equal(found.runs.bounds, expected.runs.bounds)
    assert torch.equal(found.runs.pdfs, expected.runs.pdfs)
    assert torch.equal(found.runs.spoken, expected.runs.spoken)
    assert torch.equal(found.evidence.phones, expected.evidence.phones)
    assert torch.equal(found.evidence.contrast, expected.evidence.contrast)


def starts_of(found):
    """The first frame of each word that was found."""
    first = {}
    spoken = found.runs.spoken
    bounds = found.runs.bounds[:-1][spoken].tolist()
    for bound, reading in zip(bounds, found.phone_readings.tolist(), strict=True):
        first.setdefault(found.word_indices[reading], bound)
    return first


def seconds_of_talk(found):
    return float(found.runs.frames[found.runs.phones == OFFSCRIPT].sum())


# The parts give what the whole gives.


@pytest.mark.parametrize("costs", [None, IMPERFECT])
@pytest.mark.parametrize("seed", range(6))
def test_parts_align_as_the_whole(seed, costs, short_parts):
    rng = random.Random(seed)
    words = random_words(rng, 120)
    runs, starts = read(rng, words)
    found = decoded(words, runs, costs)
    assert len(short_parts) > 3
    assert starts_of(found) == dict(enumerate(starts))
    assert_equal(found, decoded(words, runs, costs, whole=True))


@pytest.mark.parametrize("costs", [None, IMPERFECT])
def test_without_a_pause_there_are_no_parts(costs, short_parts):
    rng = random.Random(1)
    words = random_words(rng, 120)
    runs, starts = read(rng, words, pauses=0)
    found = decoded(words, runs, costs)
    assert len(short_parts) == 1
    assert starts_of(found) == dict(enumerate(starts))


def test_a_speaker_who_may_go_back_is_never_cut_off(short_parts):
    rng = random.Random(1)
    words = random_words(rng, 60)
    runs, _ = read(rng, [*words, *words[20:]])
    found = decoded(words, runs, Follow())
    assert found.word_indices == (*range(60), *range(20, 60))
    assert short_parts == []


def test_an_hour_of_silence_at_the_end(short_parts):
    rng = random.Random(2)
    words = random_words(rng, 60)
    runs, starts = read(rng, words)
    found = decoded(words, [*runs, (SILENCE, 360_000)], IMPERFECT)
    assert starts_of(found) == dict(enumerate(starts))
    assert len(short_parts) > 1
    assert found.runs.phones[-1] == -1
    assert found.runs.frames[-1] > 360_000


# Imperfect texts.


@pytest.mark.parametrize("seed", range(4))
def test_words_left_out_replaced_and_added(seed, short_parts):
    rng = random.Random(seed)
    words = random_words(rng, 200)
    runs, starts = read(rng, words)
    text, expected, wrong, missing = [], {}, [], 0
    for place, word in enumerate(words):
        kind = rng.choice(("deleted", "replaced", "inserted")) if place % 15 == 7 else ""
        if kind in ("replaced", "inserted"):
            wrong.append(len(text))
            text += random_words(rng, 1)
        if kind in ("", "inserted"):
            expected[len(text)] = starts[place]
            text.append(word)
        missing += kind in ("deleted", "replaced")
    found = decoded(text, runs, IMPERFECT)
    assert len(short_parts) > 3
    places = starts_of(found)
    far = [index for index in expected if min(abs(index - other) for other in wrong) > 3]
    assert len(far) > 50
    assert sum(places.get(index) == expected[index] for index in far) >= len(far) - 3 * missing
    near = [index for index in expected if index in places]
    assert len(near) >= len(expected) - 2 * len(wrong)


@pytest.mark.parametrize("gap", [(50, 150), (0, 100), (100, 200)])
def test_text_of_which_half_is_missing(gap, short_parts):
    rng = random.Random(3)
    words = random_words(rng, 200)
    runs, starts = read(rng, words)
    kept = [place for place in range(200) if not gap[0] <= place < gap[1]]
    found = decoded([words[place] for place in kept], runs, IMPERFECT)
    assert len(short_parts) > 1
    places = starts_of(found)
    edge = [index for index, place in enumerate(kept) if place + 1 not in kept or place - 1 not in kept]
    for index, place in enumerate(kept):
        if min(abs(index - other) for other in edge) > 3 or place in (0, 199):
            assert places[index] == starts[place]
    spoken = starts[gap[1]] if gap[1] < 200 else sum(frames for _, frames in runs)
    assert seconds_of_talk(found) == pytest.approx(spoken - starts[gap[0]], rel=0.2)


@pytest.mark.parametrize("gap", [(50, 150), (0, 100), (100, 200)])
def test_audio_of_which_half_is_missing(gap, short_parts):
    rng = random.Random(4)
    words = random_words(rng, 200)
    kept = [place for place in range(200) if not gap[0] <= place < gap[1]]
    runs, starts = read(rng, [words[place] for place in kept])
    found = decoded(words, runs, IMPERFECT)
    assert len(short_parts) > 1
    assert starts_of(found) == dict(zip(kept, starts, strict=True))
    assert seconds_of_talk(found) == 0


def test_a_text_that_does_not_fit_at_all_leaves_its_words_out(short_parts):
    rng = random.Random(5)
    words = random_words(rng, 100)
    found = decoded(words, [(SILENCE, 30), *evenly(" ".join([OTHER_SPEECH] * 100), 9), (SILENCE, 30)], IMPERFECT)
    assert len(found.word_indices) < 10


def test_text_and_audio_too_short_for_it_leave_words_out(short_parts):
    rng = random.Random(6)
    words = random_words(rng, 100)
    runs, _ = read(rng, words[:3])
    found = decoded(words, runs, IMPERFECT)
    assert found.word_indices == (0, 1, 2)


# Real speech.


@pytest.fixture(scope="module")
def aligner():
    torch.set_num_threads(1)
    return sh.Aligner()


@pytest.fixture(scope="module")
def ferries():
    """The example four times, with pauses."""
    samples, rate = soundfile.read(FERRY, dtype="float32")
    pause = np.zeros(rate // 2, np.float32)
    return np.concatenate([part for _ in range(4) for part in (samples, pause)]), rate


def test_real_speech_in_parts(aligner, ferries, short_parts):
    text = " ".join([TEXT] * 4)
    found = aligner.align(ferries, text)
    assert len(short_parts) > 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "LONG_FRAMES", 10**9)
        expected = aligner.align(ferries, text)
    assert (found.words, found.phones, found.warnings) == (expected.words, expected.phones, expected.warnings)


def test_real_speech_and_an_imperfect_text(aligner, ferries, short_parts):
    words = " ".join([TEXT] * 4).split()
    right = aligner.align(ferries, words)
    wrong = {30: ["umbrella"], 50: [], 60: ["zebra", "crossing", words[60]]}
    text = [word for place, label in enumerate(words) for word in wrong.get(place, [label])]
    del short_parts[:]
    found = aligner.align(ferries, " ".join(text), imperfect=True)
    assert len(short_parts) > 2
    names = [text[index] for index in found.skipped]
    assert set(names) <= {"umbrella", "zebra", "crossing"}
    assert len(names) >= 2
    assert len(found.offscript) >= 1
    starts = {round(word.start, 3) for word in right.words}
    moved = [word for word in found.words if round(word.start, 3) not in starts]
    assert len(moved) <= 6
    assert "not read" in " ".join(found.warnings)


@pytest.mark.parametrize("longer", [0.0, 0.1])
def test_whoever_has_much_to_align_is_told_of_imperfect_texts(aligner, monkeypatch, longer):
    monkeypatch.setattr(mismatch, "LONG_RECORDING_S", soundfile.info(FERRY).duration + longer)
    other = "Nobody ordered twelve green umbrellas from Chicago"
    advice = "where text and speech differ, imperfect=True (--imperfect) leaves out words that are not spoken"
    assert (advice in aligner.align(FERRY, other).warnings) == (longer == 0.0)
    assert advice not in aligner.align(FERRY, TEXT).warnings
    assert advice not in aligner.align(FERRY, other, imperfect=True).warnings


def test_an_imperfect_text_that_is_right_aligns_as_without(aligner):
    found, expected = (aligner.align(FERRY, TEXT, imperfect=imperfect) for imperfect in (True, False))
    assert dataclasses.replace(found, quality=None) == dataclasses.replace(expected, quality=None)


def test_imperfect_and_follow_do_not_go_together(aligner):
    with pytest.raises(ValueError, match="follow and imperfect do not go together"):
        aligner.align(FERRY, TEXT, follow=True, imperfect=True)
    with pytest.raises(ValueError, match="follow and imperfect do not go together"):
        aligner.align_batch([(FERRY, TEXT)], follow=True, imperfect=True)


def test_a_batch_with_imperfect_texts(aligner):
    text = TEXT.replace("ferry", "umbrella")
    (found,) = aligner.align_batch([(FERRY, text)], imperfect=True)
    assert found == aligner.align(FERRY, text, imperfect=True)
    assert found.skipped == (2,)


def test_an_imperfect_text_of_which_little_is_read(aligner):
    words = TEXT.split()
    more = " ".join(["Nobody ordered twelve green umbrellas from Chicago."] * 10)
    found = aligner.align(FERRY, f"{TEXT} {more}", imperfect=True)
    assert [word.label for word in found.words[:3]] == words[:3]
    message = f"only {len(found.words)} of {len(words) + 70} words are read; check that audio and text belong together"
    assert message in found.warnings
    assert not [warning for warning in aligner.align(FERRY, TEXT, imperfect=True).warnings if "only" in warning]
