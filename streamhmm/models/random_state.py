"""Where random numbers come from: what scikit-learn calls a random state."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def generator_from(random_state: Any) -> torch.Generator:
    """A generator of its own: from a seed, from the next number of a NumPy one, or from nowhere."""
    generator = torch.Generator()
    if random_state is None:
        generator.seed()
        return generator
    if isinstance(random_state, torch.Generator):
        return random_state
    if isinstance(random_state, np.random.Generator):
        return generator.manual_seed(int(random_state.integers(2**31)))
    seed = random_state if isinstance(random_state, (int, np.integer)) else random_state.randint(2**31)
    return generator.manual_seed(int(seed))
