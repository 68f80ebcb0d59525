"""ONNX graphs of lower precision, made from that of single precision and kept in this machine's cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from streamhmm.acoustic.backends.runtime import require
from streamhmm.acoustic.cache import VARIABLE, kept_file, made_anew
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported.model import ExportedModel
from streamhmm.acoustic.exported.onnx_graph import onnx_file, onnx_name
from streamhmm.acoustic.exported.onnx_header import save_onnx
from streamhmm.acoustic.exported.quiet import quiet
from streamhmm.acoustic.network import code_version
from streamhmm.acoustic.shipped import shipped_int8
from streamhmm.errors import BackendUnavailable, StreamHMMError

T = TypeVar("T")

KEPT_IN_FP32 = ["LogSoftmax"]
"""Half precision would round log-posteriors of −10 to steps of 0.008."""


def onnx_file_in(model: Checkpoint | ExportedModel, precision: str) -> Path:
    """The network's step as an ONNX file of a precision: "fp32", "fp16", "int8", or what the model's own file has.

    Inputs and outputs are float32 in each. "int8" is what was shipped with the network. For others it quantises the
    weights of the matrix products once and their inputs as they come (dynamic quantisation: results depend a little on
    how the audio is cut; `streamhmm quantize` makes files where they do not).

    Raises:
        BackendUnavailable: a library that converts is not installed.
    """
    if precision == "int8" and isinstance(model, Checkpoint) and (shipped := shipped_int8(model)):
        return shipped
    plain = onnx_file(model)
    own = model.precision if isinstance(model, ExportedModel) else "fp32"
    if precision == own:
        return plain
    convert = {"fp16": to_fp16, "int8": to_dynamic_int8}[precision]
    return kept_file(converted_name(model, precision), lambda path: convert(plain, path))


def with_onnx_file(model: Checkpoint | ExportedModel, precision: str, use: Callable[[Path], T]) -> T:
    """What ``use`` makes of that file. Files from the cache that it can't read are made once more.

    Raises:
        BackendUnavailable: a library that converts is not installed, or the file can't be used.
    """
    own = model.precision if isinstance(model, ExportedModel) else "fp32"
    names = [onnx_name(model), *([] if precision == own else [converted_name(model, precision)])]
    try:
        return made_anew(names, lambda: use(onnx_file_in(model, precision)))
    except (StreamHMMError, ValueError):
        raise
    except Exception as error:
        reason = (str(error) or repr(error)).splitlines()[0]
        raise BackendUnavailable(
            f"the network's ONNX graph can't be used ({reason}); take another backend, or name another folder for the "
            f"cache with {VARIABLE}"
        ) from error


def converted_name(model: Checkpoint | ExportedModel, precision: str) -> str:
    """What the cache calls a graph of lower precision. Raises BackendUnavailable: onnxruntime is not installed."""
    version = require("onnxruntime", "onnx", "onnx").__version__
    return f"{model.fingerprint}-{code_version()}-{precision}-ort{version}.onnx"


def to_fp16(source: Path, target: Path) -> None:
    """Half precision, but for inputs, outputs and what :data:`KEPT_IN_FP32` names."""
    onnx = require("onnx", "onnx", "onnx")
    with quiet():
        float16: Any = require("onnxruntime.transformers.float16", "onnx", "onnx")
        kept_in_fp32 = [*float16.DEFAULT_OP_BLOCK_LIST, *KEPT_IN_FP32]
        graph = float16.convert_float_to_float16(onnx.load(source), keep_io_types=True, op_block_list=kept_in_fp32)
        require("onnxruntime.transformers.onnx_model", "onnx", "onnx").OnnxModel(graph).topological_sort()
    save_onnx(graph, target)


def to_dynamic_int8(source: Path, target: Path) -> None:
    """Weights of matrix products in 8 bits, with a scale for each column; their inputs are quantised as they come."""
    onnx = require("onnx", "onnx", "onnx")
    with quiet():
        quantization: Any = require("onnxruntime.quantization", "onnx", "onnx")
        quantization.quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
        )
    onnx.checker.check_model(os.fspath(target))
