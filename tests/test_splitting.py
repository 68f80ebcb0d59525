"""Where a long recording is cut: roughly where its words are, which pauses are safe, and which of them are taken."""

from __future__ import annotations

import random
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from planted import reading, runs_to_scores

import streamhmm as sh
from streamhmm.align.coarse import CLEAR_MISFIT, FORGIVEN, MOST_FORGIVEN, Coarse, coarse_places
from streamhmm.align.phone_loop import phone_loop
from streamhmm.align.splitting import (
    FORCED,
    LEAST_MEAN,
    LEAST_PAUSE,
    LEAST_SUPPORT,
    LONGEST,
    NEAR,
    NEAREST,
    NO_SUPPORT,
    SHORTEST,
    Cut,
    Part,
    candidates,
    choose,
    split,
)
from streamhmm.text import PHONES, SILENCE, Break, SpokenWord

COLUMNS = {label: column for column, label in enumerate((*PHONES, SILENCE))}
LOOP = phone_loop(len(COLUMNS))
SOUNDS = ["K AE", "T UW", "S IY", "M AA", "F ER", "L OW", "Z IH", "B EY", "N AY", "G EH", "V AO", "P UH"]
FRAMES = 9
OTHER = "JH OY CH AW HH Y UH DH"


def word(sounds, followed_by=Break.NONE):
    return SpokenWord(sounds.lower(), (((tuple(sounds.split()),),),), followed_by)


WORDS = [word(sounds, Break.PHRASE if place % 3 == 2 else Break.NONE) for place, sounds in enumerate(SOUNDS)]


spoken = partial(reading, SOUNDS, FRAMES)


def places(words, runs):
    scores = runs_to_scores(runs, COLUMNS)
    loop = LOOP.pdfs[sh.viterbi(scores, LOOP).states]
    return coarse_places(scores, loop, words, COLUMNS, COLUMNS[SILENCE])


def starts_of(parts):
    """The first frame of each word among ``parts``."""
    found, begin = {}, 0
    for part in parts:
        if isinstance(part, int):
            found[part] = begin
        begin += sum(frames for _, frames in spoken(part))
    return found


READINGS = {
    "all": [None, *range(6), None, *range(6, 12), None],
    "no pause": [*range(12)],
    "other speech within": [*range(5), OTHER, *range(5, 12)],
    "a phrase passed over": [None, 0, 1, 2, None, *range(6, 12)],
    "three phrases passed over": [0, 1, 2, None],
    "the first two passed over": [None, *range(6, 12)],
}


@pytest.mark.parametrize("name", READINGS)
def test_words_are_found_to_the_step(name):
    found = places(WORDS, spoken(*READINGS[name]))
    expected = starts_of(READINGS[name])
    for index in range(12):
        if index in expected:
            assert found.starts[index] == expected[index]
            assert found.ends[index] == expected[index] + 2 * FRAMES
            assert found.support[index] == pytest.approx(0.0, abs=1e-6)
        else:
            assert (found.starts[index], found.ends[index], found.support[index]) == (-1, -1, -np.inf)


def test_a_word_that_is_not_spoken_has_little_support():
    parts = [None, 0, 1, OTHER[:5], 3, 4, 5]
    found = places(WORDS[:6], spoken(*parts))
    assert found.support[2] < -3
    assert found.support[[0, 1, 3, 4, 5]] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 6, 7, 120])
def test_all_may_be_passed_over(frames):
    found = places(WORDS, [(SILENCE, frames)])
    assert (found.starts.tolist(), found.ends.tolist()) == ([-1] * 12, [-1] * 12)


@pytest.mark.parametrize(
    ("supports", "weight"),
    [
        ([0.0], 0.0),
        ([-CLEAR_MISFIT] * 3, 0.0),
        ([-9.0, -CLEAR_MISFIT, -0.1], 0.0),  # most words count
        ([-9.0, -CLEAR_MISFIT - 0.1, -0.1], -0.1 * FORGIVEN),
        ([-9.0, -8.0], -MOST_FORGIVEN),
        ([None], 0.0),
        ([None, None, -CLEAR_MISFIT - 0.2], -0.2 * FORGIVEN),
    ],
)
def test_of_speakers_whom_the_model_hears_less_well_more_is_forgiven(supports, weight):
    found = rough(*(None if support is None else (0, 30, support) for support in supports))
    assert found.talk_weight == pytest.approx(weight)


# Pauses that may be cut.


def rough(*words):
    """Places from (start, end, support) of each word; None where it was passed over."""
    rows = [(-1, -1, -np.inf) if row is None else row for row in words]
    starts, ends, support = (np.array(column) for column in zip(*rows, strict=True))
    return Coarse(starts, ends, support.astype(float))


def silent(frames, *spoken_at):
    heard = torch.zeros(frames, dtype=torch.bool)
    heard[list(spoken_at)] = True
    return heard


def in_a_row(supports, pause=30):
    return rough(*((place * (30 + pause), place * (30 + pause) + 30, s) for place, s in enumerate(supports)))


@pytest.mark.parametrize("pause", [0, LEAST_PAUSE - 1, LEAST_PAUSE, LEAST_PAUSE + 1])
def test_a_pause_must_be_long_enough(pause):
    found = list(candidates(in_a_row([0.0, 0.0], pause), silent(200)))
    expected = Cut(30 + pause // 2, 1, min(-LEAST_SUPPORT, -LEAST_MEAN))
    assert found == ([expected] if pause >= LEAST_PAUSE else [])


@pytest.mark.parametrize(
    ("frame", "is_heard"), [(30, False), (32, False), (33, True), (45, True), (56, True), (57, False), (59, False)]
)
def test_nobody_speaks_in_it_but_at_its_edges(frame, is_heard):
    assert bool(list(candidates(in_a_row([0.0, 0.0]), silent(200, frame)))) != is_heard


def test_it_lies_between_two_words_that_follow_one_another():
    row = (0, 30, 0.0), (60, 90, 0.0), (120, 150, 0.0)
    assert [cut.word for cut in candidates(rough(*row), silent(200))] == [1, 2]
    assert [cut.word for cut in candidates(rough(row[0], None, row[2]), silent(200))] == []
    assert [cut.word for cut in candidates(rough(None, *row), silent(200))] == [2, 3]
    assert [cut.word for cut in candidates(rough(row[0]), silent(200))] == []


def test_the_margin_is_that_of_the_worst_near_word_and_of_the_mean():
    supports = [0.0] * 30
    middle = 15

    def margin(place, value):
        changed = [*supports]
        changed[place] = value
        return {cut.word: cut.margin for cut in candidates(in_a_row(changed), silent(2000))}[middle]

    best = min(-LEAST_SUPPORT, -LEAST_MEAN)
    for first, last in ((middle - NEAREST, middle), (middle, middle + NEAREST)):
        assert [margin(place, -1.25) for place in range(first, last)] == [
            pytest.approx(-1.25 - LEAST_SUPPORT)
        ] * NEAREST
    for place in (middle - NEAREST - 1, middle + NEAREST, middle - NEAR, middle + NEAR - 1):
        assert margin(place, -4.0) == pytest.approx(-4.0 / NEAR - LEAST_MEAN)
        assert margin(place, -np.inf) == pytest.approx(NO_SUPPORT / NEAR - LEAST_MEAN)
    for place in (middle - NEAR - 1, middle + NEAR):
        assert margin(place, -9.0) == best


# Which are taken.


def cuts(*pairs):
    return [Cut(frame, word, margin) for word, (frame, margin) in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("places", "frames", "expected"),
    [
        ([], 10 * LONGEST, []),
        ([(SHORTEST, 1.0)], LONGEST, []),  # short enough as it is
        ([(SHORTEST, 1.0)], LONGEST + 1, [SHORTEST]),
        ([(SHORTEST - 1, 1.0)], LONGEST + 1, []),
        ([(SHORTEST, 0.5), (LONGEST, 0.7), (LONGEST + 1, 0.9)], 2 * LONGEST, [LONGEST]),
        ([(SHORTEST, 0.0), (LONGEST, -0.1)], 2 * LONGEST, [SHORTEST]),  # safe, but only just
        ([(LONGEST + 1, 0.2), (LONGEST + 2, 0.3)], 2 * LONGEST, [LONGEST + 1]),  # the first safe one after all
        ([(SHORTEST, -0.5), (FORCED, 0.1)], FORCED + 1, [FORCED]),
        ([(SHORTEST, -0.5), (FORCED, -0.1), (FORCED + 1, 0.1)], FORCED + LONGEST, [FORCED]),
        ([(FORCED + 1, -0.3), (FORCED + 2, 0.3)], FORCED + LONGEST, [FORCED + 1]),
        ([(5000, 0.2), (7000, 0.1), (12000, 0.3), (18000, 0.3)], 20000, [5000, 12000]),
    ],
)
def test_the_safest_places_that_leave_fitting_parts(places, frames, expected):
    assert [cut.frame for cut in choose(cuts(*places), frames)] == expected


@pytest.mark.parametrize("seed", range(30))
def test_parts_cover_everything_once_and_hold_their_words(seed, monkeypatch):
    rng = random.Random(seed)
    words = rng.randint(1, 30)
    monkeypatch.setattr("streamhmm.align.splitting.SHORTEST", rng.choice((1, 60, 200)))
    monkeypatch.setattr("streamhmm.align.splitting.LONGEST", rng.choice((100, 300)))
    coarse = in_a_row([rng.choice((0.0, -1.0, -3.0)) for _ in range(words)])
    frames = 60 * words
    needed = [rng.choice((0, 10, 60, 100)) for _ in range(words)]
    parts = split(coarse, silent(frames), needed)
    ends = [(part.frames[1], part.words[1]) for part in parts]
    assert [(part.frames[0], part.words[0]) for part in parts] == [(0, 0), *ends[:-1]]
    assert ends[-1] == (frames, words)
    if len(parts) > 1:
        for (first, last), (begin, end) in parts:
            assert last - first >= sum(needed[begin:end])


def test_without_places_there_is_one_part():
    assert split(rough(None, None), silent(10 * LONGEST), [1, 2]) == [Part((0, 10 * LONGEST), (0, 2))]


def test_a_part_that_can_not_hold_its_words_is_joined_to_the_next_or_to_the_one_before(monkeypatch):
    monkeypatch.setattr("streamhmm.align.splitting.SHORTEST", 1)
    monkeypatch.setattr("streamhmm.align.splitting.LONGEST", 60)
    coarse, heard = in_a_row([0.0] * 4), silent(240)
    bounds = [0, 45, 105, 165, 240]  # in the middle of the pauses

    def parts(*needed):
        return [part.words for part in split(coarse, heard, needed)]

    assert [part.frames for part in split(coarse, heard, [0] * 4)] == list(pairwise(bounds))
    assert parts(45, 60, 60, 75) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert parts(46, 59, 60, 75) == [(0, 2), (2, 3), (3, 4)]
    assert parts(45, 60, 59, 76) == [(0, 1), (1, 2), (2, 4)]
    assert parts(45, 59, 60, 76) == [(0, 1), (1, 4)]
    assert parts(60, 60, 60, 61) == [(0, 4)]
