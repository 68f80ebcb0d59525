"""The network as files of PyTorch: TorchScript and exported programs."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import torch

from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported.model import header_of
from streamhmm.acoustic.exported.onnx_graph import dynamic_shapes, example
from streamhmm.acoustic.exported.program_archive import checked_program
from streamhmm.acoustic.exported.quiet import quiet
from streamhmm.acoustic.exported.reading import HEADER_FILE
from streamhmm.errors import ModelError


def write_torchscript(checkpoint: Checkpoint, path: Path, provenance: dict[str, Any] | None = None) -> None:
    """Trace and freeze the network's step; :func:`load_torchscript` and C++ (``torch::jit::load``) read it."""
    extra = {HEADER_FILE: json.dumps(header_of(checkpoint, "fp32", provenance))}
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(checkpoint.network.trunk.eval(), example(checkpoint.network), check_trace=False)
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.freeze(traced), buffer, _extra_files=extra)
    path.write_bytes(buffer.getvalue())


def load_torchscript(path: Path, device: str | torch.device = "cpu") -> Any:
    """The ``torch.jit.ScriptModule`` in such a file.

    Raises:
        ModelError: it can't be read.
    """
    with quiet():
        try:
            return torch.jit.load(os.fspath(path), map_location=device)
        except (OSError, RuntimeError, ValueError) as error:
            raise _unreadable(path, error) from error


def write_program(checkpoint: Checkpoint, path: Path, provenance: dict[str, Any] | None = None) -> None:
    """Export the network's step with any batch size and any even number of frames."""
    extra = {HEADER_FILE: json.dumps(header_of(checkpoint, "fp32", provenance))}
    with quiet(), torch.no_grad():
        trunk = checkpoint.network.trunk.eval()
        program = torch.export.export(trunk, example(checkpoint.network), dynamic_shapes=dynamic_shapes())
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files=extra)
    path.write_bytes(buffer.getvalue())


def load_program(path: Path) -> torch.export.ExportedProgram:
    """The program in such a file; :func:`program_step` makes a callable of it.

    What PyTorch would run while it reads is refused; what the program itself computes is not looked at.

    Raises:
        ModelError: it can't be read, or holds code.
    """
    with quiet():
        try:
            return torch.export.load(checked_program(path))
        except ModelError:
            raise
        except Exception as error:  # what damaged archives raise is said nowhere
            raise _unreadable(path, error) from error


def program_step(program: torch.export.ExportedProgram) -> torch.nn.Module:
    """The network's step as the program has it.

    Its guards are left out: they refuse chunks of a single step, which it computes as it should.
    """
    module: torch.nn.Module = program.module(check_guards=False)
    return module


def _unreadable(path: Path, error: Exception) -> ModelError:
    reason = str(error).strip().split("\n")[0]
    return ModelError(
        f"{path}: PyTorch {torch.__version__} can't read it ({reason}); export the model again with this PyTorch"
    )
