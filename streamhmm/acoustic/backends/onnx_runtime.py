"""The network in ONNX Runtime, on the CPU, on CUDA or through TensorRT."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.backends.onnx_sessions import PROVIDER_OPTIONS, PROVIDERS, open_session, usable_devices
from streamhmm.acoustic.backends.runtime import AUTO, RuntimeSettings, pick, require
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import INPUTS, OUTPUTS, ExportedModel
from streamhmm.acoustic.exported.onnx_conversions import with_onnx_file
from streamhmm.acoustic.network import FUTURE_FRAMES, PAST_FRAMES
from streamhmm.errors import BackendUnavailable

OPTIONS = ("provider", "threads", "spinning", "optimisation", *PROVIDER_OPTIONS)
PRECISIONS = {"cpu": ("fp32", "int8"), "cuda": ("fp32", "fp16"), "tensorrt": ("fp32", "fp16")}
"""What can be made of a network in single precision, by the execution provider."""


class OnnxRuntime:
    """Runs the trunk's ONNX graph on the CPU."""

    name = "onnx"

    def __init__(self, session: Any, precision: str) -> None:
        self._session = session
        self.precision, self.device = precision, torch.device("cpu")

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Arrays share the tensors' memory, in and out, and are new for each call."""
        inputs = dict(zip(INPUTS, (frames.numpy(), states.numpy()), strict=True))
        posteriors, after = self._session.run(OUTPUTS, inputs)
        return torch.from_numpy(posteriors), torch.from_numpy(after)


class OnnxCudaRuntime:
    """Runs the graph on tensors where they are, on a stream of its own that waits for the caller's and is waited for.

    Not run on hardware yet: its bindings are tested with tensors on the CPU.
    """

    name = "onnx"

    def __init__(self, session: Any, precision: str, device: torch.device, n_labels: int, stream: Any) -> None:
        self._session, self._stream, self._n_labels = session, stream, n_labels
        self.precision, self.device = precision, device

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        inputs = frames.contiguous(), states.contiguous()
        labelled = frames.shape[1] - PAST_FRAMES - FUTURE_FRAMES
        outputs = frames.new_empty(len(frames), labelled, self._n_labels), torch.empty_like(inputs[1])
        binding = self._session.io_binding()
        for bind, names, tensors in (
            (binding.bind_input, INPUTS, inputs),
            (binding.bind_output, OUTPUTS, outputs),
        ):
            for name, tensor in zip(names, tensors, strict=True):
                shape = tuple(tensor.shape)
                bind(name, self.device.type, self.device.index or 0, "float32", shape, tensor.data_ptr())
        if self._stream is None:
            self._session.run_with_iobinding(binding)
            return outputs
        callers = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(callers)
        self._session.run_with_iobinding(binding)
        callers.wait_stream(self._stream)
        return outputs


def open_runtime(model: Checkpoint | ExportedModel, settings: RuntimeSettings) -> OnnxRuntime | OnnxCudaRuntime:
    """ONNX Runtime with an execution provider: "cpu" on the CPU, "cuda" (the default there) or "tensorrt" on CUDA.

    Options: ``provider``; ``threads`` (default: PyTorch's number) and ``spinning`` (whether threads burn time while
    they wait; default: with the hint "latency") on the CPU; ``optimisation`` of the graph, one of ``GRAPH_LEVELS``;
    and by their own names the options of the providers in ``PROVIDER_OPTIONS``. TensorRT's engines are kept in this
    machine's cache unless these options say otherwise.

    Raises:
        BackendUnavailable: no onnxruntime, or none with that provider, precision or device.
        ValueError: an option that does not exist, or has no such value.
    """
    settings.check_options(*OPTIONS)
    require("onnxruntime", "onnx", "onnx")
    device = torch.device(_device(settings))
    provider = _provider(settings, device)
    own = (model.precision,) if isinstance(model, ExportedModel) else ("fp32",)
    precision = pick("precision", "onnx", settings.precision, PRECISIONS[provider] if own == ("fp32",) else own)
    stream = None if device.type == "cpu" else torch.cuda.Stream(device)
    session = with_onnx_file(
        model, precision, lambda path: open_session(path, provider, precision, device, stream, settings)
    )
    if device.type == "cpu":
        return OnnxRuntime(session, precision)
    return OnnxCudaRuntime(session, precision, device, model.config.n_labels, stream)


def _device(settings: RuntimeSettings) -> str:
    devices = usable_devices()
    on_cuda = settings.options.get("provider", "cpu") != "cpu"
    wanted = "cuda" if settings.device == AUTO and on_cuda else settings.device
    if wanted.startswith("cuda") and len(devices) == 1:
        raise BackendUnavailable(
            f"backend onnx can't run on device {wanted}: it takes onnxruntime-gpu in place of onnxruntime "
            "(pip install onnxruntime-gpu), and a PyTorch that sees the card"
        )
    return pick("device", "onnx", wanted, devices)


def _provider(settings: RuntimeSettings, device: torch.device) -> str:
    provider = str(settings.options.get("provider", device.type))
    if provider not in PROVIDERS:
        raise ValueError(f"option provider must be one of {', '.join(PROVIDERS)}, got {provider!r}")
    if (provider == "cpu") != (device.type == "cpu"):
        raise ValueError(f"option provider {provider} does not go with device {device}")
    return provider
