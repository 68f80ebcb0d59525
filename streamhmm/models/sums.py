"""Statistics that add up over sequences, batches and machines."""

from __future__ import annotations

from torch import Tensor


class Sums(dict[str, Tensor]):
    """Named tensors. ``a + b`` adds those of a name, ``a * c`` scales all of them."""

    def __add__(self, other: Sums) -> Sums:
        return Sums({name: value + other[name] for name, value in self.items()})

    def __mul__(self, factor: float) -> Sums:
        return Sums({name: value * factor for name, value in self.items()})
