"""How long a Markov chain stays where it is."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.models.chain import Chain

_NEARLY_FOR_EVER = 1e-6
"""The chance that a run ends at any frame: it makes the visits of chains that never end finite."""


def visit_lengths(chain: Chain, longest: int) -> Tensor:
    """(E, D) probabilities that a visit to each emission lasts 1 … D frames, in float64.

    A single state with a loop has a geometric distribution; several that share an emission one of phase type (Neuts
    1981): with a the chances of where a visit begins, T the transitions among them and t those that leave,
    P(d) = a Tᵈ⁻¹ t. What is missing to 1 lasts longer, or for ever.
    """
    transitions, initial = chain.transitions.double(), chain.initial.double()
    pdfs = chain.topology.pdfs.to(transitions.device)
    same = pdfs[:, None] == pdfs
    stays = transitions * same
    kept = torch.eye(len(pdfs)).to(transitions) - (1 - _NEARLY_FOR_EVER) * transitions
    visits = torch.linalg.solve(kept.mT, initial)
    begins = (initial + visits @ (transitions * ~same)) * (
        pdfs == torch.arange(chain.topology.n_emissions)[:, None].to(pdfs)
    )
    occupied = begins / begins.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    leaves = (1 - stays.sum(1)).clamp(min=0)
    chances = []
    for _ in range(longest):
        chances.append(occupied @ leaves)
        occupied = occupied @ stays
    return torch.stack(chances, dim=1)
