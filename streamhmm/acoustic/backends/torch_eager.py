"""The network as plain torch modules in float32 on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.acoustic.backends import Backend
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.network import AcousticNetwork, NetworkCache
from streamhmm.errors import BackendUnavailable


class TorchBackend:
    """Runs an :class:`AcousticNetwork` as it is."""

    name = "torch"
    precision = "fp32"
    device = "cpu"

    def __init__(self, network: AcousticNetwork) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def log_posteriors(self, features: Tensor, cache: NetworkCache | None) -> tuple[Tensor, NetworkCache]:
        result: tuple[Tensor, NetworkCache] = self._network(features, cache)
        return result

    @torch.inference_mode()
    def finish(self, cache: NetworkCache | None) -> Tensor:
        return self._network.finish(self._network.initial_cache() if cache is None else cache)


def open_backend(checkpoint: Checkpoint, precision: str, device: str) -> Backend:
    """The backend; raises BackendUnavailable for what it can't do."""
    if precision not in ("auto", "fp32"):
        raise BackendUnavailable(f"backend torch has no precision {precision}; choose one of: auto, fp32")
    if device not in ("auto", "cpu"):
        raise BackendUnavailable(f"backend torch can't run on device {device}; choose one of: auto, cpu")
    return TorchBackend(checkpoint.network)
