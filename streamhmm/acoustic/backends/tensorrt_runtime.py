"""The network as a TensorRT engine on an NVIDIA card.

Written against the signatures of TensorRT 11.4's bindings. Not run on hardware yet: tested with a stand-in for the
library that runs the graph with ONNX Runtime.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.backends.runtime import RuntimeSettings, pick, require
from streamhmm.acoustic.backends.tensorrt_engine import NAME, SIZE_OPTIONS, Sizes, engine_file, open_engine
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import INPUTS, OUTPUTS, ExportedModel
from streamhmm.acoustic.network import FUTURE_FRAMES, PAST_FRAMES
from streamhmm.errors import BackendUnavailable

OPTIONS = (*SIZE_OPTIONS, "cuda_graph")
PRECISIONS = ("fp32", "tf32", "fp16")
"""What can be made of a network in single precision."""
MAX_GRAPHS = 8
"""So many shapes get a CUDA graph of their own; each holds its scratch memory."""


class TensorRtRuntime:
    """Runs an engine on a stream of its own that waits for the caller's and is waited for.

    What is larger than the engine was made for goes through it in pieces, which gives the same.
    """

    name = NAME

    def __init__(
        self, engine: Any, precision: str, device: torch.device, n_labels: int, stream: Any, cuda_graph: bool = False
    ) -> None:
        self._engine, self._context, self._stream = engine, engine.create_execution_context(), stream
        self._n_labels, self._cuda_graph = n_labels, cuda_graph
        self._graphs: dict[torch.Size, _Captured] = {}
        self._lock = Lock()
        _, _, most = engine.get_tensor_profile_shape(INPUTS[0], 0)
        self._max_batch, self._max_frames = int(most[0]), int(most[1])
        self.precision, self.device = precision, device

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        batches = zip(frames.split(self._max_batch), states.split(self._max_batch), strict=True)
        with self._lock:  # an execution context serves one caller at a time
            parts = [self._advance(*batch) for batch in batches]
        if len(parts) == 1:
            return parts[0]
        posteriors, after = zip(*parts, strict=True)
        return torch.cat(posteriors), torch.cat(after)

    def _advance(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        seen = PAST_FRAMES + FUTURE_FRAMES
        parts = []
        for first in range(0, frames.shape[1] - seen, self._max_frames - seen):
            part, states = self._run(frames[:, first : first + self._max_frames].contiguous(), states.contiguous())
            parts.append(part)
        return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)), states

    def _run(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        labelled = frames.shape[1] - PAST_FRAMES - FUTURE_FRAMES
        outputs = frames.new_empty(len(frames), labelled, self._n_labels), torch.empty_like(states)
        callers = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(callers)
        with torch.cuda.stream(self._stream):
            captured = self._captured((frames, states), outputs)
            if captured is None:
                _bind(self._context, (frames, states), outputs)
                _execute(self._context, self._stream)
            else:
                captured.run((frames, states), outputs)
        callers.wait_stream(self._stream)
        return outputs

    def _captured(self, inputs: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor]) -> _Captured | None:
        shape = inputs[0].shape
        if self._cuda_graph and shape not in self._graphs and len(self._graphs) < MAX_GRAPHS:
            self._graphs[shape] = _Captured(self._engine.create_execution_context(), inputs, outputs, self._stream)
        return self._graphs.get(shape)


class _Captured:
    """A run on tensors of its own, recorded as a CUDA graph, which starts with one call."""

    def __init__(
        self, context: Any, inputs: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor], stream: Any
    ) -> None:
        self._context = context
        self._inputs = inputs[0].clone(), inputs[1].clone()
        self._outputs = torch.empty_like(outputs[0]), torch.empty_like(outputs[1])
        _bind(context, self._inputs, self._outputs)
        _execute(context, stream)  # TensorRT ends its preparation for a shape in the first run
        stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=stream):
            _execute(context, stream)

    def run(self, inputs: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor]) -> None:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._graph.replay()
        for given, own in zip(outputs, self._outputs, strict=True):
            given.copy_(own)


def _bind(context: Any, inputs: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor]) -> None:
    for name, tensor in zip(INPUTS, inputs, strict=True):
        if not context.set_input_shape(name, tuple(tensor.shape)):
            raise BackendUnavailable(f"backend tensorrt refuses {name} of shape {tuple(tensor.shape)}")
    for name, tensor in zip((*INPUTS, *OUTPUTS), (*inputs, *outputs), strict=True):
        context.set_tensor_address(name, tensor.data_ptr())


def _execute(context: Any, stream: Any) -> None:
    if not context.execute_async_v3(stream.cuda_stream):
        raise BackendUnavailable("backend tensorrt: the engine did not run; what it logged says why")


def open_runtime(model: Checkpoint | ExportedModel, settings: RuntimeSettings) -> TensorRtRuntime:
    """TensorRT on an NVIDIA card. The first time a model is opened its engine is built, which takes up to minutes.

    Options: ``max_batch`` (default 64) and ``max_steps`` of 20 ms (default 512), what the engine takes in one go;
    ``workspace``, bytes of scratch memory (default 1 GiB); ``cuda_graph`` (default False), to start the whole network
    with one call, for shapes that come again and again. The hint tells which shape is to be fastest.

    Raises:
        BackendUnavailable: no TensorRT, no card, no such precision, or no engine can be made of the model.
        ValueError: an option that does not exist, or has no such value.
    """
    settings.check_options(*OPTIONS)
    sizes = Sizes.of(settings)
    device = usable_device(settings)
    if isinstance(model, ExportedModel) and model.form == NAME:
        precision = pick("precision", NAME, settings.precision, (model.precision,))
        path = model.path
    else:
        own = model.precision if isinstance(model, ExportedModel) else "fp32"
        precision = pick("precision", NAME, settings.precision, PRECISIONS if own == "fp32" else (own,))
        path = engine_file(model, precision, sizes, device)
    with torch.cuda.device(device):
        engine = open_engine(path.read_bytes(), path.name)
        graphs = bool(settings.options.get("cuda_graph", False))
        return TensorRtRuntime(engine, precision, device, model.config.n_labels, torch.cuda.Stream(device), graphs)


def usable_device(settings: RuntimeSettings) -> torch.device:
    """The card that the settings name. Raises BackendUnavailable: TensorRT, the card or PyTorch's CUDA is missing."""
    require("tensorrt", NAME, NAME)
    if not torch.cuda.is_available():
        raise BackendUnavailable(
            "backend tensorrt needs an NVIDIA card that PyTorch sees (torch.cuda.is_available() says no): "
            "install a PyTorch for CUDA, or choose another backend"
        )
    devices = "cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    chosen = torch.device(pick("device", NAME, settings.device, devices))
    return chosen if chosen.index is not None else torch.device("cuda", torch.cuda.current_device())
