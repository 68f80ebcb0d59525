"""Scores of speech that no text explains: an extra column made from those of the phones, frame by frame."""

from __future__ import annotations

import torch
from torch import Tensor

FILLER_COST = 1.6
"""Nats below the best phone. A right word lies about 0.5 below it on average, a wrong one about 2.5."""
PAUSE_COST = 0.01
"""Nats below silence: enough for pauses to count as silence at both ends of talk, little enough within it."""


def with_filler(scores: Tensor, silence: int) -> Tensor:
    """(…, V + 1) from (…, V) scores: last comes an online garbage model, the best phone's score less a cost.

    Silence may stand in place of a phone: who talks pauses. No frame depends on others, so chunks of a stream get the
    same as the whole. ``silence`` is its column. After Boite, Bourlard, D'hoore & Haesen 1993, A new approach towards
    keyword spotting.
    """
    phones = torch.cat([scores[..., :silence], scores[..., silence + 1 :]], dim=-1).amax(dim=-1)
    filler = torch.maximum(phones - FILLER_COST, scores[..., silence] - PAUSE_COST)
    return torch.cat([scores, filler[..., None]], dim=-1)
