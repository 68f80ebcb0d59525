"""Models as files: safetensors with a JSON header, and nothing that could run."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from streamhmm.errors import ModelError, OutputError, why_not_written
from streamhmm.models import families
from streamhmm.models.estimator import Estimator
from streamhmm.models.file_checks import check_module, check_sizes, check_tensor, check_values, is_model
from streamhmm.models.neural import NeuralHMM
from streamhmm.models.neural_files import check_own, networks_told, with_networks
from streamhmm.models.topology import Topology

KIND = "streamhmm-hmm"
FORMAT_VERSION = 1
_HEADER = "streamhmm"
_TOPOLOGY = "topology."
_PARTS = ("allowed", "first", "last", "pdfs", "ties")


def save(model: Estimator | NeuralHMM, path: str | os.PathLike[str]) -> None:
    """Write a model: parameters, topology, and what its constructor was given, but for ``random_state``.

    Of a module that is the user's own only the weights are kept; :func:`load` asks for it.

    Raises:
        ValueError: it has no parameters yet, or a setting that a file can't keep.
        OutputError: the file can't be written.
    """
    if isinstance(model, NeuralHMM):
        shape: dict[str, Any] = {"networks": networks_told(model)}
    else:
        shape = {"size": model.require_emission().size}
    dtype = str(model.chain.initial_logits.dtype).removeprefix("torch.")
    header = {"kind": KIND, "format_version": FORMAT_VERSION, **_told(model), **shape, "dtype": dtype}
    told, tensors = json.dumps(header, default=_plain), _tensors(model)
    target = Path(path)
    temporary = target.with_name(target.name + ".part")
    try:
        temporary.write_bytes(to_bytes(tensors, metadata={_HEADER: told}))
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{target}: {why_not_written(error, str(target))}") from error


_DAMAGED = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
_APART = ("random_state", "topology", "dtype", "n_features", "network", "transitions")


def load(
    path: str | os.PathLike[str], *, network: nn.Module | None = None, transitions: nn.Module | None = None
) -> Any:
    """Read a model that :func:`save` wrote.

    Args:
        network, transitions: the modules of a NeuralHMM that are the user's own; they get the weights of the file.

    Raises:
        ValueError: such a module is missing, or the file has none.
        ModelError: no such file, damaged, of another kind or a newer format, or its tensors do not fit its header.
    """
    header, tensors = _read(Path(path))
    if header.get("kind") != KIND:
        raise ModelError(f"{path}: no model of streamhmm.models; give a file that `save` wrote")
    version = header.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(f"{path}: format version {version}, this streamhmm reads {FORMAT_VERSION}; install another")
    own = {"network": network, "transitions": transitions}
    check_own(header.get("networks"), own)
    try:
        model = _built(header, tensors, own)
    except _DAMAGED as error:
        raise ModelError(f"{path}: the header is damaged ({error}); save the model again") from error
    _check(path, model, tensors)
    model.load_state_dict(tensors)
    return model


def _tensors(model: Estimator | NeuralHMM) -> dict[str, Tensor]:
    """Parameters and topology."""
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    for part in _PARTS:
        values = getattr(model.chain.topology, part)
        if values is not None:
            tensors[_TOPOLOGY + part] = values.clone()
    return tensors


def _told(model: Estimator | NeuralHMM) -> dict[str, Any]:
    """The class and its settings, those of a model within as well."""
    given = model.get_params(deep=False).items()
    return {"model": type(model).__name__, "settings": {name: value for name, value in given if name not in _APART}}


def _built(
    header: dict[str, Any], tensors: dict[str, Tensor], own: dict[str, nn.Module | None]
) -> Estimator | NeuralHMM:
    parts = {part: tensors.pop(_TOPOLOGY + part, None) for part in _PARTS}
    topology, dtype = Topology.of(**parts), getattr(torch, header["dtype"])
    check_sizes(header, topology, tensors)
    if families()[header["model"]] is NeuralHMM:
        return with_networks(header, own, topology, tensors)
    model = _made(header, {"dtype": dtype})
    if not model.chain.topology.same_as(topology):  # one that the model would not make of itself
        model = _made(header, {"topology": topology, "dtype": dtype})
    given, size = getattr(model, "emissions", model), int(header["size"])
    check_module(lambda: given._make_emission(size), "emission", tensors)
    model.become(size)
    return model


def _made(told: dict[str, Any], apart: dict[str, Any]) -> Estimator:
    """A model as it was told. A model within has its own dtype, and no topology."""
    made: type[Estimator] = families()[told["model"]]
    known = {each.name for each in fields(made) if each.init}
    settings = {name: value for name, value in told["settings"].items() if name in known}
    if len(settings) < len(told["settings"]):
        raise ValueError(f"unknown settings {sorted(set(told['settings']) - known)}")
    within = {name: _made(value, {"dtype": apart["dtype"]}) for name, value in settings.items() if is_model(value)}
    return made(**settings | within | {name: value for name, value in apart.items() if name in known})


def _check(path: str | os.PathLike[str], model: nn.Module, tensors: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        ours = name.partition(".")[0] not in _APART
        advice = "save the model again" if ours else "give the module that it was saved with"
        try:
            check_tensor(name, tensors.get(name), expected.get(name))
            if ours:
                check_values(name, tensors[name], expected[name])
        except ValueError as error:
            raise ModelError(f"{path}: {error}; {advice}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, RecursionError, ValueError) as error:
        raise ModelError(f"{path}: no safetensors file, or damaged ({error}); check the path") from error
    return header if isinstance(header, dict) else {}, tensors


def _plain(value: Any) -> Any:
    """What JSON takes, of what it does not."""
    if isinstance(value, Estimator):
        return _told(value)
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return value.tolist()
    raise ValueError(f"settings must be numbers, text, arrays or models to be saved, got {value!r}")
