"""The network on some runtime: frames in, log-posteriors out."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.acoustic.backends.runtime import Runtime
from streamhmm.acoustic.network import NetworkCache, NetworkConfig, advance, finish, initial_cache


class Backend:
    """Cuts frames into what the runtime's step takes, keeps what later chunks need, and adds offsets to what comes out.

    Attributes:
        name, precision: what runs; ``device`` is where features are expected and log-posteriors come out.
        runtime: what runs it.
        config: sizes of the network.
        reason: why this runtime was taken.
    """

    def __init__(
        self, runtime: Runtime, config: NetworkConfig, offsets: Tensor | None = None, reason: str = ""
    ) -> None:
        self.runtime, self.config = runtime, config
        self.name, self.precision, self.device = runtime.name, runtime.precision, runtime.device
        self._like = torch.empty(0, device=runtime.device)
        self._offsets = offsets
        self.reason = reason

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """The runtime's step (:meth:`Runtime.step`), offsets added."""
        posteriors, after = self.runtime.step(frames, states)
        return self._with_offsets(posteriors), after

    @torch.inference_mode()
    def log_posteriors(self, features: Tensor, cache: NetworkCache | None) -> tuple[Tensor, NetworkCache]:
        """(B, T', V) float32 log-posteriors of the frames that (B, T, 80) features complete, and the cache.

        A cache of None stands for "before any frame".
        """
        cache = cache or initial_cache(self.config, len(features), self._like)
        return advance(self.step, self.config, features, cache)

    @torch.inference_mode()
    def finish(self, cache: NetworkCache | None) -> Tensor:
        """Log-posteriors of the frames still owed, (B, T', V), silence taken for what would follow."""
        cache = cache or initial_cache(self.config, 1, self._like)
        return finish(self.step, self.config, cache)

    def with_offsets(self, offsets: Tensor) -> Backend:
        """The same runtime; (V,) ``offsets`` are added to the log-posteriors, which are normalised again.

        What this backend adds already stays.
        """
        offsets = offsets.to(self.device)
        offsets = offsets if self._offsets is None else self._offsets + offsets
        return Backend(self.runtime, self.config, offsets, self.reason)

    def _with_offsets(self, posteriors: Tensor) -> Tensor:
        return posteriors if self._offsets is None else (posteriors + self._offsets).log_softmax(-1)
