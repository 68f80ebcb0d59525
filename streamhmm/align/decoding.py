"""The best path of a text through a recording, and the evidence for it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import ops
from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.model import PRIOR_SCALE
from streamhmm.align.evidence import Evidence, gather_evidence
from streamhmm.align.runs import Runs, read_runs
from streamhmm.align.topology import Phone, Topology
from streamhmm.errors import AlignmentError
from streamhmm.graph import Graph


class Decoding(NamedTuple):
    """A path through a recording.

    Attributes:
        phones: those on the path, in order, each with the index of its word.
        runs: the path, silences included.
        scores: (T, V) that it was found with.
        evidence: how well it fits.
    """

    phones: tuple[Phone, ...]
    runs: Runs
    scores: Tensor
    evidence: Evidence


def decode(samples: Tensor, topology: Topology, model: AcousticModel, loop: Graph, name: str) -> Decoding:
    """The best path of ``topology`` through (N,) samples, held against that of the phone ``loop``.

    Raises:
        AlignmentError: no path of the text fits the recording, which is called ``name``.
    """
    log_posteriors = model.log_posteriors(samples)
    scores = log_posteriors - PRIOR_SCALE * model.log_prior
    path = ops.viterbi(scores, topology.graph)
    if not torch.isfinite(path.score):
        raise AlignmentError(f"{name}: no path through the text fits the audio; check that they belong together")
    runs = read_runs(path.states, topology)
    phones = tuple(topology.phones[phone] for phone in runs.phones[runs.spoken].tolist())
    words = torch.tensor([phone.word for phone in phones])
    free = loop.pdfs[ops.viterbi(scores, loop).states]
    return Decoding(phones, runs, scores, gather_evidence(runs, words, log_posteriors, scores, free, model.silence))
