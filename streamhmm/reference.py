"""The engine's oracle: the same operations in plain torch, slow and obvious, in float64, one sequence at a time.

A graph is a bare list of arcs here, so that nothing of the engine is needed to read or to run it. With frames t,
states j and arcs a = (i → j, w_a), all values natural logarithms and −inf forbidding:

    score(path) = initial[s_0] + Σ_t scores[t, pdf[s_t]] + Σ_t arc(s_{t−1} → s_t) + final[s_{T−1}]

Parallel arcs count as their maximum in ``viterbi`` and as their log-sum elsewhere. Without a path (T = 0 included)
the states are −1, the score and the log-likelihood −inf, and every posterior 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

NO_PATH = float("-inf")
BEAM_FRAMES, BEAM_STATES = (
    32,
    64,
)  # a beam is applied before every so many frames, to so many neighbouring states at once


class Arcs(NamedTuple):
    """A graph as a list of A arcs between S states; the tensors may have any integer or floating dtype."""

    num_states: int
    src: Tensor  # (A,) states that the arcs leave
    dst: Tensor  # (A,) states that they enter
    weight: Tensor  # (A,) log-weights
    pdfs: Tensor  # (S,) column of the scores that each state emits
    initial: Tensor  # (S,)
    final: Tensor  # (S,)


class BestPath(NamedTuple):
    """``states`` (T,) int64, −1 throughout if there is no path, and its ``score``."""

    states: Tensor
    score: float


def viterbi(scores: Tensor, arcs: Arcs, allowed: Tensor | None = None, beam: float = float("inf")) -> BestPath:
    """Best path through ``scores`` (T, V), of the states ``allowed`` (T, S) in each frame.

    α_0[j] = initial[j] + scores[0, pdf_j]
    α_t[j] = max_{a: i→j} (α_{t−1}[i] + w_a) + scores[t, pdf_j]
    score  = max_j (α_{T−1}[j] + final[j])

    Ties: the lowest source state wins, at the end the lowest state. With a ``beam``, α of each block of 64 states whose
    largest lies more than that below the largest of all becomes −inf before frames 32, 64, …
    """
    arcs = _in_float64(arcs)
    emitted = scores.double()[:, arcs.pdfs]
    if allowed is not None:
        emitted = torch.where(allowed, emitted, NO_PATH)
    frames, size = emitted.shape
    states = torch.full((frames,), -1, dtype=torch.int64)
    if frames == 0:
        return BestPath(states, NO_PATH)
    alpha = arcs.initial + emitted[0]
    came_from = torch.zeros(frames, size, dtype=torch.int64)
    for t in range(1, frames):
        if t % BEAM_FRAMES == 0:
            alpha = _pruned(alpha, beam)
        arriving = alpha[arcs.src] + arcs.weight
        best = _scatter_max(arriving, arcs.dst, size)
        winners = torch.where(arriving == best[arcs.dst], arcs.src, size)
        came_from[t] = torch.full((size,), size).scatter_reduce(0, arcs.dst, winners, "amin")
        alpha = best + emitted[t]
    ending = alpha + arcs.final
    score = float(ending.max())
    if score == NO_PATH:
        return BestPath(states, NO_PATH)
    states[-1] = int((ending == score).nonzero()[0])
    for t in range(frames - 1, 0, -1):
        states[t - 1] = came_from[t, states[t]]
    return BestPath(states, score)


def log_likelihood(scores: Tensor, arcs: Arcs) -> float:
    """Log of the sum over all paths of exp(score(path)), for ``scores`` (T, V).

    α as in ``viterbi`` with log Σ exp in place of max; the result is log Σ_j exp(α_{T−1}[j] + final[j]).
    """
    if scores.shape[0] == 0:
        return NO_PATH
    return float(torch.logsumexp(_forward(scores, arcs)[-1] + arcs.final.double(), 0))


def posteriors(scores: Tensor, arcs: Arcs) -> Tensor:
    """Probability (T, S) of each state at each frame given ``scores`` (T, V).

    γ_t[j] = exp(α_t[j] + β_t[j] − log-likelihood)
    """
    total = log_likelihood(scores, arcs)
    if total == NO_PATH:
        return torch.zeros(scores.shape[0], arcs.num_states, dtype=torch.float64)
    return (_forward(scores, arcs) + _backward(scores, arcs) - total).exp()


def pdf_posteriors(scores: Tensor, arcs: Arcs) -> Tensor:
    """Probability (T, V) of each column: Σ_{j: pdf_j = v} γ_t[j]. It is d log_likelihood / d ``scores``."""
    by_state = posteriors(scores, arcs)
    return torch.zeros(scores.shape, dtype=torch.float64).index_add(1, arcs.pdfs.long(), by_state)


def arc_counts(scores: Tensor, arcs: Arcs) -> Tensor:
    """Expected number of times (A,) that each arc is passed. It is d log_likelihood / d ``arcs.weight``.

    Σ_{t>0} exp(α_{t−1}[i] + w_a + scores[t, pdf_j] + β_t[j] − log-likelihood) for a = (i → j)

    (The derivatives with respect to ``initial`` and ``final`` are γ_0 and γ_{T−1}.)
    """
    total = log_likelihood(scores, arcs)
    counts = torch.zeros(arcs.weight.shape, dtype=torch.float64)
    if total == NO_PATH:
        return counts
    alpha, beta = _forward(scores, arcs), _backward(scores, arcs)
    arcs = _in_float64(arcs)
    emitted = scores.double()[:, arcs.pdfs]
    for t in range(1, scores.shape[0]):
        counts += (alpha[t - 1][arcs.src] + arcs.weight + (emitted[t] + beta[t])[arcs.dst] - total).exp()
    return counts


def filter(scores: Tensor, arcs: Arcs) -> Tensor:
    """Probability (T, S) of each state at each frame given the frames up to it: exp(α_t) over its sum.

    The final weights do not count.
    """
    return _shares(_forward(scores, arcs))


def smooth(scores: Tensor, arcs: Arcs, lag: int) -> Tensor:
    """Probability (T, S) of each state at frame t given the frames up to e = min(t + lag, T−1).

    ``posteriors`` of the first e + 1 frames alone, without the final weights unless e = T−1.
    """
    frames = scores.shape[0]
    rows = torch.zeros(frames, arcs.num_states, dtype=torch.float64)
    for t in range(frames):
        end = min(t + lag, frames - 1)
        window = arcs if end == frames - 1 else arcs._replace(final=torch.zeros(arcs.num_states))
        rows[t] = posteriors(scores[: end + 1], window)[t]
    return rows


def sample(scores: Tensor, arcs: Arcs, uniforms: Tensor) -> Tensor:
    """A path (T,) from the posterior over paths, chosen by ``uniforms`` (T,); −1 throughout if there is no path.

    From the last frame to the first, each state is the lowest whose cumulative share exceeds the frame's number, with
    P(s_{T−1} = j) ∝ exp(α_{T−1}[j] + final[j]) and P(s_{t−1} = i | s_t = j) ∝ Σ_{a: i→j} exp(α_{t−1}[i] + w_a).
    """
    frames, size = scores.shape[0], arcs.num_states
    states = torch.full((frames,), -1, dtype=torch.int64)
    if log_likelihood(scores, arcs) == NO_PATH:
        return states
    alpha = _forward(scores, arcs)
    arcs = _in_float64(arcs)
    choice = alpha[-1] + arcs.final
    for t in range(frames - 1, -1, -1):
        cumulative = _shares(choice).cumsum(0)
        states[t] = int((cumulative > uniforms[t] * cumulative[-1]).nonzero()[0])
        entering = arcs.dst == states[t]
        arriving = alpha[t - 1][arcs.src[entering]] + arcs.weight[entering]
        choice = _scatter_log_sum(arriving, arcs.src[entering], size)
    return states


def _shares(logs: Tensor) -> Tensor:
    """exp(logs) over its sum along the last axis; 0 where all are −inf."""
    return logs.softmax(-1).nan_to_num(0.0)


# ---- explicit durations: csrc/semi_markov.h


def semi_markov_viterbi(scores: Tensor, arcs: Arcs, durations: Tensor) -> BestPath:
    """Best row of segments through ``scores`` (T, V) with ``durations`` (S, D), at the borders t = 0 … T of frames.

    opened_0[j] = initial[j], opened_t[j] = max_{a: i→j} (ended_t[i] + w_a)
    ended_t[j]  = max_d (opened_{t−d}[j] + Σ_{u=t−d}^{t−1} scores[u, pdf_j] + durations[j, d−1])
    score       = max_j (ended_T[j] + final[j])

    Ties: the lowest state at the end; then, going back, the shortest duration, the lowest source state, and so on.
    """
    arcs, frames = _in_float64(arcs), len(scores)
    states = torch.full((frames,), -1, dtype=torch.int64)
    opened, ended = _segments(scores, arcs, durations, _scatter_max, lambda values: values.amax(0))
    ending = ended[-1] + arcs.final
    score = float(ending.max())
    if frames == 0 or score == NO_PATH:
        return BestPath(states, NO_PATH)
    end, state = frames, int((ending == score).nonzero()[0])
    while end > 0:
        best = _ending_at(end, opened, scores, arcs, durations)[:, state]
        begin = end - 1 - int((best == best.max()).nonzero()[0])
        states[begin:end] = state
        if begin > 0:
            arriving = torch.where(arcs.dst == state, ended[begin][arcs.src] + arcs.weight, NO_PATH)
            state = int(arcs.src[arriving == arriving.max()].min())
        end = begin
    return BestPath(states, score)


def semi_markov_log_likelihood(scores: Tensor, arcs: Arcs, durations: Tensor) -> float:
    """Log of the sum over all rows of segments: as ``semi_markov_viterbi`` with log Σ exp in place of max."""
    if len(scores) == 0:
        return NO_PATH
    _, ended = _segments(scores, _in_float64(arcs), durations)
    return float(torch.logsumexp(ended[-1] + arcs.final.double(), 0))


def semi_markov_posteriors(scores: Tensor, arcs: Arcs, durations: Tensor) -> Tensor:
    """Probability (T, S) that a frame lies in a segment of a state: the sum over the segments that contain it."""
    arcs, frames = _in_float64(arcs), len(scores)
    occupancy = torch.zeros(frames, arcs.num_states, dtype=torch.float64)
    total = semi_markov_log_likelihood(scores, arcs, durations)
    if total == NO_PATH:
        return occupancy
    opened, _ = _segments(scores, arcs, durations)
    turned = arcs._replace(src=arcs.dst, dst=arcs.src, initial=arcs.final, final=arcs.initial)
    follows = _segments(scores.flip(0), turned, durations)[0].flip(0)  # the sum over what may come after border t
    for end in range(1, frames + 1):
        segments = (_ending_at(end, opened, scores, arcs, durations) + follows[end] - total).exp()
        occupancy[end - len(segments) : end] += segments.flip(0).cumsum(0)  # a frame has the segments begun until it
    return occupancy


def _segments(
    scores: Tensor, arcs: Arcs, durations: Tensor, into: Any = None, among: Any = None
) -> tuple[Tensor, Tensor]:
    """(T+1, S) twice: opened and ended at each border; ``into`` adds up arcs, ``among`` durations."""
    into, among = into or _scatter_log_sum, among or (lambda values: torch.logsumexp(values, 0))
    opened = torch.full((len(scores) + 1, arcs.num_states), NO_PATH, dtype=torch.float64)
    ended = opened.clone()
    opened[0] = arcs.initial
    for t in range(1, len(scores) + 1):
        ended[t] = among(_ending_at(t, opened, scores, arcs, durations))
        opened[t] = into(ended[t][arcs.src] + arcs.weight, arcs.dst, arcs.num_states)
    return opened, ended


def _ending_at(end: int, opened: Tensor, scores: Tensor, arcs: Arcs, durations: Tensor) -> Tensor:
    """(min(D, end), S): what the segments that end at border ``end`` come to, by duration, the shortest first."""
    begin = max(0, end - durations.shape[1])
    emitted = scores[begin:end].double()[:, arcs.pdfs].flip(0).cumsum(0)
    return opened[begin:end].flip(0) + emitted + durations.detach().double().T[: end - begin]


def _pruned(alpha: Tensor, beam: float) -> Tensor:
    tops = torch.stack([block.max() for block in alpha.split(BEAM_STATES)])
    given_up = tops < tops.max() - beam
    return alpha.masked_fill(given_up.repeat_interleave(BEAM_STATES)[: len(alpha)], NO_PATH)


def _forward(scores: Tensor, arcs: Arcs) -> Tensor:
    """(T, S): α_0[j] = initial[j] + scores[0, pdf_j], α_t[j] = log Σ_{i→j} exp(α_{t−1}[i] + w_a) + scores[t, pdf_j]."""
    arcs = _in_float64(arcs)
    emitted = scores.double()[:, arcs.pdfs]
    alpha = arcs.initial + emitted
    for t in range(1, len(emitted)):
        alpha[t] = _scatter_log_sum(alpha[t - 1][arcs.src] + arcs.weight, arcs.dst, arcs.num_states) + emitted[t]
    return alpha


def _backward(scores: Tensor, arcs: Arcs) -> Tensor:
    """(T, S): β_{T−1}[i] = final[i], β_{t−1}[i] = log Σ_{i→j} exp(w_a + scores[t, pdf_j] + β_t[j])."""
    arcs = _in_float64(arcs)
    emitted = scores.double()[:, arcs.pdfs]
    beta = arcs.final.repeat(len(emitted), 1)
    for t in range(len(emitted) - 1, 0, -1):
        beta[t - 1] = _scatter_log_sum(arcs.weight + (emitted[t] + beta[t])[arcs.dst], arcs.src, arcs.num_states)
    return beta


def _scatter_max(values: Tensor, index: Tensor, size: int) -> Tensor:
    """(size,) maximum of the values that go to each place, −inf where none does."""
    return torch.full((size,), NO_PATH, dtype=torch.float64).scatter_reduce(0, index, values, "amax")


def _scatter_log_sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    """(size,) log Σ exp of the values that go to each place, −inf where none does."""
    top = _scatter_max(values, index, size)
    top = torch.where(top == NO_PATH, 0.0, top)
    total = torch.zeros(size, dtype=torch.float64).index_add(0, index, (values - top[index]).exp())
    return total.log() + top


def _in_float64(arcs: Arcs) -> Arcs:
    """The same arcs with int64 indices and float64 weights, outside of autograd."""
    return Arcs(
        arcs.num_states,
        arcs.src.detach().long(),
        arcs.dst.detach().long(),
        arcs.weight.detach().double(),
        arcs.pdfs.detach().long(),
        arcs.initial.detach().double(),
        arcs.final.detach().double(),
    )
