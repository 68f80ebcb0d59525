"""Where tokens that are heard in a few frames each begin and end.

A CTC network gives a token one or two frames of most of its sound, with blanks in between. Such a peak lies within its
sound. So within a word the boundary between two tokens is put in the middle of the blanks between them, where it can be
wrong by half of them at most. At its ends a word reaches as far into the blanks as tokens usually do, half of the
median number of blanks between tokens within words, but no farther than halfway to the next word. A network whose
tokens last as long as their sounds leaves no blanks, and nothing is added.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Reach(NamedTuple):
    """(P,) when each token begins and ends, in frames from the recording's first."""

    starts: Tensor
    ends: Tensor


def reach(firsts: Tensor, ends: Tensor, is_inside: Tensor, frames: int) -> Reach:
    """Of P tokens, at least one, with their shares of the blanks beside them.

    Args:
        firsts, ends: (P,) frames in which each is heard, the end exclusive.
        is_inside: (P − 1,) whether the next one is of the same word, with nothing but blanks in between.
        frames: of the whole recording.
    """
    gaps = (firsts[1:] - ends[:-1]).double()
    inside = gaps[is_inside]
    usual = float(inside.quantile(0.5)) / 2 if len(inside) else 0.0
    shares = torch.where(is_inside, gaps / 2, (gaps / 2).clamp(max=usual))
    before = shares.new_tensor([min(usual, float(firsts[0]))])
    after = shares.new_tensor([min(usual, frames - float(ends[-1]))])
    return Reach(firsts - torch.cat([before, shares]), ends + torch.cat([shares, after]))
