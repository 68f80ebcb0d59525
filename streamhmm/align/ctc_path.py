"""The tokens of a text along the best path of a CTC network; how long each lasts, token_boundaries.py tells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import ops
from streamhmm.align.ctc_graph import BETWEEN, Token, build_ctc_graph
from streamhmm.align.ctc_units import Vocabulary
from streamhmm.errors import AlignmentError
from streamhmm.text import SpokenWord
from streamhmm.text.letters import UNKNOWN


class TokenPath(NamedTuple):
    """The tokens along a path.

    Attributes:
        tokens: in the order of time.
        firsts, ends: (P,) frames in which each is heard, the end exclusive.
        is_inside: (P − 1,) whether there is nothing but blanks to the next one, which is of the same word.
        posteriors: (P,) mean probability of each in its frames; NaN where any sound would do.
        score: nats a frame.
        best: nats a frame of the network's most likely label in each, whatever the text.
        frames: T.
    """

    tokens: tuple[Token, ...]
    firsts: Tensor
    ends: Tensor
    is_inside: Tensor
    posteriors: Tensor
    score: float
    best: float
    frames: int

    def word_posteriors(self) -> Tensor:
        """(W,) means over the frames of each word's tokens; NaN where there are none but of any sound."""
        known = ~self.posteriors.isnan()
        words = torch.tensor([token.word for token in self.tokens])[known]
        frames = (self.ends - self.firsts)[known].double()
        zeros = torch.zeros(self.tokens[-1].word + 1, dtype=torch.float64)
        return zeros.index_add(0, words, self.posteriors[known] * frames) / zeros.index_add(0, words, frames)

    def within_words(self) -> Tensor:
        """(T,) True from the first frame of each word to its last."""
        words = torch.tensor([token.word for token in self.tokens])
        changes = (words[1:] != words[:-1]).nonzero()[:, 0]
        steps = torch.zeros(self.frames + 1, dtype=torch.int64)
        steps[self.firsts[torch.cat([changes.new_zeros(1), changes + 1])]] += 1
        steps.index_add_(
            0, self.ends[torch.cat([changes, changes.new_tensor([len(words) - 1])])], -steps.new_ones(len(changes) + 1)
        )
        return steps[:-1].cumsum(0) > 0


def find_tokens(log_posteriors: Tensor, words: Sequence[SpokenWord], vocabulary: Vocabulary, name: str) -> TokenPath:
    """The best path of ``words`` through (T, V) log-posteriors.

    Raises:
        AlignmentError: there is none, or some are NaN; ``name`` is the recording's.
    """
    if log_posteriors.isnan().any():
        raise AlignmentError(
            f"{name}: the network's posteriors are not finite; try precision fp32, and if that is so already, get the "
            "model's files again or name another model"
        )
    scores, columns, blank, delimiter = vocabulary.scores(log_posteriors, words)
    text = build_ctc_graph(words, columns, blank, delimiter, UNKNOWN)
    path = ops.viterbi(scores, text.graph)
    if not torch.isfinite(path.score):
        raise AlignmentError(f"{name}: no path through the text fits the audio; check that they belong together")
    places = text.token_of_state[path.states]
    heard = (places != BETWEEN).nonzero()[:, 0]
    ids, counts = places[heard].unique_consecutive(return_counts=True)
    bounds = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    firsts, ends = heard[bounds[:-1]], heard[bounds[1:] - 1] + 1
    tokens = tuple(text.tokens[place] for place in ids.tolist())
    pdfs = text.graph.pdfs[path.states]
    along = scores.gather(1, pdfs[:, None])[:, 0].double()
    sums = torch.nn.functional.pad(along.exp().cumsum(0), (1, 0))
    posteriors = (sums[ends] - sums[firsts]) / (ends - firsts)
    posteriors[torch.tensor([token.unit == UNKNOWN for token in tokens])] = torch.nan
    marks = torch.nn.functional.pad((pdfs == (-1 if delimiter is None else delimiter)).cumsum(0), (1, 0))
    same = torch.tensor([first.word == second.word for first, second in pairwise(tokens)], dtype=torch.bool)
    is_inside = same & (marks[firsts[1:]] == marks[ends[:-1]])
    best = float(log_posteriors.amax(1).double().mean())
    return TokenPath(tokens, firsts, ends, is_inside, posteriors, float(along.mean()), best, len(scores))
