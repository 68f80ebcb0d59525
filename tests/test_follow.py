"""What a speaker may do besides reading word after word: each liberty taken, each not taken, and what is said of it."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from functools import partial
from itertools import pairwise

import pytest
import torch
from planted import CERTAIN, decode_scores, evenly, muffled, reading, runs_to_scores

import streamhmm as sh
from streamhmm.align.filler import BEST_PHONES, FILLER_COST, PAUSE_COST, with_filler
from streamhmm.align.follow import (
    IMPERFECT,
    IN_SECTION,
    LEAD_IN,
    MOST_IN_PHRASE,
    MOST_IN_SENTENCE,
    PAID_LEAVING,
    START,
    Follow,
    breaks_of_gaps,
    hops,
    with_sections,
)
from streamhmm.align.runs import read_runs
from streamhmm.align.topology import OFFSCRIPT, SILENCE_FRAMES, SILENT, TALK_FRAMES, build_topology
from streamhmm.text import PHONES, SILENCE, Break, Lexicon, SpokenWord, pronounce, tokenize

COLUMNS = {label: column for column, label in enumerate((*PHONES, SILENCE))}
FILLER = len(COLUMNS)
N, P, S = Break
COSTS = Follow()
FREE = Follow(**dict.fromkeys(vars(COSTS), 0.0))
SOUNDS = ["K AE", "T UW", "S IY", "M AA", "F ER", "L OW", "Z IH", "B EY", "N AY", "G EH", "V AO", "P UH"]
"""Words of which no two share a sound."""
OTHER, BESIDE = ["JH", "OY", "CH", "AW", "HH", "Y", "UH", "AH"], ("SH", "TH")
"""Sounds of other speech, and those that they are like in babble."""
FRAMES, TALK_COST = 20, 1.6


def word(sounds, followed_by=N):
    return SpokenWord(sounds.lower(), (((tuple(sounds.split()),),),), followed_by)


def script(breaks):
    return [word(sounds, after) for sounds, after in zip(SOUNDS, breaks, strict=False)]


SENTENCES = script([N, N, S] * 4)
"""Four of three words."""
LONG = script([N, P] * 5 + [N, S])
"""One of six phrases of two words."""


spoken = partial(reading, SOUNDS, FRAMES)


def scores_of(runs):
    """Scores in which a frame of other speech costs the same in any sound, and little in silence."""
    scores = runs_to_scores(runs, COLUMNS)
    heard = scores.argmax(1) == COLUMNS[SILENCE]
    filler = CERTAIN - torch.where(heard, PAUSE_COST, TALK_COST)
    return torch.cat([scores, filler[:, None]], dim=1)


def follow(words, runs, costs=COSTS, **options):
    """The indices of the words along the best path, and "talk" for other speech; and the path's score."""
    topology = build_topology(words, COLUMNS, follow=costs, **options)
    path = sh.viterbi(scores_of(runs), topology.graph)
    return read_off(topology, path.states), float(path.score)


def read_off(topology, states):
    found = []
    for before, state in pairwise([-1, *states.tolist()]):
        if topology.begins_word[state]:
            found.append(int(topology.word_of_state[state]))
        elif topology.phone_of_state[state] == OFFSCRIPT and (
            before < 0 or topology.phone_of_state[before] != OFFSCRIPT
        ):
            found.append("talk")
    return found


# The column of other speech.


def test_the_filler_is_the_mean_of_the_best_phones_less_a_cost_or_silence():
    assert BEST_PHONES == 3
    scores = torch.tensor([[-1.0, -2.0, -6.0, -9.0, -20.0], [-5.0, -4.0, -6.0, -8.0, -3.0]])
    found = with_filler(scores, 4)
    assert torch.equal(found[:, :5], scores)
    assert found[:, 5].tolist() == pytest.approx([-3 - FILLER_COST, -3 - PAUSE_COST])
    assert with_filler(scores, 1)[:, 5].tolist() == pytest.approx([-2 - PAUSE_COST, -4 - PAUSE_COST])
    assert with_filler(scores, 0)[1, 5].item() == pytest.approx(-5 - PAUSE_COST)


def test_fewer_phones_than_that_are_all_the_best():
    assert with_filler(torch.tensor([[-1.0, -2.0, -9.0]]), 2)[0, 3].item() == pytest.approx(-1.5 - FILLER_COST)
    assert with_filler(torch.tensor([[-1.0, -9.0]]), 1)[0, 2].item() == pytest.approx(-1 - FILLER_COST)


@pytest.mark.parametrize("chunk", [1, 7, 8, 9, 100])
def test_the_filler_of_chunks_is_that_of_the_whole(chunk):
    scores = torch.randn(100, 40, generator=torch.Generator().manual_seed(1))
    parts = torch.cat([with_filler(part, 39) for part in scores.split(chunk)])
    assert torch.equal(parts, with_filler(scores, 39))
    assert with_filler(scores[:0], 39).shape == (0, 41)
    assert torch.equal(with_filler(scores[None], 39)[0], parts)


# Gaps, and where jumps may go.


def test_the_breaks_of_gaps_begin_and_end_with_a_sentence():
    assert breaks_of_gaps([N]) == [S, S]
    assert breaks_of_gaps([N, P, S, N]) == [S, N, P, S, S]


@pytest.mark.parametrize("words", [1, MOST_IN_PHRASE, MOST_IN_PHRASE + 1, 10_000])
def test_a_text_without_punctuation_is_cut(words):
    gaps = breaks_of_gaps([N] * words)
    assert len(gaps) == words + 1
    ends = [gap for gap, kind in enumerate(gaps) if kind >= P]
    assert max(right - left for left, right in pairwise(ends)) <= MOST_IN_PHRASE
    ends = [gap for gap, kind in enumerate(gaps) if kind >= S]
    assert max(right - left for left, right in pairwise(ends)) <= MOST_IN_PHRASE * MOST_IN_SENTENCE
    assert len(ends) == 2 + (words - 1) // (MOST_IN_PHRASE * MOST_IN_SENTENCE)


def test_hops_lead_to_both_neighbours_of_each_level():
    weights = {name: -float(place) for place, name in enumerate(vars(COSTS))}
    costs = Follow(**weights)
    found = {(hop.source, hop.target): hop.weight for hop in hops([S, N, N, P, N, S, S], costs)}
    word, phrase, sentence = (
        (weights[f"skip_{level}"], weights[f"back_{level}"]) for level in ("word", "phrase", "sentence")
    )
    expected = {}
    for gap in range(6):
        expected[gap, gap + 1], expected[gap + 1, gap] = word
    expected |= {(0, 3): phrase[0], (1, 3): phrase[0], (2, 0): phrase[1], (3, 0): phrase[1], (3, 5): phrase[0]}
    expected |= {(5, 3): phrase[1]}
    expected |= {(0, 5): sentence[0], (5, 0): sentence[1]}
    assert found == expected


def test_the_cheaper_of_two_hops_counts():
    for cheap in ("word", "phrase", "sentence"):
        costs = Follow(
            **{f"skip_{level}": -1.0 if level == cheap else -9.0 for level in ("word", "phrase", "sentence")}
        )
        assert {hop.weight for hop in hops([S, S], costs) if hop.target > hop.source} == {-1.0}


@pytest.mark.parametrize("sentences", [1, 2, IN_SECTION, IN_SECTION + 1, IN_SECTION**2 + 2, 1000])
def test_sections_lead_from_end_to_end(sentences):
    gaps = with_sections([S, *[N, S] * sentences])
    levels = [kind for kind in gaps if kind != N]
    assert [min(kind, S) for kind in gaps] == [S, *[N, S] * sentences]
    assert levels[0] == levels[-1] == max(levels)
    for level in range(S, max(levels) + 1):
        places = [place for place, kind in enumerate(levels) if kind >= level]
        below = [place for place, kind in enumerate(levels) if kind >= level - 1 or level == S]
        assert all(
            below.index(right) - below.index(left) <= (1 if level == S else IN_SECTION)
            for left, right in pairwise(places)
        )
    assert sum(kind == max(levels) for kind in levels) == 2


@pytest.mark.parametrize("words", [1, 3, 100, 10_000])
def test_who_goes_forward_only_passes_over_anything_in_few_hops(words):
    gaps = with_sections(breaks_of_gaps([S if place % 10 == 9 else N for place in range(words)]))
    ahead: dict[int, list[int]] = {}
    for hop in hops(gaps, IMPERFECT):
        assert hop.target > hop.source
        ahead.setdefault(hop.source, []).append(hop.target)
    rng = random.Random(words)
    for _ in range(100):
        place, target = sorted(rng.randint(0, words) for _ in range(2))
        taken = 0
        while place < target:
            place = max(gap for gap in ahead[place] if gap <= target)
            taken += 1
        assert taken <= 10 + 10 + 4 * IN_SECTION + 8


def test_going_back():
    assert Follow().goes_back
    assert not IMPERFECT.goes_back
    for field in ("back_word", "back_phrase", "back_sentence"):
        assert dataclasses.replace(IMPERFECT, **{field: -1.0}).goes_back


def test_a_long_passage_passed_over_costs_no_time():
    words = [word(SOUNDS[place % 12], S if place % 3 == 2 else N) for place in range(1200)]
    runs = [*spoken(*range(12)), *spoken(*range(12))]
    found, _ = follow([*words[:12], *[word("HH AW", S)] * 1200, *words[:12]], runs, IMPERFECT)
    assert found == [*range(12), *range(1212, 1224)]


# Every liberty taken.

TAKEN = {
    "nothing": ([0, 1, 2, 3], [0, 1, 2, 3]),
    "pauses": ([None, 0, None, 1, 2, None, 3, None], [0, 1, 2, 3]),
    "one word skipped": ([0, 1, 2, 3, 5, 6], [0, 1, 2, 3, 5, 6]),
    "the first word skipped": ([None, 1, 2, 3], [1, 2, 3]),
    "two words skipped": ([0, 3, 4, 5], [0, 3, 4, 5]),
    "a word skipped in a pause": ([0, 1, 2, 3, None, 5, 6], [0, 1, 2, 3, 5, 6]),
    "a sentence skipped": ([0, 1, 2, 6, 7, 8], [0, 1, 2, 6, 7, 8]),
    "two sentences skipped": ([0, 1, 2, None, 9, 10, 11], [0, 1, 2, 9, 10, 11]),
    "the rest of a sentence skipped": ([0, 1, 2, 3, 6, 7], [0, 1, 2, 3, 6, 7]),
    "a word repeated": ([0, 1, 1, 2, 3], [0, 1, 1, 2, 3]),
    "the first word repeated": ([0, 0, 1, 2], [0, 0, 1, 2]),
    "a word three times": ([0, 1, 1, None, 1, 2, 3], [0, 1, 1, 1, 2, 3]),
    "back to the sentence's start": ([0, 1, 2, 3, 4, 3, 4, 5, 6], [0, 1, 2, 3, 4, 3, 4, 5, 6]),
    "back after the sentence's end": ([0, 1, 2, 3, 4, 5, None, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 3, 4, 5, 6]),
    "back two sentences": ([*range(6), 0, 1, 2, 3, 4], [*range(6), 0, 1, 2, 3, 4]),
    "talk between sentences": ([0, 1, 2, "JH OY CH AW HH Y UH OY JH", 3, 4], [0, 1, 2, "talk", 3, 4]),
    "talk with pauses": ([0, 1, 2, None, "JH OY CH AW", None, "HH Y UH", None, 3, 4], [0, 1, 2, "talk", 3, 4]),
    "a hesitation": ([0, None, "AH AH AH AH", None, 1, 2, 3], [0, "talk", 1, 2, 3]),
    "talk first": (["JH OY CH AW HH Y UH", None, 0, 1, 2], ["talk", 0, 1, 2]),
    "talk last": ([*range(12), "JH OY CH AW HH Y UH"], [*range(12), "talk"]),
    "other words in place of two": ([0, "JH OY CH AW HH Y", 3, 4], [0, "talk", 3, 4]),
    "talk, then back": ([*range(6), "JH OY CH AW HH Y", 3, 4, 5], [*range(6), "talk", 3, 4, 5]),
    "unfinished": ([0, 1, 2, 3, None], [0, 1, 2, 3]),
    "only talk": (["JH OY CH AW HH Y UH"], ["talk"]),
    "silence": ([None], []),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_liberty_taken(name):
    parts, expected = TAKEN[name]
    assert follow(SENTENCES, spoken(*parts))[0] == expected


@pytest.mark.parametrize(
    "expected",
    [
        [*range(12)],
        [0, 1, 2, 3, 2, 3, 4],  # the phrase again, from its end …
        [0, 1, 2, 2, 3, 4],  # … from within
        [0, 1, 2, 3, 4, 0, 1, 2],  # the sentence again
        [0, 1, 2, 4, 5],  # the rest of a phrase skipped
        [0, 1, 4, 5, 6],  # a phrase skipped
        [0, 1, 2, 10, 11],
    ],
)
def test_phrases_within_a_sentence(expected):
    assert follow(LONG, spoken(*expected))[0] == expected


def test_without_follow_nothing_of_this_is_possible():
    topology = build_topology(SENTENCES, COLUMNS)
    for parts, _ in TAKEN.values():
        runs = spoken(*parts, *range(12))
        path = sh.viterbi(runs_to_scores(runs, COLUMNS), topology.graph)
        assert read_off(topology, path.states) == [*range(12)]
    assert topology.graph.num_pdfs == len(COLUMNS)


# What they cost.

COST_OF = {
    "one word skipped": ("jump", "skip_word"),
    "a word repeated": ("jump", "back_word"),
    "talk between sentences": ("offscript",),
    "a hesitation": ("offscript_within",),
}


@pytest.mark.parametrize("name", COST_OF)
def test_a_liberty_costs_what_is_said(name):
    runs = [*spoken(*TAKEN[name][0]), *spoken(*range(max(p for p in TAKEN[name][0] if isinstance(p, int)) + 1, 12))]
    found, score = follow(SENTENCES, runs)
    for field in COST_OF[name]:
        cheaper = dataclasses.replace(COSTS, **{field: getattr(COSTS, field) + 2.0})
        again, raised = follow(SENTENCES, runs, cheaper)
        assert again == found
        assert raised - score == pytest.approx(2.0, abs=1e-4)
    others = [field for field in vars(COSTS) if field not in COST_OF[name]]
    unrelated = dataclasses.replace(COSTS, **{field: getattr(COSTS, field) - 2.0 for field in others})
    assert follow(SENTENCES, runs, unrelated) == (found, pytest.approx(score, abs=1e-6))


@pytest.mark.parametrize("name", [name for name in TAKEN if name not in ("nothing", "pauses", "silence")])
def test_no_liberty_is_taken_that_costs_too_much(name):
    dear = Follow(
        **dict.fromkeys(vars(COSTS), -1e5),
    )
    parts, _ = TAKEN[name]
    found, _ = follow(SENTENCES, [*spoken(*parts), *spoken(*range(12))], dear)
    assert found == [*range(12)]


def test_most_of_what_talk_costs_is_paid_at_its_end():
    words, talk = SENTENCES[:3], spoken("JH OY CH AW HH Y UH")
    _, plain = follow(words, spoken(0, 1, 2))
    found, score = follow(words, spoken(0, 1, 2) + talk)
    assert found == [0, 1, 2, "talk"]
    frames = sum(frames for _, frames in talk)
    expected = plain + (1 - PAID_LEAVING) * COSTS.offscript + frames * (CERTAIN - TALK_COST)
    assert score == pytest.approx(expected, abs=1e-3)


def test_a_plain_reading_scores_as_without_follow():
    runs = spoken(None, 0, 1, None, *range(2, 12))
    plain = build_topology(SENTENCES, COLUMNS)
    path = sh.viterbi(scores_of(runs), plain.graph)
    found, score = follow(SENTENCES, runs)
    assert (found, score) == ([*range(12)], float(path.score))


# What the states stand for.


def test_states_of_a_gap():
    topology = build_topology(script([N, N]), COLUMNS, follow=COSTS)
    phones, words = topology.phone_of_state.tolist(), topology.word_of_state.tolist()
    first_word = words.index(0)
    gap = slice(words.index(0) + 10, words.index(1))
    states = [SILENT] * SILENCE_FRAMES + [OFFSCRIPT] * TALK_FRAMES
    assert phones[gap] == [*states, SILENT]
    assert phones[:first_word] == [*states, *[SILENT] * SILENCE_FRAMES, SILENT]
    assert set(words[gap]) == {-1}
    columns = topology.graph.pdfs.tolist()
    assert columns[gap] == [COLUMNS[SILENCE]] * SILENCE_FRAMES + [FILLER] * (TALK_FRAMES + 1)
    assert topology.begins_word.nonzero().flatten().tolist() == [first_word, words.index(1)]
    assert topology.min_frames == 1


def test_words_stand_in_order_and_each_pronunciation_begins_one():
    words = pronounce(tokenize("The record: 1984, the end. A-b"), Lexicon()).words
    topology = build_topology(words, COLUMNS, follow=COSTS)
    owners = topology.word_of_state[topology.word_of_state >= 0]
    assert bool((owners.diff() >= 0).all())
    starts = Counter(topology.word_of_state[topology.begins_word].tolist())
    assert starts == {index: sum(len(reading[0]) for reading in word.readings) for index, word in enumerate(words)}


@pytest.mark.parametrize("sounds", ["K", "T", "K AE"])
@pytest.mark.parametrize("frames", [5, 9])
def test_a_word_read_twice_is_two_runs_of_each_phone(sounds, frames):
    topology = build_topology([word(sounds)], COLUMNS, follow=dataclasses.replace(FREE, offscript=-1e3))
    runs = [*evenly(sounds, frames), ("HH", 1), *evenly(sounds, frames)]
    scores = scores_of(runs)
    states = sh.viterbi(scores, topology.graph).states
    found = read_runs(states, topology)
    labels = [topology.phones[phone].label for phone in found.phones.tolist() if phone >= 0]
    assert labels == sounds.split() * 2


def test_a_run_ends_where_its_word_begins_anew():
    topology = build_topology([word("K")], COLUMNS)
    first = SILENCE_FRAMES
    states = torch.tensor([first, first + 2, first + 4, first + 4, first, first + 1, first + 2, first + 4])
    runs = read_runs(states, topology)
    assert (runs.phones.tolist(), runs.bounds.tolist()) == ([0, 0], [0, 4, 8])


# Size.


def test_ten_thousand_words_have_few_arcs_each_and_most_are_local():
    text = "The quick brown fox jumped over a lazy dog, and then it went home to sleep. " * 667
    words = pronounce(tokenize(text), Lexicon()).words
    assert len(words) >= 10_000
    plain = build_topology(words, COLUMNS)
    topology = build_topology(words, COLUMNS, follow=COSTS, lead_in=True)
    assert topology.graph.num_states < 1.3 * plain.graph.num_states
    assert topology.graph.num_arcs - plain.graph.num_arcs < 25 * len(words)
    hop_list = list(hops(breaks_of_gaps([word.followed_by for word in words]), COSTS))
    assert len(hop_list) < 5 * len(words)
    assert max(abs(hop.target - hop.source) for hop in hop_list) <= 16
    assert max(Counter(hop.target for hop in hop_list).values()) <= 20


@pytest.mark.parametrize("mark", ["", ",", "."])
def test_no_state_has_many_arcs_into_it_whatever_the_punctuation(mark):
    gaps = breaks_of_gaps([{"": N, ",": P, ".": S}[mark]] * 10_000)
    into = Counter(hop.target for hop in hops(gaps, COSTS))
    assert max(into.values()) <= 2 * (MOST_IN_PHRASE + MOST_IN_SENTENCE)


# Before the first word.

BEFORE = {
    "nothing": [],
    "a pause": [None],
    "talk": ["JH OY CH AW HH Y UH OY JH"],
    "talk and pauses": [None, "JH OY CH AW", None, None, "HH Y UH OY JH", None],
    "one of its own words": ["JH OY CH AW", 5, "HH Y UH OY", None],
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("costs", [None, COSTS])
def test_anything_may_come_before_the_first_word(before, costs):
    topology = build_topology(SENTENCES, COLUMNS, follow=costs, lead_in=True)
    runs = spoken(*BEFORE[before], *range(12))
    path = sh.viterbi(scores_of(runs), topology.graph)
    talks = [] if before in ("nothing", "a pause") else ["talk"]
    assert read_off(topology, path.states) == [*talks, *range(12)]
    starts = topology.begins_word[path.states].nonzero().flatten().tolist()
    begin = sum(frames for _, frames in spoken(*BEFORE[before]))
    assert starts == [begin + 2 * FRAMES * place for place in range(12)]


def test_what_a_lead_in_costs():
    runs = spoken(*range(12))
    plain = sh.viterbi(scores_of(runs), build_topology(SENTENCES, COLUMNS).graph)
    lead = build_topology(SENTENCES, COLUMNS, lead_in=True)
    assert float(sh.viterbi(scores_of(runs), lead.graph).score) == pytest.approx(float(plain.score) + START)
    talk = spoken("JH OY CH AW HH Y UH")
    expected = float(plain.score) + START + LEAD_IN + sum(frames for _, frames in talk) * (CERTAIN - TALK_COST)
    assert float(sh.viterbi(scores_of(talk + runs), lead.graph).score) == pytest.approx(expected, abs=1e-3)


def test_a_lead_in_keeps_the_graph_left_to_right():
    graph = build_topology(SENTENCES, COLUMNS, lead_in=True).graph
    assert graph.family == "linear"
    states, extras, _ = graph.record
    source, target = graph.body[states : states + extras], graph.body[states + extras :]
    assert bool((source <= target).all())


# The evidence.


def test_evidence_is_of_the_words_alone():
    runs = spoken(0, 1, 2, "JH OY CH AW HH Y UH OY JH", 3, 4, 5)
    with_talk, without = (
        decode_scores(
            SENTENCES[:6], COLUMNS, muffled(runs_to_scores(r, COLUMNS), r, COLUMNS, OTHER, BESIDE), follow=COSTS
        )
        for r in (runs, spoken(*range(6)))
    )
    assert with_talk.is_free
    for one, other in zip(with_talk.evidence, without.evidence, strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
    assert len(with_talk.runs.of_frames(with_talk.runs.phones)) == 21 * FRAMES
