"""What an alignment is, and how it is read off a path."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import formats
from streamhmm.align.boundaries import crossings, spreads
from streamhmm.align.calibration import Calibration
from streamhmm.align.decoding import Decoding
from streamhmm.align.quality import Quality
from streamhmm.align.runs import Runs
from streamhmm.segment import Segment


@dataclass(frozen=True)
class Alignment(formats.Tiers):
    """When the words and phones of a text are spoken in a recording.

    Attributes:
        words: one :class:`~streamhmm.Segment` for each word of the text, in the user's own spelling. With ``follow``
            one for each time that a word is read, in order of time.
        phones: the phones (ARPAbet without stress) of the pronunciation that was heard; of a Hugging Face model the
            tokens, letters or phones as it writes them.
        phone_words: for each phone the index of its word in ``words``.
        duration: length of the recording in seconds.
        audio, text: the recording's name and the text as given.
        warnings: what the user should know, such as words without a known pronunciation.
        word_indices: for each of ``words`` the index of the word in the text.
        takes: for each of ``words`` how many times that word had been read before.
        skipped: indices of the words of the text that were never read.
        offscript: stretches of speech that is not in the text, from the first sound to the last.

    A segment's ``score`` is the probability that it is what was spoken, as it was for one wrong word in thirteen
    planted in training speech; of a Hugging Face model it is the mean posterior of its tokens, and None for words that
    it has no letters for. ``start_sd`` and ``end_sd`` tell how far the times may be off, where that is known.
    """

    quality: Quality | None = None
    """Figures of how well recording and text go together; None for a stream's."""

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write to a file, whole or not at all, in the format of that name, by default that of the suffix.

        :mod:`streamhmm.formats` tells what each holds.

        Raises:
            ValueError: an unknown suffix or name.
            OutputError: the file can't be written.
        """
        formats.save(path, self, format)

    def moved(self, seconds: float, words: int) -> Alignment:
        """The same as part of something longer: so many seconds later, and so many words of the text later."""

        def later(tier: tuple[Segment, ...]) -> tuple[Segment, ...]:
            return tuple(replace(part, start=part.start + seconds, end=part.end + seconds) for part in tier)

        return replace(
            self,
            words=later(self.words),
            phones=later(self.phones),
            offscript=later(self.offscript),
            duration=self.duration + seconds,
            word_indices=tuple(index + words for index in self.word_indices),
            skipped=tuple(index + words for index in self.skipped),
        )


class Edges(NamedTuple):
    """Where the runs of a path begin and end, the last at the end of the recording.

    Attributes:
        times: (R + 1,) seconds.
        sds: (R + 1,) their standard deviations, milliseconds; NaN at the recording's own ends.
    """

    times: Tensor
    sds: Tensor


def find_edges(runs: Runs, scores: Tensor, frame_s: float, duration: float, calibration: Calibration) -> Edges:
    """The edges of a path found with (T, V) ``scores``; frame t covers t·frame_s … (t+1)·frame_s."""
    inner = spreads(runs, scores, calibration.spread_scale) * frame_s * 1000 * calibration.spread_gain
    sds = torch.nn.functional.pad((inner.square() + calibration.spread_floor_ms**2).sqrt(), (1, 1), value=math.nan)
    ends = torch.tensor([0.0, duration], dtype=torch.float64)
    inner_times = (crossings(runs, scores) * frame_s).clamp(max=duration)  # it may end within a silent last frame
    return Edges(torch.cat([ends[:1], inner_times, ends[1:]]), sds)


def phone_segments(decoding: Decoding, edges: Edges, scores: Tensor) -> tuple[Segment, ...]:
    """The phones of a path; ``scores`` are (P,)."""
    columns = (edges.times[:-1], edges.times[1:], edges.sds[:-1], edges.sds[1:])
    starts, ends, start_sds, end_sds = (column[decoding.runs.spoken].tolist() for column in columns)
    labels = [phone.label for phone in decoding.phones]
    known = ([None if math.isnan(sd) else sd for sd in sds] for sds in (start_sds, end_sds))
    return tuple(starmap(Segment, zip(labels, starts, ends, scores.tolist(), *known, strict=True)))


def word_segments(
    labels: Sequence[str], phones: Sequence[Segment], words: Sequence[int], scores: Tensor
) -> tuple[Segment, ...]:
    """One segment a word, from its first phone's start to its last phone's end.

    ``words`` has for each phone the index of its word; ``scores`` are (W,).
    """
    members: list[list[Segment]] = [[] for _ in labels]
    for segment, word in zip(phones, words, strict=True):
        members[word].append(segment)
    return tuple(
        Segment(label, parts[0].start, parts[-1].end, score, parts[0].start_sd, parts[-1].end_sd)
        for label, parts, score in zip(labels, members, scores.tolist(), strict=True)
    )
