"""The network as files of other programs, and such files as models."""

from __future__ import annotations

from streamhmm.acoustic.exported.model import ExportedModel
from streamhmm.acoustic.exported.onnx_graph import INPUTS, OUTPUTS, example, export_onnx, onnx_file
from streamhmm.acoustic.exported.onnx_header import write_onnx_header
from streamhmm.acoustic.exported.reading import load_model

__all__ = [
    "INPUTS",
    "OUTPUTS",
    "ExportedModel",
    "example",
    "export_onnx",
    "load_model",
    "onnx_file",
    "write_onnx_header",
]
