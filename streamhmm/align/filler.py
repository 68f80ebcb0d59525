"""Scores of speech that no text explains: an extra column made from those of the phones, frame by frame."""

from __future__ import annotations

import torch
from torch import Tensor

BEST_PHONES = 3
"""Where one phone stands out, as in clear speech, their mean lies far below it; in babble and music it does not."""
FILLER_COST = 0.7
"""Nats below their mean."""
PAUSE_COST = 0.01
"""Nats below silence: enough for pauses to count as silence at both ends of talk, little enough within it."""


def with_filler(scores: Tensor, silence: int, weight: float = 0.0) -> Tensor:
    """(…, V + 1) from (…, V) scores: last comes an online garbage model, the mean of the best phones less a cost.

    Silence may stand in place of phones: who talks pauses. No frame depends on others, so chunks of a stream get the
    same as the whole. ``silence`` is its column; ``weight`` is added to frames of phones. After Boite, Bourlard,
    D'hoore & Haesen 1993, A new approach towards keyword spotting.
    """
    phones = torch.cat([scores[..., :silence], scores[..., silence + 1 :]], dim=-1)
    best = phones.topk(min(BEST_PHONES, phones.shape[-1]), dim=-1).values.mean(dim=-1)
    filler = torch.maximum(best - FILLER_COST + weight, scores[..., silence] - PAUSE_COST)
    return torch.cat([scores, filler[..., None]], dim=-1)
