"""What a CTC alignment tells: tokens in frames, and their times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from streamhmm.segment import Segment
from streamhmm.tensor_alignment.forced_alignment import TokenSpan
from streamhmm.tensor_alignment.token_boundaries import Reach, reach


@dataclass(frozen=True)
class CtcAlignment:
    """One sequence's targets along the best CTC path.

    Attributes:
        tokens: one a target, in order, with the frames in which it is heard; the score is the mean of its
            log-probabilities there, in nats.
        score: the log-probability of the path, in nats.
        frames: of the whole sequence.
        blank_share: share of the frames in which no token is heard.
        frame_s: seconds from frame to frame; None: not known.
        offset_s: seconds at which the first frame begins.
        posteriors: (frames, L), how probable it is that each target is heard in each frame, given all frames and all
            paths; what is missing to 1 is the blank's. None where they were not asked for.
    """

    tokens: tuple[TokenSpan, ...]
    score: float
    frames: int
    blank_share: float
    frame_s: float | None = None
    offset_s: float = 0.0
    posteriors: Tensor | None = field(default=None, repr=False, compare=False)

    def boundaries(self, words: Sequence[int] | None = None) -> Reach:
        """When each token begins and ends, in frames: what is heard, with shares of the blanks beside it.

        Blanks between two tokens of a word are halved. At its ends a word takes half of what is usual between its
        tokens, at most half of what there is.

        Args:
            words: (L,) the number of the word that each token belongs to; None: all are of one.

        Returns:
            ``starts`` and ``ends``, (L,) float64.

        Raises:
            ValueError: another number of ``words`` than tokens.
        """
        if words is not None and len(words) != len(self.tokens):
            raise ValueError(f"words must be ({len(self.tokens)},), one a token, got {len(words)}")
        if not self.tokens:
            return Reach(torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64))
        firsts = torch.tensor([token.start for token in self.tokens])
        ends = torch.tensor([token.end for token in self.tokens])
        of = torch.zeros(len(firsts)) if words is None else torch.as_tensor(words)
        return reach(firsts, ends, of[1:] == of[:-1], self.frames)

    def segments(self, names: Sequence[str], words: Sequence[int] | None = None) -> tuple[Segment, ...]:
        """The tokens with their times in seconds.

        Args:
            names: of the columns of the log-probabilities, the blank's too.
            words: as in :meth:`boundaries`.

        Returns:
            One :class:`~streamhmm.Segment` a token; its score is the geometric mean of the token's probabilities.

        Raises:
            ValueError: the aligner was made without ``frame_s``; another number of ``words`` than tokens; a token's
                column has no name.
        """
        starts, ends = self._seconds(words)
        highest = max((token.token for token in self.tokens), default=-1)
        if highest >= len(names):
            raise ValueError(f"names must be of all columns, {highest} is one of them, got {len(names)} names")
        found = zip(self.tokens, starts, ends, strict=True)
        return tuple(Segment(names[token.token], start, end, math.exp(token.score)) for token, start, end in found)

    def word_segments(self, labels: Sequence[str], words: Sequence[int]) -> tuple[Segment, ...]:
        """Words with their times in seconds, from the first token of each to its last.

        Args:
            labels: (W,) how each word is written.
            words: (L,) the word of each token, ascending, every one of 0…W − 1.

        Returns:
            One :class:`~streamhmm.Segment` a word; its score is the geometric mean of the probabilities in the frames
            of its tokens.

        Raises:
            ValueError: the aligner was made without ``frame_s``; ``words`` that are not as said.
        """
        starts, ends = self._seconds(words)
        words = [int(word) for word in words]
        if list(dict.fromkeys(words)) != list(range(len(labels))) or words != sorted(words):
            raise ValueError(f"words must be ascending, with every one of 0…{len(labels) - 1}, got {words}")
        places = [list(own) for _, own in groupby(range(len(words)), key=words.__getitem__)]
        return tuple(
            Segment(label, starts[own[0]], ends[own[-1]], math.exp(self._mean_score(own)))
            for label, own in zip(labels, places, strict=True)
        )

    def _seconds(self, words: Sequence[int] | None) -> tuple[list[float], list[float]]:
        if self.frame_s is None:
            raise ValueError("times in seconds need CTCAligner(frame_s=…)")
        starts, ends = (edges * self.frame_s + self.offset_s for edges in self.boundaries(words))
        return starts.tolist(), ends.tolist()

    def _mean_score(self, places: Sequence[int]) -> float:
        tokens = [self.tokens[place] for place in places]
        return sum(token.score * len(token) for token in tokens) / sum(map(len, tokens))
