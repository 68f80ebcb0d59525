"""The best path of a text through a recording, and the evidence for it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import ops
from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.model import PRIOR_SCALE
from streamhmm.align.evidence import Evidence, gather_evidence
from streamhmm.align.filler import with_filler
from streamhmm.align.runs import Runs, read_runs
from streamhmm.align.topology import Phone, Topology
from streamhmm.errors import AlignmentError
from streamhmm.graph import Graph


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


class Scored(NamedTuple):
    """A recording as the decoder sees it.

    Attributes:
        log_posteriors: (T, V).
        scores: (T, V), or (T, V + 1) with a last column of other speech.
        loop: (T,) columns along the best path of any phones.
        silence: column of silence.
    """

    log_posteriors: Tensor
    scores: Tensor
    loop: Tensor
    silence: int


class WordPath(NamedTuple):
    """Words along a path; see :class:`Decoding`."""

    phones: tuple[Phone, ...]
    phone_readings: Tensor
    word_indices: tuple[int, ...]
    runs: Runs


def decode(log_posteriors: Tensor, topology: Topology, model: AcousticModel, loop: Graph, name: str) -> Decoding:
    """The best path of ``topology`` through (T, V) log-posteriors, held against that of the phone ``loop``.

    Raises:
        AlignmentError: no path of the text fits the recording, which is called ``name``.
    """
    is_free = topology.graph.num_pdfs > log_posteriors.shape[1]
    scored = score(log_posteriors, model, loop, other_speech=is_free)
    return judged(find_path(scored.scores, topology, name), scored, is_free)


def score(log_posteriors: Tensor, model: AcousticModel, loop: Graph, *, other_speech: bool) -> Scored:
    """What paths are found with, in (T, V) log-posteriors; a graph with talk in it needs ``other_speech``."""
    scores = log_posteriors - PRIOR_SCALE * model.log_prior
    free = loop.pdfs[ops.viterbi(scores, loop).states]
    return Scored(log_posteriors, with_filler(scores, model.silence) if other_speech else scores, free, model.silence)


def find_path(scores: Tensor, topology: Topology, name: str) -> WordPath:
    """The best path of ``topology``.

    Raises:
        AlignmentError: there is none; ``name`` is the recording's.
    """
    path = ops.viterbi(scores, topology.graph)
    if not torch.isfinite(path.score):
        raise AlignmentError(f"{name}: no path through the text fits the audio; check that they belong together")
    runs = read_runs(path.states, topology)
    phones = tuple(topology.phones[phone] for phone in runs.phones[runs.spoken].tolist())
    begins = topology.begins_word[path.states[runs.bounds[:-1]]][runs.spoken]
    word_indices = tuple(phone.word for phone, begin in zip(phones, begins.tolist(), strict=True) if begin)
    return WordPath(phones, begins.cumsum(0) - 1, word_indices, runs)


def judged(path: WordPath, scored: Scored, is_free: bool) -> Decoding:
    """A path with the evidence for it."""
    evidence = gather_evidence(
        path.runs, path.phone_readings, scored.log_posteriors, scored.scores, scored.loop, scored.silence
    )
    return Decoding(*path, scored.scores, evidence, is_free)
