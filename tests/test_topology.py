"""The aligner's graph: what it allows, what it forbids, and that it runs on the fast kernel."""

import random

import pytest
import torch
from planted import random_runs, random_words, runs_to_scores

import streamhmm as sh
from streamhmm.align.topology import HURRY, PHONE_FRAMES, SHORT_PHONE_FRAMES, SILENCE_FRAMES, Phone, build_topology
from streamhmm.text import PHONES, SILENCE, Lexicon, SpokenWord, pronounce, tokenize

COLUMNS = {label: column for column, label in enumerate((*PHONES, SILENCE))}


def usual(label):
    """States of a phone or of silence."""
    return SILENCE_FRAMES if label == SILENCE else SHORT_PHONE_FRAMES.get(label, PHONE_FRAMES)


def shortest(label):
    """Of five states two can be passed over, of three states one, of silence none."""
    return {5: 3, 3: 2, SILENCE_FRAMES: SILENCE_FRAMES}[usual(label)]


def word(*parts):
    return read_as(parts)


def read_as(*readings):
    return SpokenWord(
        "word", tuple(tuple(tuple(tuple(spoken.split()) for spoken in part) for part in parts) for parts in readings)
    )


def runs_along(topology, states):
    """The path as (phone, frames), silence as None."""
    phones = topology.phone_of_state[states]
    values, counts = torch.unique_consecutive(phones, return_counts=True)
    return [
        (topology.phones[value].label if value >= 0 else None, count)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True)
    ]


def heard(words, runs):
    topology = build_topology(words, COLUMNS)
    path = sh.viterbi(runs_to_scores(runs, COLUMNS), topology.graph)
    return runs_along(topology, path.states)


def test_one_word_of_one_phone():
    topology = build_topology([word(["K"])], COLUMNS)
    assert topology.phones == (Phone("K", 0),)
    assert topology.phone_of_state.tolist() == [-1] * SILENCE_FRAMES + [0] * PHONE_FRAMES + [-1] * SILENCE_FRAMES
    silence, phone = COLUMNS[SILENCE], COLUMNS["K"]
    expected = [silence] * SILENCE_FRAMES + [phone] * PHONE_FRAMES + [silence] * SILENCE_FRAMES
    assert topology.graph.pdfs.tolist() == expected
    assert topology.min_frames == 3
    assert topology.graph.family == "linear"


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ([word(["K"])], ["K"]),
        ([word(["T"])], ["T"]),
        ([word(["K AE T", "AE"])], ["AE"]),
        ([word(["K AE T"], ["AH", "S T"])], ["K", "AE", "T", "AH"]),
        ([word(["K AE T"]), word(["IH Z"])], ["K", "AE", "T", "IH", "Z"]),
        ([read_as([["K AE T"]], [["AH"], ["IH"]], [["S"], ["T", "AA"]])], ["AH", "IH"]),
    ],
)
def test_the_shortest_path_is_the_shortest_pronunciations_without_silence(words, labels):
    topology = build_topology(words, COLUMNS)
    assert topology.min_frames == sum(map(shortest, labels))
    for frames, fits in ((topology.min_frames - 1, False), (topology.min_frames, True)):
        path = sh.viterbi(torch.zeros(frames, len(COLUMNS)), topology.graph)
        assert bool(torch.isfinite(path.score)) is fits
    assert runs_along(topology, path.states) == [(label, shortest(label)) for label in labels]
    assert path.score == HURRY * sum(usual(label) - shortest(label) for label in labels)


@pytest.mark.parametrize(
    ("label", "frames", "passed_over"),
    [("K", 3, 2), ("K", 4, 1), ("K", 5, 0), ("K", 6, 0), ("K", 99, 0), ("T", 2, 1), ("T", 3, 0), ("T", 4, 0)],
)
def test_each_frame_less_than_usual_has_its_cost(label, frames, passed_over):
    path = sh.viterbi(torch.zeros(frames, len(COLUMNS)), build_topology([word([label])], COLUMNS).graph)
    assert path.score == HURRY * passed_over


def test_a_phone_lasts_its_shortest_duration_and_as_long_as_it_likes():
    words = [word(["K AE"])]
    assert heard(words, [("K", 1), ("AE", 20)]) == [("K", 3), ("AE", 18)]
    assert heard(words, [("K", 3), ("AE", 20)]) == [("K", 3), ("AE", 20)]
    assert heard(words, [("K", 300), ("AE", 200)]) == [("K", 300), ("AE", 200)]


def test_haste_costs_less_than_a_frame_of_another_phone_and_more_than_a_little_doubt():
    topology = build_topology([word(["K AE"])], COLUMNS)
    for doubt, frames_of_k in ((1.9, 5), (2.1, 4)):  # what frame 4 speaks against K
        scores = runs_to_scores([("K", 4), ("AE", 10)], COLUMNS)
        scores[4, COLUMNS["K"]] = scores[4, COLUMNS["AE"]] - doubt
        assert runs_along(topology, sh.viterbi(scores, topology.graph).states)[0] == ("K", frames_of_k)


@pytest.mark.parametrize("before", [0, SILENCE_FRAMES, 40])
@pytest.mark.parametrize("between", [0, SILENCE_FRAMES, 40])
@pytest.mark.parametrize("after", [0, SILENCE_FRAMES, 40])
def test_silence_may_stand_around_words(before, between, after):
    words = [word(["K AE"]), word(["T UW"])]
    runs = [(SILENCE, before), ("K", 5), ("AE", 6), (SILENCE, between), ("T", 7), ("UW", 8), (SILENCE, after)]
    expected = [(None if label == SILENCE else label, frames) for label, frames in runs if frames]
    assert heard(words, runs) == expected


MARGINS = range(1, SILENCE_FRAMES)


@pytest.mark.parametrize("before", [0, *MARGINS])
@pytest.mark.parametrize("after", [0, *MARGINS])
def test_a_recording_may_begin_and_end_within_silence(before, after):
    runs = [(SILENCE, before), ("K", 5), ("AE", 6), ("T", 7), (SILENCE, after)]
    expected = [(None if label == SILENCE else label, frames) for label, frames in runs if frames]
    assert heard([word(["K AE T"])], runs) == expected


@pytest.mark.parametrize("frames", MARGINS)
def test_recordings_begin_and_end_within_silence_in_every_reading(frames):
    words = [read_as([["K"]], [["T"], ["UW"]]), read_as([["S"], ["N"]], [["AE"]])]
    for labels in (["K", "AE"], ["T", "UW", "S", "N"]):
        spoken = [(label, 6) for label in labels]
        found = heard(words, [(SILENCE, frames), *spoken, (SILENCE, frames)])
        assert found == [(None, frames), *spoken, (None, frames)]


@pytest.mark.parametrize("pause", MARGINS)
def test_silence_between_words_and_parts_lasts_its_shortest_duration(pause):
    for words in ([word(["K AE"]), word(["T UW"])], [word(["K AE"], ["T UW"])]):
        found = heard(words, [("K", 9), ("AE", 9), (SILENCE, pause), ("T", 9), ("UW", 9)])
        assert [frames for label, frames in found if label is None] in ([], [SILENCE_FRAMES])


def test_silence_alone_is_no_path():
    topology = build_topology([word(["K"])], COLUMNS)
    scores = torch.full((20, len(COLUMNS)), float("-inf"))
    scores[:, COLUMNS[SILENCE]] = 0.0
    assert sh.viterbi(scores, topology.graph).score == float("-inf")


def test_silence_may_not_stand_within_a_part():
    words = [word(["K AE T UW"])]
    runs = [("K", 5), ("AE", 6), (SILENCE, 20), ("T", 7), ("UW", 8)]
    labels = [label for label, _ in heard(words, runs)]
    assert None not in labels[labels.index("K") : labels.index("UW")]


@pytest.mark.parametrize("between", [0, SILENCE_FRAMES, 40])
def test_silence_may_stand_between_the_parts_of_a_word(between):
    words = [word(["K AE"], ["T UW"])]
    runs = [("K", 5), ("AE", 6), (SILENCE, between), ("T", 7), ("UW", 8)]
    expected = [(None if label == SILENCE else label, frames) for label, frames in runs if frames]
    assert heard(words, runs) == expected


@pytest.mark.parametrize("spoken", ["N AY N | T IY N", "W AH N | AE N D | T UW", "UW"])
@pytest.mark.parametrize("between", [0, SILENCE_FRAMES])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_audio_decides_between_readings(spoken, between, place):
    several = read_as([["N AY N"], ["T IY N"]], [["W AH N"], ["AE N D", "AH N"], ["T UW"]], [["OW", "UW"]])
    words = [word(["M IY"]), word(["K AA"])]
    words.insert(place, several)
    before, after = (["M IY", "K AA"][:place], ["M IY", "K AA"][place:])
    runs = []
    for part in (*before, *spoken.split(" | "), *after):
        runs += [(SILENCE, between)] * bool(runs) + [(label, 6) for label in part.split()]
    assert heard(words, runs) == [(None if label == SILENCE else label, frames) for label, frames in runs if frames]


def test_readings_do_not_mix():
    words = [read_as([["K"], ["T"]], [["S"], ["N"]])]
    labels = [label for label, _ in heard(words, [("K", 10), ("N", 10)])]
    assert labels in (["K", "T"], ["S", "N"])


@pytest.mark.parametrize("spoken", ["K AE T", "K AA", "EY", "K AE T S"])
def test_the_audio_decides_between_pronunciations(spoken):
    words = [word(["M IY"]), word(["K AE T", "K AA", "EY", "K AE T S"]), word(["N OW"])]
    runs = [(label, 6) for label in ("M", "IY", *spoken.split(), "N", "OW")]
    assert heard(words, runs) == runs


def test_each_part_of_a_hyphenated_word_has_its_own_alternatives():
    words = [word(["EH K S", "IH K S"], ["R EY", "R AY"])]
    for first in ("EH", "IH"):
        for second in ("EY", "AY"):
            runs = [(label, 6) for label in (first, "K", "S", "R", second)]
            assert heard(words, runs) == runs
    assert {phone.word for phone in build_topology(words, COLUMNS).phones} == {0}


def test_the_same_phone_twice_is_two_phones():
    words = [word(["B AH S"]), word(["S T AA P"])]
    topology = build_topology(words, COLUMNS)
    runs = [("B", 4), ("AH", 6), ("S", 9), ("T", 5), ("AA", 6), ("P", 6)]
    found = runs_along(topology, sh.viterbi(runs_to_scores(runs, COLUMNS), topology.graph).states)
    assert [label for label, _ in found] == ["B", "AH", "S", "S", "T", "AA", "P"]
    assert found[2][1] + found[3][1] == 9


@pytest.mark.parametrize("seed", range(20))
def test_planted_paths_are_found_to_the_frame(seed):
    rng = random.Random(seed)
    words, columns = random_words(rng, rng.randint(1, 12))
    runs, indices = random_runs(rng, words, shortest, silence=rng.choice((0.0, 0.5, 1.0)))
    topology = build_topology(words, columns)
    assert topology.graph.family == "linear"
    assert topology.min_frames <= sum(frames for _, frames in runs)
    path = sh.viterbi(runs_to_scores(runs, columns), topology.graph)
    found = runs_along(topology, path.states)
    assert found == [(None if label == SILENCE else label, frames) for label, frames in runs]
    passed = torch.unique_consecutive(topology.phone_of_state[path.states]).tolist()
    assert [topology.phones[phone].word for phone in passed if phone >= 0] == indices


def test_a_text_of_ten_thousand_words_is_linear_too():
    text = "The quick brown fox jumped over a well-known, lazy dog " * 1_000
    words = pronounce(tokenize(text), Lexicon()).words
    topology = build_topology(words, COLUMNS)
    assert topology.graph.family == "linear"
    assert len(words) == 10_000
    per_sentence = build_topology(words[:10], COLUMNS)
    assert topology.min_frames == 1_000 * per_sentence.min_frames
    sentence_states = per_sentence.graph.num_states - SILENCE_FRAMES
    assert topology.graph.num_states == SILENCE_FRAMES + 1_000 * sentence_states
    assert len(topology.phone_of_state) == topology.graph.num_states
    assert topology.phones[-1].word == 9_999


def test_every_state_emits_the_column_of_its_phone():
    words = pronounce(tokenize("She read the record, O'Neill's x-ray 42 times"), Lexicon()).words
    topology = build_topology(words, COLUMNS)
    names = [topology.phones[phone].label if phone >= 0 else SILENCE for phone in topology.phone_of_state.tolist()]
    assert topology.graph.pdfs.tolist() == [COLUMNS[name] for name in names]
