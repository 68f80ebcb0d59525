"""Rows of bench/models.py: EM and what a model is asked, beside hmmlearn, pomegranate and the machine's limit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import models_recorded as recorded
import numpy as np
import torch
from engine_case import MULTIPLY_ADD, NO_BARS, Case, Stopwatch, Yardstick, limit, peer
from measure import median
from models_peers import Model, learnt, one_iteration, pomegranate_iteration, pomegranate_learnt
from models_problem import Array, Problem, with_parameters

from streamhmm import models

Rows = dict[str, Callable[[], Case]]
TOLERANCE, SINGLE_TOLERANCE = 1e-6, 1e-3
SELDOM = 2
"""How often a slow peer is measured."""
HMMLEARN_GAUSSIAN, HMMLEARN_MIXTURE, POMEGRANATE = {2: 20.0}, {2: 30.0}, {2: 5.0}


def rows(quick: bool) -> Rows:
    """Each row by its name."""
    size = {"sequences": 4, "frames": 50} if quick else {"sequences": 100, "frames": 1000}
    dims = 3 if quick else 39
    gaussian = Problem(4 if quick else 16, dims, **size)
    mixture = Problem(gaussian.states, dims, **size, mixtures=2 if quick else 8)
    spoken = Problem(5, 4 if quick else 80, 2 if quick else 32, size["frames"], mixtures=recorded.MIXTURES)
    shorter = replace(spoken, sequences=2 if quick else 16, mixtures=1)
    segments = replace(spoken, sequences=2, frames=20 if quick else 100, mixtures=1)
    return {
        f"EM, GaussianHMM diag, {gaussian.name}": partial(gaussian_iteration, gaussian, "diag"),
        f"EM, GMMHMM diag, {mixture.name}": partial(mixture_iteration, mixture),
        f"EM, GaussianHMM full, {gaussian.name}": partial(gaussian_iteration, gaussian, "full"),
        f"EM, PoissonHMM, {gaussian.name}": partial(discrete_iteration, gaussian, "PoissonHMM"),
        f"EM, CategoricalHMM, {gaussian.name}": partial(discrete_iteration, gaussian, "CategoricalHMM"),
        f"EM, GaussianHMM diag, float32, {gaussian.name}": partial(single_iteration, gaussian),
        **{
            f"{name}, GaussianHMM diag": partial(asked, gaussian, name) for name in ("score", "predict_proba", "decode")
        },
        f"log_prob, GMMHMM, {spoken.name}": partial(recorded.mixture_forward, spoken),
        f"log_prob, NeuralHMM, {shorter.name}": partial(recorded.neural_forward, shorter, None),
        f"log_prob, NeuralHMM, transitions by a network, {shorter.name}": partial(
            recorded.neural_forward, shorter, "mlp"
        ),
        f"log_prob, NeuralHMM, scores and transitions given, {shorter.name}": partial(recorded.neural_scores, shorter),
        f"log_prob, HSMM, {segments.name}": partial(recorded.semi_markov_forward, segments),
    }


def gaussian_iteration(problem: Problem, kind: str) -> Case:
    settings = {"covariance_type": kind}
    start, given = problem.gaussians(kind), (problem.vectors, problem.lengths)
    ours = one_iteration(partial(models.GaussianHMM, problem.states, **settings), start, *given)

    def found() -> Array:
        return learnt(ours(), start, problem.rows)

    bars = HMMLEARN_GAUSSIAN if kind == "diag" else NO_BARS
    yardsticks = [hmmlearn_iteration("GaussianHMM", problem, start, given, bars, found, settings)]
    if kind == "diag":
        scaled = {**settings, "implementation": "scaling"}
        yardsticks.append(hmmlearn_iteration("GaussianHMM", problem, start, given, NO_BARS, found, scaled))
        yardsticks.append(arithmetic_of_an_iteration(problem))
    return Case(ours, [*yardsticks, products(problem)] if kind == "diag" else yardsticks, found)


def mixture_iteration(problem: Problem) -> Case:
    start, given = problem.mixture, (problem.vectors, problem.lengths)
    shape = {"n_mix": problem.mixtures, "covariance_type": "diag"}
    ours = one_iteration(partial(models.GMMHMM, problem.states, **shape), start, *given)

    def found() -> Array:
        return learnt(ours(), start, problem.rows)

    theirs = hmmlearn_iteration("GMMHMM", problem, start, given, HMMLEARN_MIXTURE, found, shape)
    return Case(ours, [theirs, arithmetic_of_an_iteration(problem), products(problem)], found)


def discrete_iteration(problem: Problem, name: str) -> Case:
    data, start = {
        "PoissonHMM": lambda: (problem.counts, problem.rates),
        "CategoricalHMM": lambda: (problem.symbols, problem.emissions),
    }[name]()
    ours = one_iteration(partial(getattr(models, name), problem.states), start, data, problem.lengths)

    def found() -> Array:
        return learnt(ours(), start, problem.rows)

    return Case(ours, [hmmlearn_iteration(name, problem, start, (data, problem.lengths), NO_BARS, found, {})], found)


def single_iteration(problem: Problem) -> Case:
    """Ours on single precision beside pomegranate and beside ours on double."""
    start, given = problem.gaussians("diag"), (problem.vectors, problem.lengths)
    flat = {"covars_prior": 0.0}  # pomegranate has no priors
    single, double = (
        one_iteration(partial(models.GaussianHMM, problem.states, dtype=dtype, **flat), start, *given)
        for dtype in (torch.float32, torch.float64)
    )

    def found(call: Callable[[], Any]) -> Array:
        return learnt(call(), start, problem.rows)

    yardsticks = [
        pomegranate(problem, lambda: found(single)),
        peer("ours, float64", double, NO_BARS, lambda: found(double), SINGLE_TOLERANCE),
    ]
    return Case(single, yardsticks, lambda: found(single))


def asked(problem: Problem, question: str) -> Case:
    """A method of both."""
    start, given = problem.gaussians("diag"), (problem.vectors, problem.lengths)
    ours = with_parameters(models.GaussianHMM(problem.states), start)
    theirs = with_parameters(hmmlearn_class("GaussianHMM")(problem.states, init_params=""), start)

    def value(model: Any) -> Array:
        answer = getattr(model, question)(*given)
        return np.asarray(answer[1] if question == "decode" else answer, dtype=np.float64)

    calls = [partial(getattr(model, question), *given) for model in (ours, theirs)]
    yardstick = peer("hmmlearn", calls[1], NO_BARS, lambda: value(theirs), TOLERANCE)
    return Case(calls[0], [yardstick], lambda: value(ours))


def hmmlearn_iteration(
    name: str,
    problem: Problem,
    start: dict[str, Array],
    given: tuple[Array, list[int]],
    bars: Mapping[int, float],
    found: Callable[[], Array],
    settings: dict[str, Any],
) -> Yardstick:
    """hmmlearn's own ``fit``, by default on logarithms, as it does unless told."""
    call = one_iteration(partial(hmmlearn_class(name), problem.states, **settings), start, *given)
    scaled = settings.get("implementation") == "scaling"
    # Scaled, it takes exponentials of log-densities as they are: far from all means they are 0, and the result wrong.
    value = None if scaled else lambda: learnt(call(), start, problem.rows)
    shown = "hmmlearn, scaling" if scaled else "hmmlearn"
    return Yardstick(shown, seldom(Stopwatch.of(call)), bars, value, TOLERANCE)


def hmmlearn_class(name: str) -> Model:
    from hmmlearn import hmm

    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    made: Model = getattr(hmm, name)
    return made


def pomegranate(problem: Problem, found: Callable[[], Array]) -> Yardstick:
    call = pomegranate_iteration(problem)

    def value() -> Array:
        """As ours, its transitions left out: pomegranate counts an end as one more of them."""
        ours, theirs = found(), pomegranate_learnt(problem, call())
        chain = problem.states * (problem.states + 1)
        return np.concatenate((theirs[:1], ours[1 : 1 + chain], theirs[1:]))

    return Yardstick("pomegranate", seldom(Stopwatch.of(call)), POMEGRANATE, value, SINGLE_TOLERANCE)


def arithmetic_of_an_iteration(problem: Problem) -> Yardstick:
    """Two multiply-adds for each frame, Gaussian and feature in the densities and two in the statistics; three for each
    frame and transition: forward, backward and the counts."""
    gaussians = problem.states * problem.mixtures
    cells = problem.rows * (4 * gaussians * problem.features + 3 * problem.states**2)
    return limit(MULTIPLY_ADD, cells, is_double=True)


def products(problem: Problem) -> Yardstick:
    """The products of matrices of an iteration alone, by torch: of [x, x²] with the precisions, and with weights."""
    both = torch.randn(problem.rows, 2 * problem.features, dtype=torch.float64)
    wide = torch.randn(2 * problem.features, problem.states * problem.mixtures, dtype=torch.float64)
    weights = torch.rand(problem.rows, wide.shape[1], dtype=torch.float64)
    room, sums = torch.empty_like(weights), torch.empty_like(wide)

    def call() -> None:
        torch.mm(both, wide, out=room)
        torch.mm(both.mT, weights, out=sums)

    return Yardstick("its matrix products alone, torch", Stopwatch.of(call), is_limit=True)


def seldom(stopwatch: Callable[[int], float]) -> Callable[[int], float]:
    """A stopwatch that measures SELDOM times for each number of threads and then repeats the median."""
    times: dict[int, list[float]] = {}

    def seconds(threads: int) -> float:
        known = times.setdefault(threads, [])
        if len(known) < SELDOM:
            known.append(stopwatch(threads))
            return known[-1]
        return median(known)

    return seconds
