"""Rows of bench/engine.py: left-to-right graphs, that is CTC and the graph that the aligner makes of a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from engine_case import ADD_MAX, MULTIPLY_ADD, Case, at_most, limit, peer
from engine_peers import CtcBatch, ctc_loss
from engine_torchaudio import CLASSES, Alignment, Torchaudio

import streamhmm as sh
from streamhmm.acoustic.labels import LABELS
from streamhmm.align.topology import build_topology
from streamhmm.text import Lexicon, pronounce, tokenize

ALIGNMENTS: dict[Alignment, Mapping[int, float]] = {
    Alignment(500, 50, 0.24e-3): {1: 15},
    Alignment(3000, 300, 7.0e-3): {1: 20, 2: 30},
    Alignment(60000, 6000, 2.914): {1: 20, 2: 30},
}
SMALLEST, MIDDLE, LARGEST = ALIGNMENTS
WITH_GRAPH = ", the graph made in the call"
OVERHEAD_BAR_S = 15e-6
ALIGNER_BAR = 1 / 1.5
CTC_BATCH = CtcBatch(32, 1000, 100, 40)
CTC_LOSS_BAR, CTC_LOSS_TOLERANCE = {2: 10.0}, 1e-4

WORDS, FRAMES_A_WORD = 300, 30
PASSAGE = """
The harbour was quiet when the first boats came in, and the old woman who sold coffee by the steps had just lit her
stove. She knew every crew by the sound of its engine. On good days they brought mackerel and a few crabs; on bad days
they brought stories, which she liked better, because stories never spoiled before noon. My brother worked on the
largest of the boats for three summers. He said the hardest thing was not the cold, nor the hours, but the waiting:
you throw the nets, you drink something hot, and you look at the water as though it owed you an answer.
"""


def rows(torchaudio: Torchaudio) -> dict[str, Callable[[], Case]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    result = {"call overhead, 1 frame, 1 state": partial(overhead, torchaudio)}
    for problem, bars in ALIGNMENTS.items():
        result[f"CTC alignment {_name(problem)}"] = partial(alignment, problem, bars, torchaudio)
    for problem in (SMALLEST, MIDDLE):
        result[f"CTC alignment {_name(problem)}{WITH_GRAPH}"] = partial(alignment_with_graph, problem, torchaudio)
    result[f"the aligner's graph, {WORDS} words"] = aligner_graph
    size = f"{CTC_BATCH.batch}×{CTC_BATCH.frames}, {CTC_BATCH.labels} labels, {CTC_BATCH.classes} classes"
    result[f"CTC log_likelihood + gradient, {size}"] = ctc_gradient
    result[f"CTC log_likelihood + gradient, {size}{WITH_GRAPH}"] = ctc_gradient_with_graphs
    for name in SUMS:
        result[f"CTC {_name(MIDDLE)}: {name}"] = partial(sums, name)
    return result


def overhead(torchaudio: Torchaudio) -> Case:
    """The least call there is; the peer has one label, and blanks in any case."""
    problem = Alignment(1, 1)
    scores, graph = problem.tensors()[0], sh.Graph.linear([1])
    yardsticks = [at_most(OVERHEAD_BAR_S, 1), *torchaudio.yardstick(problem, {}, compare=False)]
    return Case(lambda: sh.viterbi(scores, graph), yardsticks, threads=(1,))


def alignment(problem: Alignment, bars: Mapping[int, float], torchaudio: Torchaudio) -> Case:
    (scores, labels), graph = problem.tensors(), problem.graph()
    yardsticks = [limit(ADD_MAX, ctc_cells(labels, len(scores))), *torchaudio.yardstick(problem, bars)]
    return Case(lambda: sh.viterbi(scores, graph), yardsticks, lambda: sh.viterbi(scores, graph).score)


def alignment_with_graph(problem: Alignment, torchaudio: Torchaudio) -> Case:
    """For information: what aligning one text once costs, as torchaudio is asked."""
    scores, labels = problem.tensors()
    yardsticks = torchaudio.yardstick(problem, {}, compare=False)
    return Case(lambda: sh.viterbi(scores, sh.Graph.ctc(labels)), yardsticks, threads=(1,))


def aligner_graph() -> Case:
    """The graph that the aligner makes of a text, beside CTC of as many states over the same scores."""
    script = pronounce(tokenize((PASSAGE.split() * WORDS)[:WORDS]), Lexicon())
    graph = build_topology(script.words, {label: column for column, label in enumerate(LABELS)}).graph
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(WORDS * FRAMES_A_WORD, CLASSES, generator=random).log_softmax(-1)
    ctc = sh.Graph.ctc(torch.randint(1, CLASSES, (graph.num_states // 2,), generator=random))
    name = f"CTC of {ctc.num_states} states (ours: {graph.num_states}, {graph.num_arcs} arcs)"
    yardsticks = [
        limit(ADD_MAX, (len(scores) - 1) * graph.num_arcs),
        peer(name, lambda: sh.viterbi(scores, ctc), {1: ALIGNER_BAR}),
    ]
    return Case(lambda: sh.viterbi(scores, graph), yardsticks)


def ctc_gradient() -> Case:
    leaf = CTC_BATCH.scores.clone().requires_grad_()
    graphs = [sh.Graph.ctc(labels) for labels in CTC_BATCH.sequences]
    loss_and_gradient, losses = ctc_loss(CTC_BATCH)
    passes = 2 * sum(ctc_cells(labels, CTC_BATCH.frames) for labels in CTC_BATCH.sequences)
    name = "torch.nn.functional.ctc_loss"
    yardsticks = [
        limit(MULTIPLY_ADD, passes),
        peer(name, loss_and_gradient, CTC_LOSS_BAR, losses, CTC_LOSS_TOLERANCE),
    ]
    return Case(
        lambda: torch.autograd.grad(sh.log_likelihood(leaf, graphs).sum(), leaf),
        yardsticks,
        lambda: -sh.log_likelihood(CTC_BATCH.scores, graphs),
    )


def ctc_gradient_with_graphs() -> Case:
    """For information: a step of training, whose labels are new."""
    leaf = CTC_BATCH.scores.clone().requires_grad_()
    loss_and_gradient, _ = ctc_loss(CTC_BATCH)

    def ours() -> tuple[torch.Tensor, ...]:
        graphs = [sh.Graph.ctc(labels) for labels in CTC_BATCH.sequences]
        return torch.autograd.grad(sh.log_likelihood(leaf, graphs).sum(), leaf)

    return Case(ours, [peer("torch.nn.functional.ctc_loss", loss_and_gradient)])


def _gradient(scores: torch.Tensor, graph: sh.Graph) -> object:
    return torch.autograd.grad(sh.log_likelihood(scores, graph), scores)


# Name: the call on scores (a leaf) and a graph, and how often it passes over the arcs.
SUMS: dict[str, tuple[Callable[[torch.Tensor, sh.Graph], object], int]] = {
    "posteriors by state": (lambda scores, graph: sh.posteriors(scores, graph), 2),
    "posteriors by pdf": (lambda scores, graph: sh.posteriors(scores, graph, by="pdf"), 2),
    "log_likelihood": (lambda scores, graph: sh.log_likelihood(scores.detach(), graph), 1),
    "log_likelihood + gradient": (_gradient, 2),
}


def sums(name: str) -> Case:
    """For information; an arc of each pass is a multiplication and an addition."""
    (scores, labels), graph = MIDDLE.tensors(), MIDDLE.graph()
    leaf, (call, passes) = scores.requires_grad_(), SUMS[name]
    yardstick = limit(MULTIPLY_ADD, passes * ctc_cells(labels, len(scores)))
    return Case(lambda: call(leaf, graph), [yardstick], threads=(1,))


def ctc_cells(labels: torch.Tensor, frames: int) -> float:
    """Arcs that a pass must follow: into the states that can be reached by then and can still reach the end in time.

    No path gets ahead by more than two states a frame.
    """
    states = 2 * len(labels) + 1
    arcs = states + (states - 1) + int((labels[1:] != labels[:-1]).sum())
    frame = torch.arange(1, frames)
    highest = (1 + 2 * frame).clamp(max=states - 1)
    lowest = (states - 2 - 2 * (frames - 1 - frame)).clamp(min=0)
    return arcs / states * int((highest - lowest + 1).clamp(min=0).sum())


def _name(problem: Alignment) -> str:
    return f"({problem.frames}, {problem.labels})"
