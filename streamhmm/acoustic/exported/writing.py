"""``streamhmm export``: a model as another program's file, checked before it is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.backends import Backend, open_backend
from streamhmm.acoustic.backends.runtime import AUTO, RuntimeSettings, require
from streamhmm.acoustic.backends.tensorrt_engine import Sizes, engine_file
from streamhmm.acoustic.backends.tensorrt_engine import card as card_name
from streamhmm.acoustic.backends.tensorrt_engine import version as tensorrt_version
from streamhmm.acoustic.backends.tensorrt_runtime import PRECISIONS as TENSORRT_PRECISIONS
from streamhmm.acoustic.backends.tensorrt_runtime import usable_device
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported.model import FORMS, ExportedModel, header_of
from streamhmm.acoustic.exported.onnx_conversions import with_onnx_file
from streamhmm.acoustic.exported.onnx_header import write_onnx_header
from streamhmm.acoustic.exported.reading import header_beside, load_model
from streamhmm.acoustic.exported.torch_files import (
    load_program,
    load_torchscript,
    program_step,
    write_program,
    write_torchscript,
)
from streamhmm.acoustic.features import SAMPLE_RATE, LogMel
from streamhmm.acoustic.network import Step
from streamhmm.errors import BackendUnavailable, ModelError, OutputError, why_not_written

PRECISIONS = {
    "onnx": ("fp32", "fp16", "int8"),
    "torchscript": ("fp32",),
    "program": ("fp32",),
    "tensorrt": TENSORRT_PRECISIONS,
}
"""What each form can be written in, from a network in single precision."""
TOLERANCES = {"fp32": 1e-3, "tf32": 0.05, "fp16": 0.2, "bf16": 1.0, "int8": 3.0, "int4": 5.0}
"""How far log-posteriors of noise may be from those of the network."""
NOISE_S = 3.0


@dataclass(frozen=True)
class Written:
    """An exported file: where, what, its bytes, and the largest difference of log-posteriors on noise."""

    path: Path
    form: str
    precision: str
    size: int
    difference: float


def export_model(
    model: Checkpoint | ExportedModel,
    path: str | os.PathLike[str],
    precision: str = AUTO,
    device: str = AUTO,
) -> Written:
    """Write a model as the suffix says, ``FORMS``, under a temporary name; rename it once its outputs are right.

    Args:
        model: a checkpoint; an ONNX file's model can become another ONNX file or a TensorRT engine.
        precision: of ``PRECISIONS``, "auto" for the first, or for what an ONNX file already has.
        device: where a TensorRT engine is built, for that kind of card.

    Raises:
        ValueError: the suffix is none of them.
        BackendUnavailable: the library that writes it is not installed, or there is no such precision.
        ModelError: the model has no weights for such a file, or what was written computes something else.
        OutputError: the file can't be written.
    """
    target = Path(path)
    form = FORMS.get(target.suffix.lower())
    if form is None:
        raise ValueError(f"{target.name}: the suffix must be one of {', '.join(FORMS)}")
    own = model.precision if isinstance(model, ExportedModel) else "fp32"
    precision = _pick(target.suffix, precision, PRECISIONS[form] if own == "fp32" else (own,))
    temporary = target.with_name(f"{target.stem}.part{target.suffix}")
    try:
        _WRITERS[form](model, temporary, precision, device)
        difference = largest_difference(model, temporary, device)
        if not difference <= TOLERANCES[precision]:
            raise ModelError(
                f"{target}: not written, its log-posteriors on noise differ by {difference:.2g} from those of the "
                f"network (allowed in {precision}: {TOLERANCES[precision]:.2g}); choose another precision"
            )
        size = temporary.stat().st_size
        if form == "tensorrt":
            header_beside(temporary).replace(header_beside(target))
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: {why_not_written(error, str(target))}") from error
    finally:
        temporary.unlink(missing_ok=True)
        header_beside(temporary).unlink(missing_ok=True)
    return Written(target, form, precision, size, difference)


def _pick(suffix: str, wanted: str, available: tuple[str, ...]) -> str:
    if wanted not in (AUTO, *available):
        choices = ", ".join((AUTO, *available))
        raise BackendUnavailable(f"a {suffix} file of this model has no precision {wanted}; choose one of: {choices}")
    return available[0] if wanted == AUTO else wanted


def largest_difference(model: Checkpoint | ExportedModel, path: Path, device: str = AUTO) -> float:
    """Between log-posteriors of noise: of a model in one go, and of an exported file in chunks of several sizes."""
    generator = torch.Generator().manual_seed(0)
    levels = torch.logspace(-3, 0, round(NOISE_S * SAMPLE_RATE))
    features = LogMel()(levels * torch.randn(len(levels), generator=generator))[0][None]
    expected = _log_posteriors(_reference(model), features, [features.shape[1]])
    found = _log_posteriors(_of_file(path, device), features, [2, 1, 20, 100, features.shape[1] - 123])
    return float((found - expected).abs().max())


def _log_posteriors(backend: Backend, features: Tensor, sizes: list[int]) -> Tensor:
    cache, parts = None, []
    for chunk in features.to(backend.device).split(sizes, dim=1):
        part, cache = backend.log_posteriors(chunk, cache)
        parts.append(part)
    return torch.cat((*parts, backend.finish(cache)), dim=1).cpu()


def _reference(model: Checkpoint | ExportedModel) -> Backend:
    if isinstance(model, ExportedModel):
        return open_backend(model, RuntimeSettings("onnx", device="cpu"))
    return Backend(_Plain(model.network.trunk), model.config)


def _of_file(path: Path, device: str) -> Backend:
    model = load_model(path)
    assert isinstance(model, ExportedModel)
    if model.form == "torchscript":
        return Backend(_Plain(load_torchscript(path)), model.config)
    if model.form == "program":
        return Backend(_Plain(program_step(load_program(path))), model.config)
    return open_backend(model, RuntimeSettings(model.form, device="cpu" if model.form == "onnx" else device))


class _Plain:
    """A step on the CPU as a runtime."""

    name, precision, device = "torch", "fp32", torch.device("cpu")

    def __init__(self, step: Step) -> None:
        self.step = step


def _write_onnx(model: Checkpoint | ExportedModel, path: Path, precision: str, device: str) -> None:
    onnx = require("onnx", "onnx", "onnx")
    graph = with_onnx_file(model, precision, onnx.load)
    write_onnx_header(graph, model, precision, _provenance())
    path.write_bytes(graph.SerializeToString())


def _write_torchscript(model: Checkpoint | ExportedModel, path: Path, precision: str, device: str) -> None:
    write_torchscript(_with_weights(model), path, _provenance())


def _write_program(model: Checkpoint | ExportedModel, path: Path, precision: str, device: str) -> None:
    write_program(_with_weights(model), path, _provenance())


def _write_engine(model: Checkpoint | ExportedModel, path: Path, precision: str, device: str) -> None:
    settings = RuntimeSettings("tensorrt", precision, device)
    card = usable_device(settings)
    engine = engine_file(model, precision, Sizes.of(settings), card)
    made_for = {"tensorrt": tensorrt_version(), "card": card_name(card), **_provenance()}
    header = json.dumps(header_of(model, precision, made_for), indent=1)
    header_beside(path).write_text(header, encoding="utf-8")
    path.write_bytes(engine.read_bytes())


def _with_weights(model: Checkpoint | ExportedModel) -> Checkpoint:
    if isinstance(model, ExportedModel):
        raise ModelError(f"{model.path}: has no weights for PyTorch; export the safetensors file it was made from")
    return model


def _provenance() -> dict[str, Any]:
    return {"torch": torch.__version__}


_WRITERS: dict[str, Callable[[Checkpoint | ExportedModel, Path, str, str], None]] = {
    "onnx": _write_onnx,
    "torchscript": _write_torchscript,
    "program": _write_program,
    "tensorrt": _write_engine,
}
