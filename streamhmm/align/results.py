"""What an alignment is, and how it is read off a path."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import formats
from streamhmm.align.topology import Topology
from streamhmm.segment import Segment

SMALLEST_SCORE = 1e-30


@dataclass(frozen=True)
class Alignment(formats.Tiers):
    """When the words and phones of a text are spoken in a recording.

    Attributes:
        words: one :class:`~streamhmm.Segment` for each word of the text, in the user's own spelling.
        phones: the phones (ARPAbet without stress) of the pronunciation that was heard.
        phone_words: for each phone the index of its word.
        duration: length of the recording in seconds.
        audio, text: the recording's name and the text as given.
        warnings: what the user should know, such as words without a known pronunciation.

    A segment's ``score`` is the geometric mean, over its frames, of the network's posterior of the phone: 0…1, not
    calibrated.
    """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file whose suffix names the format, whole or not at all.

        Raises:
            ValueError: an unknown suffix.
            OutputError: the file can't be written.
        """
        formats.save(path, self)


class PhoneSegments(NamedTuple):
    """The phones along a path: segments and, for each, the index of its word."""

    segments: tuple[Segment, ...]
    words: tuple[int, ...]


def phone_segments(
    states: Tensor, topology: Topology, log_posteriors: Tensor, scores: Tensor, frame_s: float, duration: float
) -> PhoneSegments:
    """The phones along a best path.

    Args:
        states: (T,) states of the path.
        topology: the graph that they belong to.
        log_posteriors: (T, V) of the network.
        scores: (T, V) that the path was found with.
        frame_s: seconds a frame; frame t covers t·frame_s … (t+1)·frame_s.
        duration: seconds of the recording, which ends within the last frame.
    """
    phone_of_frame = topology.phone_of_state[states]
    pdfs = topology.graph.pdfs[states]
    frame_scores = log_posteriors.gather(1, pdfs[:, None])[:, 0].double()
    changes = torch.nonzero(phone_of_frame[1:] != phone_of_frame[:-1])[:, 0] + 1
    bounds = [0, *changes.tolist(), len(states)]
    times = [0.0, *(_crossings(changes, pdfs, scores) * frame_s).tolist(), duration]
    sums = torch.cat([frame_scores.new_zeros(1), frame_scores.cumsum(0)])[bounds].diff()
    means = (sums / torch.tensor(bounds).diff()).exp().clamp(max=1.0).tolist()
    segments, words = [], []
    for phone, start, end, score in zip(phone_of_frame[bounds[:-1]].tolist(), times, times[1:], means, strict=False):
        if phone >= 0:
            label, word = topology.phones[phone]
            segments.append(Segment(label, start, end, score))
            words.append(word)
    return PhoneSegments(tuple(segments), tuple(words))


def _crossings(changes: Tensor, pdfs: Tensor, scores: Tensor) -> Tensor:
    """Where, in frames, the score of the next phone overtakes that of the one before.

    Between the centres of the two frames on either side of a change, by linear interpolation; at the frames' edge
    where the scores do not cross there.
    """
    before, after = pdfs[changes - 1], pdfs[changes]
    lead_before = (scores[changes - 1, after] - scores[changes - 1, before]).double()
    lead_after = (scores[changes, after] - scores[changes, before]).double()
    crossing = changes - 0.5 + lead_before / (lead_before - lead_after)
    crosses = (lead_before < 0) & (lead_after > 0) & crossing.isfinite()  # forbidden frames have no slope
    return torch.where(crosses, crossing, changes.double())


def word_segments(labels: Sequence[str], phones: PhoneSegments) -> tuple[Segment, ...]:
    """One segment a word: from its first phone's start to its last phone's end, scores weighted by duration."""
    members: list[list[Segment]] = [[] for _ in labels]
    for segment, word in zip(phones.segments, phones.words, strict=True):
        members[word].append(segment)
    return tuple(_joined(label, parts) for label, parts in zip(labels, members, strict=True))


def mean_score(segments: Sequence[Segment]) -> float:
    """The geometric mean of the scores, weighted by duration: 0…1."""
    seconds = sum(segment.duration for segment in segments)
    logs = sum(segment.duration * math.log(max(segment.score or 0.0, SMALLEST_SCORE)) for segment in segments)
    return min(math.exp(logs / seconds), 1.0)


def _joined(label: str, parts: Sequence[Segment]) -> Segment:
    return Segment(label, parts[0].start, parts[-1].end, mean_score(parts))
