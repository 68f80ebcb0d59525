"""What all processes of a run compute the network with: decided once, before they start."""

from __future__ import annotations

import torch

from streamhmm.acoustic import RuntimeSettings
from streamhmm.align.aligner import open_model, runtime_settings
from streamhmm.corpus.settings import Settings


def decided_runtime(settings: Settings) -> RuntimeSettings:
    """The settings of what opens, with nothing left to choose; measured as workers run it, on one thread.

    Raises:
        ModelError, BackendUnavailable, ValueError: as :class:`~streamhmm.Aligner`.
    """
    wanted = runtime_settings(settings.backend, settings.precision, settings.device, hint="throughput")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return open_model(settings.model, wanted, settings.target_lang).running
    finally:
        torch.set_num_threads(threads)
