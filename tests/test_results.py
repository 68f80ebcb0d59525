"""From a path to segments: times, their spread, labels and scores."""

import dataclasses
import math
import random
from itertools import pairwise

import pytest
import torch
from planted import FRAME_S, decode_scores, random_runs, random_words, runs_to_scores, segments_of

import streamhmm as sh
from streamhmm import formats
from streamhmm.align.calibration import UNCALIBRATED
from streamhmm.align.results import Alignment, find_edges, phone_segments, word_segments
from streamhmm.align.topology import PHONE_FRAMES, SHORT_PHONE_FRAMES, SILENCE_FRAMES
from streamhmm.text import SILENCE, SpokenWord

COLUMNS = {SILENCE: 0, "K": 1, "AE": 2, "T": 3}
CAT = SpokenWord("Cat,", (((("K", "AE", "T"),),),))
FLOOR_MS = UNCALIBRATED.spread_floor_ms


def shortest(label):
    return {SILENCE_FRAMES: SILENCE_FRAMES, 5: 3, 3: 2}[
        SILENCE_FRAMES if label == SILENCE else SHORT_PHONE_FRAMES.get(label, PHONE_FRAMES)
    ]


def align(words, columns, runs, duration=None):
    """The phones of planted runs, and for each the index of its word; the n-th has the score 1/n."""
    return align_scores(words, columns, runs_to_scores(runs, columns), duration)


def align_scores(words, columns, scores, duration=None):
    decoding = decode_scores(words, columns, scores)
    duration = len(scores) * FRAME_S if duration is None else duration
    edges = find_edges(decoding.runs, scores, FRAME_S, duration, UNCALIBRATED)
    owners = tuple(phone.word for phone in decoding.phones)
    return phone_segments(decoding, edges, 1 / torch.arange(1, len(owners) + 1)), owners


def edges_of(scores, calibration=UNCALIBRATED):
    return find_edges(decode_scores([CAT], COLUMNS, scores).runs, scores, FRAME_S, len(scores) * FRAME_S, calibration)


def test_times_are_those_of_the_frames_with_the_end_exclusive():
    phones, words = align([CAT], COLUMNS, [(SILENCE, 10), ("K", 5), ("AE", 6), ("T", 7), (SILENCE, 12)])
    assert [(p.label, p.start, p.end) for p in phones] == [
        ("K", 10 * FRAME_S, 15 * FRAME_S),
        ("AE", 15 * FRAME_S, 21 * FRAME_S),
        ("T", 21 * FRAME_S, 28 * FRAME_S),
    ]
    assert words == (0, 0, 0)


def test_a_word_with_a_pause_in_it_is_from_its_first_phone_to_its_last():
    word = SpokenWord("ATK", (((("AE",),), (("T",), ("T", "K"))),))
    phones, words = align([word, CAT], COLUMNS, [("AE", 8), (SILENCE, 10), ("T", 6), ("K", 7), ("AE", 8), ("T", 9)])
    assert words == (0, 0, 1, 1, 1)
    spoken, _ = word_segments(["ATK", "Cat,"], phones, words, torch.tensor([0.25, 0.5]))
    assert (spoken.start, spoken.end, spoken.score) == (0.0, 24 * FRAME_S, 0.25)


@pytest.mark.parametrize("missing_s", [0.0, 0.001, 0.005, 0.0099375])
def test_the_last_segment_ends_with_audio_that_ends_within_a_frame(missing_s):
    duration = 18 * FRAME_S - missing_s
    phones, _ = align([CAT], COLUMNS, [("K", 5), ("AE", 6), ("T", 7)], duration)
    assert phones[-1].end == duration
    assert phones[-1].start == 11 * FRAME_S


def test_phones_and_words_have_the_scores_that_are_given():
    phones, words = align([CAT, CAT], COLUMNS, [("K", 5), ("AE", 6), ("T", 7)] * 2)
    assert [phone.score for phone in phones] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6])
    found = word_segments(["Cat,", "cat"], phones, words, torch.tensor([0.75, 0.0]))
    assert [(word.label, word.score) for word in found] == [("Cat,", 0.75), ("cat", 0.0)]


@pytest.mark.parametrize(
    ("lead_before", "lead_after", "moved_frames"),
    [(-1, 1, 0.0), (-1, 3, -0.25), (-3, 1, 0.25), (-1, 0, 0.0), (1, 2, 0.0), (-2, -1, 0.0), (float("-inf"), 1, 0.0)],
)
def test_a_boundary_lies_where_the_next_phone_overtakes(lead_before, lead_after, moved_frames):
    runs = decode_scores([CAT], COLUMNS, runs_to_scores([("K", 5), ("AE", 6), ("T", 7)], COLUMNS)).runs
    scores = torch.zeros(18, len(COLUMNS))
    scores[4, COLUMNS["AE"]], scores[5, COLUMNS["AE"]] = lead_before, lead_after
    times = find_edges(runs, scores, FRAME_S, 0.18, UNCALIBRATED).times
    assert times.tolist() == pytest.approx([0.0, (5 + moved_frames) * FRAME_S, 11 * FRAME_S, 0.18], abs=1e-12)


def test_boundaries_lie_where_the_scores_cross():
    scores = runs_to_scores([("K", 5), ("AE", 6), ("T", 7)], COLUMNS)
    scores[4, COLUMNS["K"]], scores[4, COLUMNS["AE"]] = -1.0, -2.0  # the next phone is 1 behind at frame 4 …
    scores[5, COLUMNS["K"]], scores[5, COLUMNS["AE"]] = -3.0, 0.0  # … and 3 ahead at frame 5: a quarter of the way
    assert edges_of(scores).times.tolist() == pytest.approx([0.0, 4.75 * FRAME_S, 11 * FRAME_S, 0.18])


def test_boundaries_without_a_crossing_lie_between_the_frames():
    times = edges_of(torch.zeros(18, len(COLUMNS))).times
    assert times[[0, -1]].tolist() == [0.0, 0.18]
    assert torch.equal(times[1:-1] / FRAME_S, (times[1:-1] / FRAME_S).round())


def test_a_spread_has_a_gain_and_a_floor_and_is_unknown_at_the_ends_of_the_recording():
    scores = runs_to_scores([("K", 5), ("AE", 6), ("T", 7)], COLUMNS)
    scores[5:9, COLUMNS["K"]] = scores[5:9, COLUMNS["AE"]]  # before frame 5 or up to four later: five even places
    calibration = dataclasses.replace(UNCALIBRATED, spread_scale=1.0, spread_gain=3.0, spread_floor_ms=5.0)
    even_ms = 10 * math.sqrt((25 - 1) / 12)
    expected = [math.nan, math.hypot(3 * even_ms, 5), 5.0, math.nan]
    assert edges_of(scores, calibration).sds.tolist() == pytest.approx(expected, abs=0.01, nan_ok=True)


@pytest.mark.parametrize("before", [0, 1, 3, 7, 8])
@pytest.mark.parametrize("after", [0, 1, 3, 7, 8])
def test_margins_of_silence_are_found_and_have_a_spread(before, after):
    runs = [(SILENCE, before), ("K", 5), ("AE", 6), ("T", 7), (SILENCE, after)]
    phones, owners = align([CAT], COLUMNS, [run for run in runs if run[1]])
    (word,) = word_segments(["Cat,"], phones, owners, torch.tensor([1.0]))
    assert (word.start, word.end) == (before * FRAME_S, pytest.approx((before + 18) * FRAME_S))
    assert ((word.start_sd is None), (word.end_sd is None)) == (before == 0, after == 0)
    assert all(sd is None or sd >= FLOOR_MS for sd in (word.start_sd, word.end_sd))
    inner = [sd for left, right in pairwise(phones) for sd in (left.end_sd, right.start_sd)]
    assert None not in inner


def test_neighbours_share_the_spread_of_their_boundary():
    scores = runs_to_scores([(SILENCE, 10), ("K", 5), ("AE", 6), ("T", 7)], COLUMNS)
    scores[15:19, COLUMNS["K"]] = scores[15:19, COLUMNS["AE"]]
    (k, ae, t), owners = align_scores([CAT], COLUMNS, scores)
    assert k.end_sd == ae.start_sd > 2 * k.start_sd > 2 * FLOOR_MS
    assert ae.end_sd == t.start_sd > FLOOR_MS
    assert t.end_sd is None
    (word,) = word_segments(["Cat,"], (k, ae, t), owners, torch.tensor([1.0]))
    assert (word.start_sd, word.end_sd) == (k.start_sd, t.end_sd)


def test_a_word_is_from_its_first_phone_to_its_last():
    segments = (
        sh.Segment("K", 0.1, 0.2, 0.9, 1.0, 2.0),
        sh.Segment("AE", 0.2, 0.5, 0.3, 2.0, 3.0),
        sh.Segment("T", 0.8, 0.9, 0.5, 4.0, 5.0),
    )
    words = word_segments(["It's", "“t”"], segments, (0, 0, 1), torch.tensor([0.75, 0.5]))
    assert words == (sh.Segment("It's", 0.1, 0.5, 0.75, 1.0, 3.0), sh.Segment("“t”", 0.8, 0.9, 0.5, 4.0, 5.0))


@pytest.mark.parametrize("seed", range(20))
def test_planted_segments_come_back_exactly(seed):
    rng = random.Random(seed)
    words, columns = random_words(rng, rng.randint(1, 12))
    runs, indices = random_runs(rng, words, shortest, silence=0.5)
    phones, owners = align(words, columns, runs)
    planted = [(label, begin * FRAME_S, end * FRAME_S) for label, begin, end in segments_of(runs)]
    duration = sum(frames for _, frames in runs) * FRAME_S
    assert [(p.label, p.start, p.end) for p in phones] == [
        (label, begin, min(end, duration)) for label, begin, end in planted
    ]
    assert owners == tuple(indices)
    found = word_segments([word.label for word in words], phones, owners, torch.ones(len(words)))
    assert [word.label for word in found] == [word.label for word in words]
    for index, word in enumerate(found):
        mine = [phone for phone, owner in zip(phones, owners, strict=True) if owner == index]
        assert (word.start, word.end) == (mine[0].start, mine[-1].end)
        assert (word.start_sd, word.end_sd) == (mine[0].start_sd, mine[-1].end_sd)


@pytest.mark.parametrize("suffix", [".TextGrid", ".json", ".csv"])
def test_an_alignment_is_saved_by_its_suffix_and_read_again(tmp_path, suffix):
    phones, owners = align([CAT], COLUMNS, [(SILENCE, 10), ("K", 5), ("AE", 6), ("T", 7)])
    words = word_segments(["Cat,"], phones, owners, torch.tensor([0.5]))
    Alignment(words, phones, owners, 0.28, "cat.wav", "Cat,").save(tmp_path / f"cat{suffix}")
    found = formats.load(tmp_path / f"cat{suffix}")
    assert [(w.label, w.start, w.end) for w in found.words] == [("Cat,", 0.1, 0.28)]
    assert found.phone_words == (0, 0, 0)


def test_an_alignment_is_saved_in_the_format_that_is_named(tmp_path):
    phones, owners = align([CAT], COLUMNS, [("K", 5), ("AE", 6), ("T", 7)])
    alignment = Alignment(word_segments(["cat"], phones, owners, torch.tensor([0.5])), phones, owners, 0.18)
    alignment.save(tmp_path / "cat.TextGrid", format="textgrid-short")
    assert "intervals" not in (tmp_path / "cat.TextGrid").read_text("utf-8")
    assert [word.label for word in formats.load(tmp_path / "cat.TextGrid").words] == ["cat"]


def test_an_unknown_suffix_is_refused(tmp_path):
    phones, owners = align([CAT], COLUMNS, [("K", 5), ("AE", 6), ("T", 7)])
    alignment = Alignment(word_segments(["cat"], phones, owners, torch.tensor([0.5])), phones, owners, 0.18)
    with pytest.raises(ValueError, match=r"the suffix of .*cat\.xyz' must be one of \.TextGrid, \.json, \.csv"):
        alignment.save(tmp_path / "cat.xyz")
    assert list(tmp_path.iterdir()) == []
