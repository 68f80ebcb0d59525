"""Networks with 8 or 4 bit weights as ONNX files, by ONNX Runtime's tools.

Only the products of matrices are quantised: they are 99 % of the weights and most of the time. Convolutions, norms and
the residual sums stay float32; integer convolutions gain a tenth at most and nearly quadruple the divergence.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from streamhmm.acoustic.backends.runtime import require
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.compress.integer_kernels import use_integer_kernels
from streamhmm.acoustic.compress.steps import calibration_steps
from streamhmm.acoustic.exported import INPUTS, onnx_file
from streamhmm.acoustic.exported.onnx_conversions import to_dynamic_int8
from streamhmm.acoustic.exported.quiet import quiet

CALIBRATIONS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
"""How ranges are found, and what ONNX Runtime calls it."""
PERCENTILE = 99.999
BLOCK = 32
"""Weights that share a scale where they have 4 bits."""


def quantise_static(
    checkpoint: Checkpoint,
    features: Sequence[Tensor],
    *,
    calibration: str = "minmax",
    ranges: Sequence[Sequence[float]] | None = None,
    pairs: bool = False,
) -> Any:
    """An ``onnx.ModelProto`` with 8 bit weights, a scale each output, and 8 bit activations of ranges found beforehand.

    What it gives depends on nothing but the frames: not on how they are cut, nor on what is in the batch beside them.

    Args:
        features: (T, 80) of the utterances to find the ranges on.
        calibration: a name in ``CALIBRATIONS``.
        ranges: least and largest input of each matrix in the order in which they are computed, as quantisation-aware
            training learns them, instead of those found.
        pairs: leave pairs of QuantizeLinear and DequantizeLinear, as OpenVINO and TensorRT want them.

    Raises:
        BackendUnavailable: onnxruntime or the exporter is not installed.
    """
    if calibration not in CALIBRATIONS:
        raise ValueError(f"calibration must be one of {', '.join(CALIBRATIONS)}, got {calibration!r}")
    quantization = quantisation_tools()
    inputs: Iterator[dict[str, npt.NDArray[np.float32]]] = (
        dict(zip(INPUTS, (tensor.numpy() for tensor in step), strict=True))
        for step in calibration_steps(checkpoint.network, features)
    )

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined,misc]
        def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
            return next(inputs, None)

    with _exported(checkpoint) as (source, target), _silent():
        overrides = {} if ranges is None else _overrides(_loaded(source), ranges)
        quantization.quantize_static(
            source,
            target,
            Reader(),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=getattr(quantization.CalibrationMethod, CALIBRATIONS[calibration]),
            extra_options={
                "OpTypesToExcludeOutputQuantization": ["MatMul"],
                "QDQOpTypePerChannelSupportToAxis": {"MatMul": 1},
                "QuantizeBias": False,
                "CalibPercentile": PERCENTILE,
                "TensorQuantOverrides": overrides,
            },
        )
        model = _loaded(target)
    if not pairs:
        use_integer_kernels(model)
    return model


def _overrides(model: Any, ranges: Sequence[Sequence[float]]) -> dict[str, list[dict[str, Any]]]:
    """Given ranges of the matrices' inputs, as ONNX Runtime's tools take them; zero is always among the values."""
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    return {
        product.input[0]: [{"rmin": np.float32(min(0.0, least)), "rmax": np.float32(max(0.0, largest))}]
        for product, (least, largest) in zip(products, ranges, strict=True)
    }


def quantise_dynamic(checkpoint: Checkpoint) -> Any:
    """An ``onnx.ModelProto`` with 8 bit weights, and activations whose range is that of each chunk and batch.

    No calibration; but what it gives depends a little on how audio is cut, and on what is in the batch beside it.
    """
    quantisation_tools()
    with _exported(checkpoint) as (source, target):
        to_dynamic_int8(source, target)
        return _loaded(target)


def quantise_weights(checkpoint: Checkpoint, block: int = BLOCK) -> Any:
    """An ``onnx.ModelProto`` with 4 bit weights, ``block`` of which share a scale, and float32 activations."""
    quantisation_tools()
    with _exported(checkpoint) as (source, _), _silent():
        nbits = require("onnxruntime.quantization.matmul_nbits_quantizer", "onnx", "onnx")
        quantizer = nbits.MatMulNBitsQuantizer(_loaded(source), bits=4, block_size=block, is_symmetric=True)
        quantizer.process()
        return _without_notes(quantizer.model.model)


def quantisation_tools() -> Any:
    """ONNX Runtime's quantisation. Raises BackendUnavailable where what it takes is not installed."""
    require("onnxscript", "onnx", "onnx")
    require("onnx", "onnx", "onnx")
    return require("onnxruntime.quantization", "onnx", "onnx")


@contextlib.contextmanager
def _exported(checkpoint: Checkpoint) -> Iterator[tuple[Path, Path]]:
    """The exported network, and where its quantised form may be written."""
    with tempfile.TemporaryDirectory() as folder:
        yield onnx_file(checkpoint), Path(folder) / "quantised.onnx"


def _loaded(path: Path) -> Any:
    return _without_notes(require("onnx", "onnx", "onnx").load(path))


def _without_notes(model: Any) -> Any:
    """The graph without what the tools note in it."""
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    return model


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The tools print, warn through the root logger, and one sets it up when it is imported."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        with quiet(), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
