"""Whether what a file's header tells fits the file's tensors, before memory is taken for what it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from streamhmm.models.topology import Topology


def check_sizes(told: dict[str, Any], topology: Topology, tensors: dict[str, Tensor]) -> None:
    """Raises ValueError where a model, or one within, has more states or durations than there are tensors for."""
    settings = told["settings"]
    if settings.get("n_components", 1) > topology.n_states:
        raise ValueError(f"n_components is {settings['n_components']}, the topology has {topology.n_states} states")
    if settings.get("durations") == "categorical":
        width = tensors["duration.raw"].shape[-1]
        if np.max(settings["max_duration"]) != width:
            raise ValueError(f"max_duration is {settings['max_duration']}, the tensors have {width}")
    for within in filter(is_model, settings.values()):
        check_sizes(within, topology, tensors)


def check_module(make: Callable[[], nn.Module], prefix: str, tensors: dict[str, Tensor]) -> None:
    """Raises ValueError unless the module that ``make`` makes has the shapes of the tensors under ``prefix``."""
    with torch.device("meta"):
        expected = make().state_dict()
    for name, tensor in expected.items():
        check_tensor(f"{prefix}.{name}", tensors.get(f"{prefix}.{name}"), tensor)


def check_tensor(name: str, found: Tensor | None, wanted: Tensor | None) -> None:
    """Raises ValueError unless there are both, of one shape, without NaN."""
    shapes = [None if tensor is None else tuple(tensor.shape) for tensor in (found, wanted)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"tensor {name} has shape {shapes[0]}, expected {shapes[1]}")
    if found is not None and bool(found.isnan().any()):
        raise ValueError(f"tensor {name} has NaN")


def check_values(name: str, found: Tensor, wanted: Tensor) -> None:
    """Raises ValueError for another dtype, and for what no parameter is."""
    if found.dtype != wanted.dtype:
        raise ValueError(f"tensor {name} holds {found.dtype}, expected {wanted.dtype}")
    if bool(found.isposinf().any()):
        raise ValueError(f"tensor {name} has inf")


def is_model(value: Any) -> bool:
    """Whether a setting tells of a model within."""
    return isinstance(value, dict) and value.keys() == {"model", "settings"}
