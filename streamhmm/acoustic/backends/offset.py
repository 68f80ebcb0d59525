"""Any runtime, with a number a label added to what it gives."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from streamhmm.acoustic.backends import Backend


class OffsetBackend:
    """Adds (V,) ``offsets`` to the log-posteriors of a runtime and normalises them again."""

    def __init__(self, inner: Backend, offsets: Tensor) -> None:
        self._inner, self._offsets = inner, offsets
        self.name, self.precision, self.device = inner.name, inner.precision, inner.device

    def log_posteriors(self, features: Tensor, cache: Any | None) -> tuple[Tensor, Any]:
        posteriors, cache = self._inner.log_posteriors(features, cache)
        return (posteriors + self._offsets).log_softmax(-1), cache

    def finish(self, cache: Any | None) -> Tensor:
        return (self._inner.finish(cache) + self._offsets).log_softmax(-1)
