"""Decoding of long recordings, part by part: the engine's work grows with the audio's length times the text's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from streamhmm.acoustic import AcousticModel
from streamhmm.align.coarse import coarse_places
from streamhmm.align.decoding import Decoding, WordPath, find_path, judged, score
from streamhmm.align.follow import Follow
from streamhmm.align.runs import Runs
from streamhmm.align.splitting import split
from streamhmm.align.topology import Phone, build_topology, least_frames
from streamhmm.graph import Graph
from streamhmm.text import SpokenWord

LONG_FRAMES = 12_000
"""Shorter recordings are decoded as a whole."""


def is_long(frames: int, costs: Follow | None) -> bool:
    """Whether a recording is to be decoded in parts: not where a speaker may go back, from anywhere to anywhere."""
    return frames >= LONG_FRAMES and not (costs is not None and costs.goes_back)


def decode_long(
    log_posteriors: Tensor,
    words: Sequence[SpokenWord],
    columns: Mapping[str, int],
    costs: Follow | None,
    model: AcousticModel,
    loop: Graph,
    name: str,
) -> Decoding:
    """The best path of ``words`` through (T, V) log-posteriors, as :func:`decode` finds it in their graph.

    Args:
        columns, costs: of the graph.
        loop: of the phones that the path is held against.
        name: the recording's.

    Raises:
        AlignmentError: no path of the text fits.
    """
    scored = score(log_posteriors, model, loop, other_speech=costs is not None)
    scores = scored.scores[:, : log_posteriors.shape[1]]
    coarse = coarse_places(scores, scored.loop, words, columns, scored.silence)
    needed = [least_frames([word]) if costs is None else 0 for word in words]
    paths, begins = [], []
    for (first, last), (begin, end) in split(coarse, scored.loop != scored.silence, needed):
        topology = build_topology(words[begin:end], columns, follow=costs)
        paths.append(find_path(scored.scores[first:last], topology, name))
        begins.append(begin)
    return judged(join(paths, begins), scored, costs is not None)


def join(paths: Sequence[WordPath], begins: Sequence[int]) -> WordPath:
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
