"""Packages of compiled code, which torch.export and Inductor make of the network."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export.passes import move_to_device_pass

from streamhmm.acoustic.backends.devices import products_in
from streamhmm.acoustic.backends.remembered import installed_version
from streamhmm.acoustic.backends.rewrites import NARROW, rewritten
from streamhmm.acoustic.backends.runtime import require
from streamhmm.acoustic.cache import kept_file
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import ExportedModel, example
from streamhmm.acoustic.exported.onnx_graph import dynamic_shapes
from streamhmm.acoustic.exported.quiet import quiet
from streamhmm.acoustic.exported.torch_files import load_program
from streamhmm.acoustic.network import code_version
from streamhmm.errors import BackendUnavailable

EXTRA = "torchao"


def compiled_file(model: Checkpoint | ExportedModel, precision: str, device: torch.device) -> Path:
    """The network's step as an AOTInductor package, from this machine's cache, or compiled into it.

    It is for this processor, this version of torch and this number of threads.

    Raises:
        BackendUnavailable: no C++ compiler, no torchao for int8, or it could not be compiled.
    """
    return kept_file(compiled_name(model, precision, device), lambda path: _compile(model, precision, device, path))


def compiled_name(model: Checkpoint | ExportedModel, precision: str, device: torch.device) -> str:
    """What the cache calls that package."""
    torchao = installed_version("torchao") if precision == "int8" else None
    versions = code_version(), torch.__version__, torchao
    made_for = (*versions, str(device), torch.get_num_threads(), _processor(device))
    digest = hashlib.blake2b(json.dumps(made_for, sort_keys=True).encode(), digest_size=8).hexdigest()
    return f"{model.fingerprint}-{precision}-{digest}.pt2"


def _processor(device: torch.device) -> Any:
    if device.type == "cpu":
        return dict(torch.cpu.get_capabilities())
    return torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)


@torch.inference_mode(False)
@torch.no_grad()
def _compile(model: Checkpoint | ExportedModel, precision: str, device: torch.device, path: Path) -> None:
    _require_compiler()
    from torch._inductor import aoti_compile_and_package

    # Packed weights make bf16 faster on a CPU, and fp32 and int8 slower.
    options = {"freezing": precision in NARROW and device.type == "cpu"}
    with quiet(), products_in(precision):
        try:
            program = _program(model, precision, device)
            aoti_compile_and_package(program, package_path=os.fspath(path), inductor_configs=options)
        except RuntimeError as error:
            reason = str(error).strip().split("\n")[0]
            message = f"backend torch-compile could not compile the network ({reason}); take another backend"
            raise BackendUnavailable(message) from error


def _program(model: Checkpoint | ExportedModel, precision: str, device: torch.device) -> torch.export.ExportedProgram:
    if isinstance(model, ExportedModel):
        return move_to_device_pass(load_program(model.path), device)
    trunk: nn.Module = rewritten(model.network.trunk, precision, taps=True).to(device)
    trunk = in_int8(trunk) if precision == "int8" else trunk
    inputs = tuple(tensor.to(device) for tensor in example(model.network))
    return torch.export.export(trunk, inputs, dynamic_shapes=dynamic_shapes())


def _require_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        message = "backend torch-compile needs a C++ compiler, and there is none: install g++, or name one in CXX"
        raise BackendUnavailable(message) from error


def in_int8(trunk: nn.Module) -> nn.Module:
    """The trunk with linear layers whose weights have 8 bits, and whose inputs get 8 bits row by row."""
    torchao: Any = require("torchao", "torch-compile", EXTRA)
    torchao.quantization.quantize_(trunk, torchao.quantization.Int8DynamicActivationInt8WeightConfig())
    plain: nn.Module = torchao.utils.unwrap_tensor_subclass(trunk)
    return plain
