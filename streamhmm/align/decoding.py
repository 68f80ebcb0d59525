"""The best path of a text through a recording, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from streamhmm import ops
from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.model import PRIOR_SCALE
from streamhmm.align.coarse import coarse_places
from streamhmm.align.evidence import Evidence, gather_evidence
from streamhmm.align.filler import with_filler
from streamhmm.align.follow import Follow
from streamhmm.align.paths import find_path, join_paths
from streamhmm.align.runs import Runs
from streamhmm.align.splitting import Part, split
from streamhmm.align.topology import Phone, build_topology, least_frames
from streamhmm.graph import Graph
from streamhmm.text import SpokenWord

LONG_FRAMES = 12_000
"""Shorter recordings are decoded as a whole. The engine's work grows with the audio's length times the text's."""


class Decoding(NamedTuple):
    """A path through a recording.

    Attributes:
        phones: those on the path, in order, each with the index of its word.
        phone_readings: (P,) index of the reading that each phone belongs to.
        word_indices: for each reading of a word, in order, the index of the word.
        runs: the path, silences included.
        scores: (T, V) that it was found with, or (T, V + 1) if the graph has a column of other speech.
        evidence: how well the words fit.
        is_free: whether the path might leave out what the text does not explain.
    """

    phones: tuple[Phone, ...]
    phone_readings: Tensor
    word_indices: tuple[int, ...]
    runs: Runs
    scores: Tensor
    evidence: Evidence
    is_free: bool


def decode(
    log_posteriors: Tensor,
    words: Sequence[SpokenWord],
    columns: Mapping[str, int],
    costs: Follow | None,
    model: AcousticModel,
    loop: Graph,
    name: str,
) -> Decoding:
    """The best path of ``words`` through (T, V) log-posteriors, held against that of the phone ``loop``.

    Args:
        columns: score column of each phone and of silence.
        costs: what a speaker may do besides reading word after word; None: nothing.
        name: the recording's.

    Raises:
        AlignmentError: no path of the text fits.
    """
    scores = log_posteriors - PRIOR_SCALE * model.log_prior
    free = loop.pdfs[ops.viterbi(scores, loop).states]
    parts, talk_weight = _plan(scores, free, words, columns, costs, model.silence)
    if costs is not None:
        scores = with_filler(scores, model.silence, talk_weight)
    paths = []
    for (first, last), (begin, end) in parts:
        topology = build_topology(words[begin:end], columns, follow=costs)
        paths.append(find_path(scores[first:last], topology, name))
    path = join_paths(paths, [part.words[0] for part in parts])
    evidence = gather_evidence(path.runs, path.phone_readings, log_posteriors, scores, free, model.silence)
    return Decoding(*path, scores, evidence, costs is not None)


class _Plan(NamedTuple):
    """What is decoded by itself, and the log-weight of a frame of talk."""

    parts: list[Part]
    talk_weight: float


def _plan(
    scores: Tensor,
    free: Tensor,
    words: Sequence[SpokenWord],
    columns: Mapping[str, int],
    costs: Follow | None,
    silence: int,
) -> _Plan:
    is_long = len(scores) >= LONG_FRAMES
    whole = [Part((0, len(scores)), (0, len(words)))]
    if (costs is None and not is_long) or (costs is not None and costs.goes_back):  # then from anywhere to anywhere
        return _Plan(whole, 0.0)
    coarse = coarse_places(scores, free, words, columns, silence)
    needed = [least_frames([word]) if costs is None else 0 for word in words]
    return _Plan(split(coarse, free != silence, needed) if is_long else whole, coarse.talk_weight)
