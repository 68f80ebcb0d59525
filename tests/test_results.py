"""From a path to segments: times, labels and scores."""

import math
import random

import pytest
import torch
from planted import FRAME_S, random_runs, random_words, runs_to_scores, segments_of

import streamhmm as sh
from streamhmm import formats
from streamhmm.align.results import Alignment, PhoneSegments, mean_score, phone_segments, word_segments
from streamhmm.align.topology import PHONE_FRAMES, SHORT_PHONE_FRAMES, SILENCE_FRAMES, build_topology
from streamhmm.text import SILENCE, SpokenWord

COLUMNS = {SILENCE: 0, "K": 1, "AE": 2, "T": 3}
CAT = SpokenWord("Cat,", (((("K", "AE", "T"),),),))


def shortest(label):
    return SILENCE_FRAMES if label == SILENCE else SHORT_PHONE_FRAMES.get(label, PHONE_FRAMES)


def align(words, columns, runs, duration=None):
    topology = build_topology(words, columns)
    scores = runs_to_scores(runs, columns)
    path = sh.viterbi(scores, topology.graph)
    return phone_segments(
        path.states, topology, scores, scores, FRAME_S, len(scores) * FRAME_S if duration is None else duration
    )


def test_times_are_those_of_the_frames_with_the_end_exclusive():
    phones = align([CAT], COLUMNS, [(SILENCE, 10), ("K", 5), ("AE", 6), ("T", 7), (SILENCE, 12)])
    assert [(p.label, p.start, p.end) for p in phones.segments] == [
        ("K", 10 * FRAME_S, 15 * FRAME_S),
        ("AE", 15 * FRAME_S, 21 * FRAME_S),
        ("T", 21 * FRAME_S, 28 * FRAME_S),
    ]
    assert phones.words == (0, 0, 0)


def test_a_word_with_a_pause_in_it_is_from_its_first_phone_to_its_last():
    word = SpokenWord("ATK", (((("AE",),), (("T",), ("T", "K"))),))
    phones = align([word, CAT], COLUMNS, [("AE", 8), (SILENCE, 10), ("T", 6), ("K", 7), ("AE", 8), ("T", 9)])
    assert phones.words == (0, 0, 1, 1, 1)
    spoken, _ = word_segments(["ATK", "Cat,"], phones)
    assert (spoken.start, spoken.end) == (0.0, 24 * FRAME_S)
    assert spoken.score == pytest.approx(math.exp(-0.01))


@pytest.mark.parametrize("missing_s", [0.0, 0.001, 0.005, 0.0099375])
def test_the_last_segment_ends_with_audio_that_ends_within_a_frame(missing_s):
    duration = 18 * FRAME_S - missing_s
    phones = align([CAT], COLUMNS, [("K", 5), ("AE", 6), ("T", 7)], duration)
    assert phones.segments[-1].end == duration
    assert phones.segments[-1].start == 11 * FRAME_S


def test_a_phone_scores_the_geometric_mean_of_its_frames():
    topology = build_topology([CAT], COLUMNS)
    scores = runs_to_scores([("K", 5), ("AE", 6), ("T", 7)], COLUMNS)
    scores[5:11, COLUMNS["AE"]] = torch.tensor([0.5, 0.25, 0.5, 0.25, 0.5, 0.25]).log()
    path = sh.viterbi(scores, topology.graph)
    phones = phone_segments(path.states, topology, scores, scores, FRAME_S, 0.18)
    assert phones.segments[1].score == pytest.approx(math.sqrt(0.125), abs=1e-6)
    assert phones.segments[0].score == pytest.approx(math.exp(-0.01), abs=1e-6)


@pytest.mark.parametrize(
    ("lead_before", "lead_after", "moved_frames"),
    [(-1, 1, 0.0), (-1, 3, -0.25), (-3, 1, 0.25), (-1, 0, 0.0), (1, 2, 0.0), (-2, -1, 0.0), (float("-inf"), 1, 0.0)],
)
def test_a_boundary_lies_where_the_next_phone_overtakes(lead_before, lead_after, moved_frames):
    topology = build_topology([CAT], COLUMNS)
    frames = [("K", 5), ("AE", 6), ("T", 7)]
    path = sh.viterbi(runs_to_scores(frames, COLUMNS), topology.graph)
    scores = torch.zeros(18, len(COLUMNS))
    scores[4, COLUMNS["AE"]], scores[5, COLUMNS["AE"]] = lead_before, lead_after
    phones = phone_segments(path.states, topology, scores, scores, FRAME_S, 0.18)
    boundary = pytest.approx((5 + moved_frames) * FRAME_S, abs=1e-12)
    assert (phones.segments[0].end, phones.segments[1].start) == (boundary, boundary)
    assert (phones.segments[0].start, phones.segments[1].end, phones.segments[2].end) == (0.0, 11 * FRAME_S, 0.18)


@pytest.mark.parametrize(("log_posterior", "score"), [(1e-6, 1.0), (0.0, 1.0), (-1e4, 0.0)])
def test_scores_stay_between_0_and_1(log_posterior, score):
    topology = build_topology([CAT], COLUMNS)
    scores = torch.full((18, len(COLUMNS)), log_posterior)
    path = sh.viterbi(scores, topology.graph)
    phones = phone_segments(path.states, topology, scores, scores, FRAME_S, 0.18)
    assert [phone.score for phone in phones.segments] == [score] * 3
    assert word_segments(["cat"], phones)[0].score == pytest.approx(score, abs=1e-29)


def test_a_word_spans_its_phones_and_weighs_their_scores_by_duration():
    segments = (sh.Segment("K", 0.1, 0.2, 0.9), sh.Segment("AE", 0.2, 0.5, 0.3), sh.Segment("T", 0.8, 0.9, 0.5))
    words = word_segments(["It's", "“t”"], PhoneSegments(segments, (0, 0, 1)))
    assert words[0] == sh.Segment("It's", 0.1, 0.5, pytest.approx(0.9**0.25 * 0.3**0.75))
    assert words[1] == sh.Segment("“t”", 0.8, 0.9, pytest.approx(0.5))


def test_the_mean_score_is_weighted_by_duration():
    segments = [sh.Segment("K", 0.0, 1.0, 0.25), sh.Segment("AE", 1.0, 4.0, 1.0)]
    assert mean_score(segments) == pytest.approx(0.25**0.25)


@pytest.mark.parametrize("seed", range(20))
def test_planted_segments_come_back_exactly(seed):
    rng = random.Random(seed)
    words, columns = random_words(rng, rng.randint(1, 12))
    runs, indices = random_runs(rng, words, shortest, silence=0.5)
    phones = align(words, columns, runs)
    planted = [(label, begin * FRAME_S, end * FRAME_S) for label, begin, end in segments_of(runs)]
    duration = sum(frames for _, frames in runs) * FRAME_S
    assert [(p.label, p.start, p.end) for p in phones.segments] == [
        (label, begin, min(end, duration)) for label, begin, end in planted
    ]
    assert phones.words == tuple(indices)
    found = word_segments([word.label for word in words], phones)
    assert [word.label for word in found] == [word.label for word in words]
    for index, word in enumerate(found):
        mine = [phone for phone, owner in zip(phones.segments, phones.words, strict=True) if owner == index]
        assert (word.start, word.end) == (mine[0].start, mine[-1].end)
        assert word.score == pytest.approx(math.exp(-0.01), abs=1e-6)


@pytest.mark.parametrize("suffix", [".TextGrid", ".json"])
def test_an_alignment_is_saved_by_its_suffix_and_read_again(tmp_path, suffix):
    phones = align([CAT], COLUMNS, [(SILENCE, 10), ("K", 5), ("AE", 6), ("T", 7)])
    alignment = Alignment(word_segments(["Cat,"], phones), phones.segments, phones.words, 0.28, "cat.wav", "Cat,")
    alignment.save(tmp_path / f"cat{suffix}")
    found = formats.load(tmp_path / f"cat{suffix}")
    assert [(w.label, w.start, w.end) for w in found.words] == [("Cat,", 0.1, 0.28)]
    assert [(p.label, p.start, p.end) for p in found.phones] == [
        ("K", 0.1, 0.15),
        ("AE", 0.15, 0.21),
        ("T", 0.21, 0.28),
    ]
    assert found.phone_words == (0, 0, 0)


def test_an_unknown_suffix_is_refused(tmp_path):
    phones = align([CAT], COLUMNS, [("K", 5), ("AE", 6), ("T", 7)])
    alignment = Alignment(word_segments(["cat"], phones), phones.segments, phones.words, 0.18)
    with pytest.raises(ValueError, match=r"the suffix of .*cat\.xyz' must be one of \.TextGrid, \.json"):
        alignment.save(tmp_path / "cat.xyz")
    assert list(tmp_path.iterdir()) == []


def test_boundaries_lie_where_the_scores_cross():
    topology = build_topology([CAT], COLUMNS)
    scores = runs_to_scores([("K", 5), ("AE", 6), ("T", 7)], COLUMNS)
    scores[4, COLUMNS["K"]], scores[4, COLUMNS["AE"]] = -1.0, -2.0  # the next phone is 1 behind at frame 4 …
    scores[5, COLUMNS["K"]], scores[5, COLUMNS["AE"]] = -3.0, 0.0  # … and 3 ahead at frame 5: a quarter of the way
    path = sh.viterbi(scores, topology.graph)
    phones = phone_segments(path.states, topology, scores, scores, FRAME_S, 0.18)
    assert phones.segments[0].end == phones.segments[1].start == pytest.approx(4.75 * FRAME_S)
    assert phones.segments[1].end == pytest.approx(11 * FRAME_S)


def test_boundaries_without_a_crossing_lie_between_the_frames():
    topology = build_topology([CAT], COLUMNS)
    scores = torch.zeros(18, len(COLUMNS))
    path = sh.viterbi(scores, topology.graph)
    phones = phone_segments(path.states, topology, scores, scores, FRAME_S, 0.18)
    assert [segment.start / FRAME_S % 1 for segment in phones.segments[1:]] == pytest.approx([0.0, 0.0], abs=1e-9)
