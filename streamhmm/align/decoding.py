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


def decode(log_posteriors: Tensor, topology: Topology, model: AcousticModel, loop: Graph, name: str) -> Decoding:
    """The best path of ``topology`` through (T, V) log-posteriors, held against that of the phone ``loop``.

    Raises:
        AlignmentError: no path of the text fits the recording, which is called ``name``.
    """
    scores = log_posteriors - PRIOR_SCALE * model.log_prior
    is_free = topology.graph.num_pdfs > scores.shape[1]
    if is_free:
        scores = with_filler(scores, model.silence)
    path = ops.viterbi(scores, topology.graph)
    if not torch.isfinite(path.score):
        raise AlignmentError(f"{name}: no path through the text fits the audio; check that they belong together")
    runs = read_runs(path.states, topology)
    phones = tuple(topology.phones[phone] for phone in runs.phones[runs.spoken].tolist())
    begins = topology.begins_word[path.states[runs.bounds[:-1]]][runs.spoken]
    readings = begins.cumsum(0) - 1
    word_indices = tuple(phone.word for phone, begin in zip(phones, begins.tolist(), strict=True) if begin)
    free = loop.pdfs[ops.viterbi(scores, loop).states]
    evidence = gather_evidence(runs, readings, log_posteriors, scores, free, model.silence)
    return Decoding(phones, readings, word_indices, runs, scores, evidence, is_free)
