"""What a file tells of a model's networks."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from streamhmm.models.file_checks import check_module
from streamhmm.models.networks import BUILT_IN, settings_of
from streamhmm.models.neural import NeuralHMM
from streamhmm.models.topology import Topology


def networks_told(model: NeuralHMM) -> dict[str, Any]:
    """By argument: what it was, if not a module; its class; and the settings of one of ours, which make it again."""
    told = {}
    for name, network in model.networks().items():
        given = getattr(model, name)
        told[name] = {
            "given": None if isinstance(given, nn.Module) else given,
            "class": type(network).__name__,
            "settings": settings_of(network),
        }
    return told


def check_own(told: Any, own: dict[str, nn.Module | None]) -> None:
    """Raises ValueError where a network of the user's is missing, or there is one too many."""
    for name, module in own.items():
        entry = told.get(name) if isinstance(told, dict) else None
        kind = entry.get("class") if isinstance(entry, dict) and entry.get("settings") is None else None
        if kind is not None and module is None:
            raise ValueError(f"{name} is a {kind} of your own; give it: load(path, {name}=module)")
        if kind is None and module is not None:
            raise ValueError(f"{name} is no module of your own in that file; leave it out")


def with_networks(
    header: dict[str, Any], own: dict[str, nn.Module | None], topology: Topology, tensors: dict[str, Tensor]
) -> NeuralHMM:
    """The model that a file's header tells of, in evaluation mode, with the user's ``own`` networks."""
    told: dict[str, Any] = header["networks"]
    settings: dict[str, Any] = dict(header["settings"])
    unknown = set(settings) - {each.name for each in fields(NeuralHMM)}
    if unknown:
        raise ValueError(f"unknown settings {sorted(unknown)}")
    dtype = getattr(torch, header["dtype"])
    found = {name: own[name] or _made(name, entry, tensors).to(dtype) for name, entry in told.items()}
    if settings["receptive_field"] is not None:
        settings["receptive_field"] = tuple(settings["receptive_field"])
    given: dict[str, Any] = {name: told[name]["given"] or network for name, network in found.items()}
    model = NeuralHMM(**settings, **given, topology=topology, dtype=dtype)
    for name, network in found.items():
        if told[name]["given"]:
            model.add_module(f"built_{name}", network)
    return model.eval()


def _made(name: str, entry: dict[str, Any], tensors: dict[str, Tensor]) -> nn.Module:
    def make() -> nn.Module:
        return BUILT_IN[entry["class"]](**entry["settings"])

    check_module(make, f"built_{name}" if entry["given"] else name, tensors)
    return make()
