"""The words along a best path, and one path out of those of a recording's parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import ops
from streamhmm.align.runs import Runs, read_runs
from streamhmm.align.topology import Phone, Topology
from streamhmm.errors import AlignmentError


class WordPath(NamedTuple):
    """Words along a path.

    Attributes:
        phones: those on the path, in order, each with the index of its word.
        phone_readings: (P,) index of the reading that each phone belongs to.
        word_indices: for each reading of a word, in order, the index of the word.
        runs: the path, silences included.
    """

    phones: tuple[Phone, ...]
    phone_readings: Tensor
    word_indices: tuple[int, ...]
    runs: Runs


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


def join_paths(paths: Sequence[WordPath], begins: Sequence[int]) -> WordPath:
    """One path from those of consecutive parts, whose words begin at these of the whole text.

    A pause that lies in two parts is one.
    """
    pairs = list(zip(paths, begins, strict=True))
    read = [0, *accumulate(len(path.word_indices) for path in paths)]
    return WordPath(
        tuple(Phone(phone.label, phone.word + begin) for path, begin in pairs for phone in path.phones),
        torch.cat([path.phone_readings + before for path, before in zip(paths, read, strict=False)]),
        tuple(index + begin for path, begin in pairs for index in path.word_indices),
        _join_runs([path.runs for path in paths]),
    )


def _join_runs(parts: Sequence[Runs]) -> Runs:
    phones, pdfs = torch.cat([runs.phones for runs in parts]), torch.cat([runs.pdfs for runs in parts])
    ends = torch.cat([runs.frames for runs in parts]).cumsum(0)
    seams = torch.tensor([len(runs.phones) for runs in parts[:-1]], dtype=torch.int64).cumsum(0)
    goes_on = (phones[seams] == phones[seams - 1]) & (pdfs[seams] == pdfs[seams - 1]) & (phones[seams] < 0)
    kept = torch.ones(len(phones), dtype=torch.bool)
    kept[seams[goes_on]] = False
    starts = torch.nn.functional.pad(ends[:-1], (1, 0))
    return Runs(phones[kept], pdfs[kept], torch.cat([starts[kept], ends[-1:]]))
