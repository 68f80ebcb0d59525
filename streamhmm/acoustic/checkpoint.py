"""Model files: one safetensors file with the weights, the log prior and a JSON header."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.network import AcousticNetwork, NetworkConfig
from streamhmm.errors import ModelError

KIND = "streamhmm-acoustic"
FORMAT_VERSION = 2
_HEADER = "streamhmm"


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode, its labels, (V,) log prior of the labels, and notes on its training.

    ``calibration`` holds the numbers that make its scores mean something, as the aligner keeps them; None for none.
    ``label_means`` (V, 80) are the features that are usual for each label, which adaptation to speakers needs; or None.
    """

    network: AcousticNetwork
    log_prior: Tensor
    labels: tuple[str, ...] = LABELS
    training: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] | None = None
    label_means: Tensor | None = None

    @property
    def config(self) -> NetworkConfig:
        """Sizes of the network."""
        return self.network.config

    @cached_property
    def fingerprint(self) -> str:
        """Short and the same for networks that are equal: by architecture and weights."""
        digest = hashlib.blake2b(json.dumps(dataclasses.asdict(self.network.config)).encode(), digest_size=10)
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def save_checkpoint(checkpoint: Checkpoint, path: str | os.PathLike[str]) -> None:
    """Write the file under a temporary name, then rename it."""
    target = Path(path)
    header = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "architecture": dataclasses.asdict(checkpoint.network.config),
        "labels": checkpoint.labels,
        "training": checkpoint.training,
        "calibration": checkpoint.calibration,
    }
    tensors = {f"network.{name}": tensor.contiguous() for name, tensor in checkpoint.network.state_dict().items()}
    tensors["log_prior"] = checkpoint.log_prior.float().contiguous()
    if checkpoint.label_means is not None:
        tensors["label_means"] = checkpoint.label_means.float().contiguous()
    temporary = target.with_name(target.name + ".part")
    temporary.write_bytes(save(tensors, metadata={_HEADER: json.dumps(header)}))
    temporary.replace(target)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a file that :func:`save_checkpoint` wrote.

    Raises:
        ModelError: missing, damaged, not an acoustic model, of a newer format, or its tensors do not fit its header.
    """
    header, tensors = _read(Path(path))
    if header.get("kind") != KIND:
        raise ModelError(f"{path}: not a streamhmm acoustic model; give a file that `streamhmm train` wrote")
    if header.get("format_version") != FORMAT_VERSION:
        found = header.get("format_version")
        raise ModelError(
            f"{path}: format version {found}, this streamhmm reads {FORMAT_VERSION}; install another release"
        )
    try:
        network = AcousticNetwork(NetworkConfig.from_json(header["architecture"])).eval()
        labels = tuple(header["labels"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: the header is damaged ({error}); get the model file again") from error
    _check_tensors(path, tensors, network, len(labels))
    if labels != LABELS:
        raise ModelError(f"{path}: its labels are not {' '.join(LABELS)}; get the model file again")
    log_prior, label_means = tensors.pop("log_prior"), tensors.pop("label_means", None)
    network.load_state_dict({name.removeprefix("network."): tensor for name, tensor in tensors.items()})
    network.requires_grad_(False)
    return Checkpoint(network, log_prior, labels, header.get("training", {}), header.get("calibration"), label_means)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise ModelError(f"{path}: no such model file; name a file or a shipped model (en)")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: not a safetensors file, or damaged ({error}); get the model file again") from error
    return header if isinstance(header, dict) else {}, tensors


def _check_tensors(
    path: str | os.PathLike[str], tensors: dict[str, Tensor], network: AcousticNetwork, n_labels: int
) -> None:
    expected = {f"network.{name}": tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    expected["log_prior"] = (n_labels,)
    if "label_means" in tensors:
        expected["label_means"] = (n_labels, N_MELS)
    if n_labels != network.config.n_labels:
        raise ModelError(f"{path}: {n_labels} labels for {network.config.n_labels} outputs; get the model file again")
    for name in sorted(expected.keys() | tensors.keys()):
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != expected.get(name):
            wanted = expected.get(name)
            raise ModelError(f"{path}: tensor {name} has shape {found}, expected {wanted}; get the model file again")
        if not bool(torch.isfinite(tensors[name]).all()):
            raise ModelError(f"{path}: tensor {name} is not finite; get the model file again")
