"""OnlineViterbi against the offline path and against an oracle that keeps every live path."""

from __future__ import annotations

import copy
import io
import threading
from typing import Any

import numpy as np
import pytest
import torch
from cases import FAMILIES, Case, random_case, random_scores, words_case
from online_oracle import OnlineOracle
from torch import Tensor

import streamhmm as sh
from streamhmm import _C

COLUMNS = 5
OPTIONS = (
    {},
    {"beam": 4.0},
    {"max_lag": 0},
    {"max_lag": 3},
    {"max_lag": 17, "beam": 7.0},
    {"certainty": 0.9},
    {"certainty": 0.75, "max_lag": 9, "beam": 12.0},
)


def chunks_of(scores: Tensor, size: int) -> list[Tensor]:
    return list(scores.split(size)) if size > 0 else [scores]


def decode(scores: Tensor, graph: sh.Graph, size: int, **options: Any) -> tuple[Tensor, sh.OnlineViterbi]:
    decoder = sh.OnlineViterbi(graph, **options)
    parts = [decoder.push(chunk) for chunk in chunks_of(scores, size)]
    return torch.cat([*parts, decoder.finish()]), decoder


def sizes_for(frames: int) -> list[int]:
    return sorted({1, 2, 7, max(1, frames - 1), frames, frames + 1})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("family", FAMILIES)
def test_decided_states_are_those_of_viterbi(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    for states, frames in ((1, 1), (5, 40), (70, 90), (200, 130)):
        graph = random_case(rng, family, min(states, frames), COLUMNS).graph()
        scores = random_scores(rng, frames, COLUMNS).to(dtype)
        expected = sh.viterbi(scores, graph).states
        for size in sizes_for(frames):
            found, decoder = decode(scores, graph, size)
            assert torch.equal(found, expected), (states, size)
            assert decoder.committed_frames == frames


def test_random_numbers_round_as_offline() -> None:
    """Single precision with offsets: the same roundings, so the same path."""
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        scores = torch.randn(700, 20, generator=generator) * 4
        graph = sh.Graph.ctc(torch.randint(1, 20, (150,), generator=generator))
        assert torch.equal(decode(scores, graph, 13)[0], sh.viterbi(scores, graph).states)


def test_transitions_that_vary_with_time() -> None:
    rng = np.random.default_rng(5)
    graph = sh.Graph.dense(random_scores(rng, 30, 6, 6))
    scores = random_scores(rng, 30, 6)
    assert torch.equal(decode(scores, graph, 4)[0], sh.viterbi(scores, graph).states)
    decoder = sh.OnlineViterbi(graph)
    decoder.push(scores)
    with pytest.raises(ValueError, match="transitions for 30 frames, but the stream has 31"):
        decoder.push(scores[:1])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("family", [*FAMILIES, "words"])
def test_decisions_are_those_of_the_oracle(family: str, options: dict[str, Any]) -> None:
    """After every chunk as many states as the oracle has decided, and the same ones, however the stream is cut."""
    rng = np.random.default_rng(11)
    for states, frames in ((4, 30), (90, 60)):
        case = words_case(rng, states, COLUMNS, 10) if family == "words" else random_case(rng, family, states, COLUMNS)
        scores = random_scores(rng, frames, COLUMNS)
        for size in (1, 5, frames):
            decoder, oracle = sh.OnlineViterbi(case.graph(), **options), OnlineOracle(case.arcs(), **options)
            found: list[int] = []
            for chunk in chunks_of(scores, size):
                found += decoder.push(chunk).tolist()
                oracle.push(chunk)
                assert found == oracle.decided
                assert decoder.current() == oracle.current()
                assert_survivors(decoder, oracle)
            found += decoder.finish().tolist()
            assert decoder.complete == oracle.finish()
            assert found == oracle.decided


def assert_survivors(decoder: sh.OnlineViterbi, oracle: OnlineOracle) -> None:
    states, scores = decoder.survivors()
    best = max((score for score, _ in oracle.live.values()), default=0.0)
    assert states.tolist() == sorted(oracle.live)
    assert scores.tolist() == [oracle.live[state][0] - best for state in sorted(oracle.live)]
    undecided = oracle.live[oracle.current()][1][len(oracle.decided) :] if oracle.live else ()
    assert decoder.undecided().tolist() == list(undecided)


@pytest.mark.parametrize("isa", _C.available_isas())
def test_instruction_sets_agree(isa: str) -> None:
    rng = np.random.default_rng(17)
    graph = words_case(rng, 400, COLUMNS).graph()
    scores = torch.randn(300, COLUMNS, generator=torch.Generator().manual_seed(1))
    expected, _ = decode(scores, graph, 10, beam=9.0, max_lag=40)
    before = _C.select_isa(isa)
    try:
        found, _ = decode(scores, graph, 10, beam=9.0, max_lag=40)
    finally:
        _C.select_isa(before)
    assert torch.equal(found, expected)


def test_in_a_left_to_right_graph_nothing_is_decided_without_options() -> None:
    scores = torch.tensor([0.0, 1.0, 2.0]).expand(500, 3)
    graph = sh.Graph.linear([0, 1, 2])
    decoder = sh.OnlineViterbi(graph)
    assert decoder.push(scores).tolist() == [0]  # the only state to start in
    assert decoder.finish().tolist() == [1] + [2] * 498


def test_a_lag_bounds_what_is_undecided() -> None:
    graph = sh.Graph.linear(torch.zeros(300, dtype=torch.int64))
    decoder = sh.OnlineViterbi(graph, max_lag=20)
    for frame in range(100):
        decoder.push(torch.zeros(1, 1))
        assert frame + 1 - decoder.committed_frames <= 20
        assert len(decoder.undecided()) == frame + 1 - decoder.committed_frames


def test_scores_too_large_for_single_precision_go_on_in_double() -> None:
    rng = np.random.default_rng(23)
    case = random_case(rng, "ctc", 40, COLUMNS)
    scores = random_scores(rng, 120, COLUMNS).float()
    scores[70:] *= 4000
    found, _ = decode(scores, case.graph(), 9)
    assert torch.equal(found, sh.viterbi(scores.double(), case.graph()).states)


def test_where_no_path_fits_states_are_minus_one() -> None:
    graph = sh.Graph.linear([0, 1])
    scores = torch.full((4, 2), float("-inf"))
    for options in ({}, {"max_lag": 1}, {"beam": 3.0}):
        found, decoder = decode(scores, graph, 1, **options)
        assert found.tolist() == [-1] * 4
        assert decoder.complete is False
        assert decoder.current() == -1


def test_an_end_that_is_not_reached_is_told() -> None:
    graph = sh.Graph.linear([0, 1, 2])
    found, decoder = decode(torch.zeros(2, 3), graph, 1)
    assert found.tolist() == [0, 0]
    assert decoder.complete is False


def test_no_frames() -> None:
    decoder = sh.OnlineViterbi(sh.Graph.linear([0]))
    assert decoder.current() == -1
    assert decoder.undecided().tolist() == []
    assert decoder.survivors().states.tolist() == []
    assert decoder.push(torch.zeros(0, 1)).tolist() == []
    assert decoder.finish().tolist() == []
    assert decoder.complete is False


def test_types_and_layouts_of_scores() -> None:
    rng = np.random.default_rng(29)
    graph = random_case(rng, "skip", 12, COLUMNS).graph()
    scores = random_scores(rng, 40, COLUMNS)
    expected, _ = decode(scores, graph, 6)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert torch.equal(decode(scores.to(dtype), graph, 6)[0], expected)
    wide = torch.zeros(40, 2 * COLUMNS, dtype=torch.float64)
    wide[:, ::2] = scores
    assert torch.equal(decode(wide[:, ::2], graph, 6)[0], expected)
    assert torch.equal(decode(scores.t().contiguous().t(), graph, 6)[0], expected)
    assert torch.equal(decode(scores.clone().requires_grad_(), graph, 6)[0], expected)


# ---- batches


def test_streams_of_a_batch_are_independent() -> None:
    rng = np.random.default_rng(31)
    cases = [random_case(rng, family, 30, COLUMNS) for family in FAMILIES]
    scores = random_scores(rng, len(cases), 64, COLUMNS)
    decoder = sh.OnlineViterbi([case.graph() for case in cases], beam=20.0)
    parts = [decoder.push(scores[:, first : first + 10]) for first in range(0, 64, 10)]
    parts.append(decoder.finish())
    for index, case in enumerate(cases):
        expected, alone = decode(scores[index], case.graph(), 10, beam=20.0)
        assert torch.equal(torch.cat([part[index] for part in parts]), expected)
        assert decoder.complete[index] == alone.complete
        assert decoder.committed_frames[index] == 64


def test_streams_of_a_batch_may_get_chunks_of_different_lengths() -> None:
    rng = np.random.default_rng(37)
    graphs = [random_case(rng, "linear", 8, COLUMNS).graph() for _ in range(3)]
    scores = [random_scores(rng, frames, COLUMNS) for frames in (0, 20, 33)]
    decoder = sh.OnlineViterbi(graphs)
    first = decoder.push(scores)
    rest = decoder.finish()
    for index, graph in enumerate(graphs):
        assert torch.equal(torch.cat([first[index], rest[index]]), decode(scores[index], graph, 0)[0])
    assert decoder.current() == [-1, *decoder.current()[1:]]


def test_an_empty_batch() -> None:
    decoder = sh.OnlineViterbi([])
    assert decoder.push([]) == []
    assert decoder.finish() == []


# ---- going on elsewhere


def test_restart_goes_on_in_other_states() -> None:
    rng = np.random.default_rng(41)
    for options in OPTIONS:
        case = random_case(rng, "extra", 80, COLUMNS)
        scores, initial = random_scores(rng, 90, COLUMNS), random_scores(rng, 80)
        initial[10:70] = float("-inf")
        decoder, oracle = sh.OnlineViterbi(case.graph(), **options), OnlineOracle(case.arcs(), **options)
        found = [decoder.push(scores[:41]), decoder.restart(initial), decoder.push(scores[41:]), decoder.finish()]
        oracle.push(scores[:41])
        oracle.restart(initial)
        oracle.push(scores[41:])
        oracle.finish()
        assert torch.cat(found).tolist() == oracle.decided


def longer(case: Case, states: int) -> tuple[sh.Graph, sh.Graph]:
    """The first ``states`` of a graph, and the graph."""
    arcs = case.arcs()
    kept = (arcs.src < states) & (arcs.dst < states)
    initial = torch.where(torch.arange(arcs.num_states) < states, arcs.initial, float("-inf"))
    first = sh.Graph.from_arcs(
        states,
        arcs.src[kept],
        arcs.dst[kept],
        arcs.weight[kept],
        pdfs=arcs.pdfs[:states],
        initial=initial[:states],
        final=arcs.final[:states],
    )
    whole = sh.Graph.from_arcs(
        arcs.num_states, arcs.src, arcs.dst, arcs.weight, pdfs=arcs.pdfs, initial=initial, final=arcs.final
    )
    return first, whole


@pytest.mark.parametrize("frames", [0, 1, 40])
def test_extend_goes_on_in_a_larger_graph(frames: int) -> None:
    """Where the new part can't be reached before it is there, all is as if it had been there from the start."""
    rng = np.random.default_rng(43)
    case = words_case(rng, 300, COLUMNS, 30)
    first, whole = longer(case, 200)
    scores = random_scores(rng, 150, COLUMNS)
    decoder = sh.OnlineViterbi(first)
    parts = [decoder.push(scores[:frames])]
    decoder.extend(whole)
    parts += [decoder.push(scores[frames:]), decoder.finish()]
    initial = torch.cat([torch.zeros(200), torch.full((100,), float("-inf"))])
    oracle = OnlineOracle(case.arcs()._replace(initial=initial))
    oracle.push(scores[:0])
    if frames <= 1:
        oracle.push(scores)
        oracle.finish()
        assert torch.cat(parts).tolist() == oracle.decided
    assert len(torch.cat(parts)) == 150


def test_state_goes_on_in_another_decoder() -> None:
    rng = np.random.default_rng(47)
    for dtype in (torch.float32, torch.float64):
        for options in OPTIONS:
            graph = words_case(rng, 260, COLUMNS, 25).graph()
            scores = random_scores(rng, 120, COLUMNS).to(dtype)
            scores[100:] *= 3000
            expected, _ = decode(scores, graph, 7, **options)
            one = sh.OnlineViterbi(graph, **options)
            parts = [one.push(scores[:53])]
            file = io.BytesIO()
            torch.save(one.state_dict(), file)
            file.seek(0)
            other = sh.OnlineViterbi(graph, **options)
            other.load_state_dict(torch.load(file))
            assert other.committed_frames == len(parts[0])
            parts += [other.push(scores[53:]), other.finish()]
            assert torch.equal(torch.cat(parts), expected)


def test_the_state_of_a_fresh_decoder() -> None:
    graph = sh.Graph.linear([0, 1])
    other = sh.OnlineViterbi(graph)
    other.load_state_dict(sh.OnlineViterbi(graph).state_dict())
    scores = torch.randn(5, 2, generator=torch.Generator().manual_seed(2))
    assert torch.equal(torch.cat([other.push(scores), other.finish()]), sh.viterbi(scores, graph).states)


def test_damaged_states_are_refused() -> None:
    rng = np.random.default_rng(53)
    graph = words_case(rng, 200, COLUMNS, 25).graph()
    decoder = sh.OnlineViterbi(graph, beam=30.0)
    decoder.push(random_scores(rng, 40, COLUMNS))
    state = decoder.state_dict()
    for length in (0, 7, 100, len(state["streams"][0]) - 1):
        cut = {**state, "streams": [state["streams"][0][:length].clone()]}
        with pytest.raises(ValueError, match="state must be what save gave for the same graph"):
            sh.OnlineViterbi(graph, beam=30.0).load_state_dict(cut)
    with pytest.raises(ValueError, match="state must be what save gave for the same graph"):
        sh.OnlineViterbi(words_case(rng, 130, COLUMNS, 25).graph()).load_state_dict(state)
    with pytest.raises(ValueError, match="state must be of 2 streams, got 1"):
        sh.OnlineViterbi([graph, graph]).load_state_dict(state)


def test_changed_states_are_refused() -> None:
    rng = np.random.default_rng(59)
    graph = words_case(rng, 200, COLUMNS, 25).graph()
    decoder = sh.OnlineViterbi(graph, beam=30.0, max_lag=30)
    decoder.push(random_scores(rng, 40, COLUMNS))
    state = decoder.state_dict()
    for _ in range(300):
        changed = copy.deepcopy(state)
        place = int(rng.integers(len(changed["streams"][0])))
        changed["streams"][0][place] ^= int(rng.integers(1, 256))
        with pytest.raises(ValueError, match="state must be what save gave for the same graph"):
            sh.OnlineViterbi(graph, beam=30.0, max_lag=30).load_state_dict(changed)


def test_options_may_change_on_the_way() -> None:
    rng = np.random.default_rng(67)
    case = words_case(rng, 90, COLUMNS, 10)
    scores = random_scores(rng, 60, COLUMNS)
    decoder, oracle = sh.OnlineViterbi(case.graph()), OnlineOracle(case.arcs())
    decoder.change(beam=9.0)  # before the first frame, too
    oracle.beam = 9.0
    found = decoder.push(scores[:21]).tolist()
    oracle.push(scores[:21])
    decoder.change(max_lag=5, certainty=0.8)
    oracle.beam, oracle.max_lag, oracle.certainty = None, 5, 0.8
    found += decoder.push(scores[21:]).tolist() + decoder.finish().tolist()
    oracle.push(scores[21:])
    oracle.finish()
    assert found == oracle.decided
    with pytest.raises(ValueError, match="the stream has ended: finish was called"):
        decoder.change(max_lag=3)


def test_paths_to_other_states_may_be_given_up() -> None:
    rng = np.random.default_rng(71)
    case = words_case(rng, 90, COLUMNS, 10)
    scores = random_scores(rng, 50, COLUMNS)
    decoder, oracle = sh.OnlineViterbi(case.graph(), beam=20.0), OnlineOracle(case.arcs(), beam=20.0)
    found = decoder.push(scores[:30]).tolist()
    oracle.push(scores[:30])
    allowed = torch.arange(90) % 3 == 0
    decoder.keep(torch.zeros(90, dtype=torch.bool))  # none of them lives: nothing happens
    decoder.keep(allowed)
    oracle.live = {state: end for state, end in oracle.live.items() if allowed[state]}
    assert_survivors(decoder, oracle)
    found += decoder.push(scores[30:]).tolist() + decoder.finish().tolist()
    oracle.push(scores[30:])
    oracle.finish()
    assert found == oracle.decided
    with pytest.raises(ValueError, match=r"allowed must be \(90,\) bool, got \(3,\) torch\.bool"):
        sh.OnlineViterbi(case.graph()).keep(allowed[:3])


def test_the_path_to_any_live_state() -> None:
    rng = np.random.default_rng(73)
    case = words_case(rng, 90, COLUMNS, 10)
    scores = random_scores(rng, 40, COLUMNS)
    decoder, oracle = sh.OnlineViterbi(case.graph(), beam=15.0), OnlineOracle(case.arcs(), beam=15.0)
    decoder.push(scores)
    oracle.push(scores)
    for state in range(-1, 91):
        path = oracle.live[state][1][len(oracle.decided) :] if state in oracle.live else ()
        assert decoder.undecided(state).tolist() == list(path)


# ---- misuse


def test_errors_name_what_is_wrong() -> None:
    graph = sh.Graph.linear([0, 2])
    for options, message in (
        ({"max_lag": -1}, "max_lag must be at least 0 frames, got -1"),
        ({"beam": 0.0}, "beam must be above 0 nats, got 0.0"),
        ({"certainty": 0.4}, "certainty must be in 0.5…1, got 0.4"),
    ):
        with pytest.raises(ValueError, match=message):
            sh.OnlineViterbi(graph, **options)
    for options, message in (
        ({"max_lag": 1.5}, "max_lag must be a whole number of frames or None, got 1.5"),
        ({"certainty": "high"}, "certainty must be a probability or None, got 'high'"),
    ):
        with pytest.raises(TypeError, match=message):
            sh.OnlineViterbi(graph, **options)
    with pytest.raises(TypeError, match="graph must be a Graph or a list of them, got str"):
        sh.OnlineViterbi("graph")
    decoder = sh.OnlineViterbi(graph)
    with pytest.raises(TypeError, match=r"scores must be a torch\.Tensor, got list"):
        decoder.push([[0.0, 0.0]])
    with pytest.raises(ValueError, match=r"scores must be \(n, V\), got shape \(3,\)"):
        decoder.push(torch.zeros(3))
    with pytest.raises(ValueError, match="graph reads score column 2, but scores have 2 columns"):
        decoder.push(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="scores must be on the CPU or a CUDA device, got meta"):
        decoder.push(torch.zeros(1, 3, device="meta"))
    with pytest.raises(TypeError, match=r"scores must be float16, bfloat16, float32 or float64, got torch\.int64"):
        decoder.push(torch.zeros(1, 3, dtype=torch.int64))
    decoder.push(torch.zeros(1, 3))
    with pytest.raises(TypeError, match=r"scores must be torch\.float32 as in the first chunk, got torch\.float64"):
        decoder.push(torch.zeros(1, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="complete is known after finish"):
        _ = decoder.complete
    decoder.finish()
    for call in (lambda: decoder.push(torch.zeros(1, 3)), decoder.finish, decoder.state_dict):
        with pytest.raises(ValueError, match="the stream has ended: finish was called"):
            call()


def test_errors_of_batches_and_of_going_on() -> None:
    graph = sh.Graph.linear([0, 2])
    batch = sh.OnlineViterbi([graph, graph])
    with pytest.raises(ValueError, match="scores must be those of 2 streams, got 1"):
        batch.push(torch.zeros(1, 4, 3))
    with pytest.raises(ValueError, match="scores must have the same columns and dtype in every stream"):
        batch.push([torch.zeros(1, 3), torch.zeros(1, 4)])
    with pytest.raises(ValueError, match="restart is for one stream, this is a batch of 2"):
        batch.restart(torch.zeros(2))
    with pytest.raises(ValueError, match="extend is for one stream, this is a batch of 2"):
        batch.extend(graph)
    decoder = sh.OnlineViterbi(graph)
    with pytest.raises(ValueError, match=r"initial must be \(2,\), got \(3,\)"):
        decoder.restart(torch.zeros(3))
    with pytest.raises(ValueError, match="initial must be finite or -inf"):
        decoder.restart(torch.tensor([0.0, float("nan")]))
    with pytest.raises(ValueError, match="graph must have at least the present 2 states, got 1"):
        decoder.extend(sh.Graph.linear([0]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_invalid_scores_leave_the_stream_as_it_was(value: float) -> None:
    rng = np.random.default_rng(61)
    graph = random_case(rng, "linear", 9, COLUMNS).graph()
    scores = random_scores(rng, 30, COLUMNS)
    expected, _ = decode(scores, graph, 10)
    decoder = sh.OnlineViterbi(graph)
    parts = [decoder.push(scores[:10])]
    bad = scores[10:20].clone()
    bad[4] = value
    with pytest.raises(ValueError, match=r"got NaN or \+inf in sequence 0, frame 14"):
        decoder.push(bad)
    parts += [decoder.push(scores[10:]), decoder.finish()]
    assert torch.equal(torch.cat(parts), expected)


def test_threads_take_turns() -> None:
    """Chunks of equal frames from many threads: whatever their order, the result is the same."""
    graph = sh.Graph.linear(torch.zeros(50, dtype=torch.int64), self_loop=-0.5)
    decoder = sh.OnlineViterbi(graph, max_lag=30)
    found: list[int] = []

    def work() -> None:
        for _ in range(50):
            found.append(len(decoder.push(torch.zeros(2, 1))))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) + len(decoder.finish()) == 400
