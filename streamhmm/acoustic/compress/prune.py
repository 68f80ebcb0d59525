"""Pruning: small weights set to zero, or whole hidden units taken out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.network import AcousticNetwork

METHODS = ("magnitude", "structured")
MULTIPLE = 8
"""Hidden units are kept in groups of so many: processors compute no fewer at once."""


class LayerStatistics(NamedTuple):
    """A layer of the pruned network: its weights before and after, and the zeros among the latter."""

    layer: str
    before: int
    after: int
    zeros: int


def layers_of(network: AcousticNetwork, method: str) -> list[str]:
    """What is pruned one by one: the matrices, or the blocks."""
    if method == "structured":
        return [f"blocks.{index}" for index in range(len(network.trunk.blocks))]
    return [name for name, module in network.trunk.named_modules() if isinstance(module, nn.Linear)]


def pruned(checkpoint: Checkpoint, method: str, amount: float, *, together: bool = False) -> Checkpoint:
    """The checkpoint with a share ``amount`` of its weights or hidden units gone, and a note of it.

    Args:
        method: "magnitude": the smallest weights of the matrices become zero (``torch.nn.utils.prune``); "structured":
            the hidden units of the blocks whose weights are smallest are taken out, which makes a smaller network.
        amount: from 0 up to, not including, 1.
        together: choose over the whole network; otherwise every matrix or block gives the same share.
    """
    if not 0 <= amount < 1:
        raise ValueError(f"amount must be from 0 up to, not including, 1, got {amount}")
    amounts = dict.fromkeys(layers_of(checkpoint.network, method), amount)
    network = _pruned(checkpoint.network, method, amounts, together)
    notes = {"method": method, "amount": amount, "global": together, "source": checkpoint.fingerprint}
    training = {**checkpoint.training, "pruning": [*checkpoint.training.get("pruning", []), notes]}
    return replace(checkpoint, network=network, training=training)


def pruned_layer(network: AcousticNetwork, method: str, layer: str, amount: float) -> AcousticNetwork:
    """A copy of the network with one of ``layers_of`` pruned."""
    return _pruned(network, method, {layer: amount}, False)


def statistics(before: AcousticNetwork, after: AcousticNetwork) -> list[LayerStatistics]:
    """Of all tensors with weights, biases and norms left out."""
    old, new = (dict(_matrices(network)) for network in (before, after))
    return [
        LayerStatistics(name, old[name].numel(), weight.numel(), int((weight == 0).sum()))
        for name, weight in new.items()
    ]


def _matrices(network: AcousticNetwork) -> Iterator[tuple[str, Tensor]]:
    for name, module in network.trunk.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            yield name, module.weight


def _pruned(network: AcousticNetwork, method: str, amounts: Mapping[str, float], together: bool) -> AcousticNetwork:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method == "structured":
        return _without_units(network, amounts, together)
    network = copy.deepcopy(network)
    modules = {name: network.trunk.get_submodule(name) for name in amounts}
    if together:
        weights = [(module, "weight") for module in modules.values()]
        prune.global_unstructured(weights, prune.L1Unstructured, amount=max(amounts.values()))
    for name, module in modules.items():
        if not together:
            prune.l1_unstructured(module, "weight", amounts[name])
        prune.remove(module, "weight")
    return network.requires_grad_(False)


def _without_units(network: AcousticNetwork, amounts: Mapping[str, float], together: bool) -> AcousticNetwork:
    importances = [_importance(block) for block in network.trunk.blocks]
    if together:
        ordered = torch.cat(importances).sort().values
        lowest = ordered[int(max(amounts.values()) * len(ordered))]
        wanted = [int((importance >= lowest).sum()) for importance in importances]
    else:
        shares = [amounts.get(f"blocks.{index}", 0.0) for index in range(len(importances))]
        wanted = [round(len(each) * (1 - share)) for each, share in zip(importances, shares, strict=True)]
    kept = [_best(importance, count) for importance, count in zip(importances, wanted, strict=True)]
    smaller = AcousticNetwork(replace(network.config, hidden=tuple(map(len, kept))))
    smaller.load_state_dict(_chosen(network.state_dict(), kept))
    return smaller.eval().requires_grad_(False)


def _importance(block: Any) -> Tensor:
    """(hidden,) product of the norms of what goes into each unit and of what comes out of it."""
    importance: Tensor = block.expand.weight.norm(dim=1) * block.project.weight.norm(dim=0)
    return importance


def _best(importance: Tensor, count: int) -> Tensor:
    """Indices of the most important units, in order: ``count``, rounded up to a multiple of ``MULTIPLE``."""
    rounded = min(len(importance), max(1, -(-count // MULTIPLE)) * MULTIPLE)
    return importance.topk(rounded).indices.sort().values


def _chosen(state: Mapping[str, Tensor], kept: list[Tensor]) -> dict[str, Tensor]:
    """The weights of the hidden units that are kept, and all others."""
    chosen = dict(state)
    for index, units in enumerate(kept):
        block = f"trunk.blocks.{index}"
        for name in ("expand.weight", "expand.bias"):
            chosen[f"{block}.{name}"] = state[f"{block}.{name}"][units]
        chosen[f"{block}.project.weight"] = state[f"{block}.project.weight"][:, units]
    return chosen
