"""TensorRT engines: built from ONNX graphs, kept in this machine's cache. The one file that talks to the library.

Written against the signatures of TensorRT 11.4's bindings, where networks are always strongly typed: an engine
computes in the types that the ONNX graph has. Not run on hardware yet.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch

from streamhmm.acoustic.backends.runtime import RuntimeSettings, require
from streamhmm.acoustic.cache import kept_file, writable_folder
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import INPUTS, ExportedModel
from streamhmm.acoustic.exported.onnx_conversions import onnx_file_in
from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.network import FUTURE_FRAMES, PAST_FRAMES, NetworkConfig, code_version
from streamhmm.errors import BackendUnavailable

NAME = "tensorrt"
SIZE_OPTIONS = ("max_batch", "max_steps", "workspace")
BEST_STEPS = {"latency": 10, "throughput": 100}


@dataclass(frozen=True)
class Sizes:
    """What an engine is made for: steps of 20 ms and batch at most and at best, and bytes of scratch memory."""

    max_batch: int
    max_steps: int
    best_batch: int
    best_steps: int
    workspace: int

    @classmethod
    def of(cls, settings: RuntimeSettings) -> Sizes:
        """What the settings ask for. Raises ValueError: a size is no whole number from 1 on."""
        given = {"max_batch": 64, "max_steps": 512, "workspace": 1 << 30, **settings.options}
        batch, steps, workspace = (given[name] for name in SIZE_OPTIONS)
        for name in SIZE_OPTIONS:
            if not isinstance(given[name], int) or given[name] < 1:
                raise ValueError(f"option {name} must be a whole number of at least 1, got {given[name]!r}")
        best_batch = 1 if settings.hint == "latency" else batch
        return cls(batch, steps, best_batch, min(BEST_STEPS[settings.hint], steps), workspace)


def engine_file(model: Checkpoint | ExportedModel, precision: str, sizes: Sizes, device: torch.device) -> Path:
    """The engine for a model, precision, sizes, release of TensorRT and kind of card: kept, or built now.

    Raises:
        BackendUnavailable: TensorRT is not installed, or can't build it.
    """

    def build(path: Path) -> None:
        graph = onnx_file_in(model, "fp32" if precision == "tf32" else precision)
        with torch.cuda.device(device):
            path.write_bytes(_built(graph, _shapes(model.config, sizes), precision, sizes.workspace, _timings(device)))

    return kept_file(engine_name(model, precision, sizes, device), build)


def engine_name(model: Checkpoint | ExportedModel, precision: str, sizes: Sizes, device: torch.device) -> str:
    """What the cache calls that engine. Raises BackendUnavailable: TensorRT is not installed."""
    parts = (model.fingerprint, code_version(), precision, *astuple(sizes), version(), card(device))
    key = hashlib.blake2b(repr(parts).encode(), digest_size=10).hexdigest()
    return f"{model.fingerprint}-{precision}-{key}.engine"


def open_engine(plan: bytes, where: str) -> Any:
    """A ``tensorrt.ICudaEngine`` from its serialised form.

    Raises:
        BackendUnavailable: it was made by another release or for another kind of card, or is damaged.
    """
    trt = _library()
    engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(plan)
    if engine is None:
        raise BackendUnavailable(
            f"{where}: TensorRT {version()} can't open it; an engine runs with the release of TensorRT and on the "
            "kind of card that it was made with: export the model again on this machine"
        )
    return engine


def version() -> str:
    """The release of TensorRT. Raises BackendUnavailable: it is not installed."""
    return str(_library().__version__)


def card(device: torch.device) -> str:
    """The card's name and compute capability."""
    major, minor = torch.cuda.get_device_capability(device)
    return f"{torch.cuda.get_device_name(device)} {major}.{minor}"


def _library() -> Any:
    return require("tensorrt", NAME, NAME)


def _built(graph: Path, shapes: dict[str, Any], precision: str, workspace: int, timings: Path) -> bytes:
    trt = _library()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    # Release 10 has to be told what release 11 does by itself.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)  # holds the weights until the engine is built
    if not parser.parse_from_file(str(graph)):
        errors = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise BackendUnavailable(
            f"backend tensorrt can't read {graph.name} ({errors}); choose another precision, or quantise with pairs of "
            "QuantizeLinear and DequantizeLinear"
        )
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    (config.clear_flag if precision == "fp32" else config.set_flag)(trt.BuilderFlag.TF32)
    profile = builder.create_optimization_profile()
    for name, (least, best, most) in shapes.items():
        profile.set_shape(name, least, best, most)
    config.add_optimization_profile(profile)
    cache = config.create_timing_cache(timings.read_bytes() if timings.exists() else b"")
    config.set_timing_cache(cache, False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendUnavailable(f"backend tensorrt could not build {graph.name}; what it logged says why")
    temporary = timings.with_name(timings.name + ".part")
    temporary.write_bytes(bytes(cache.serialize()))
    temporary.replace(timings)
    return bytes(plan)


def _shapes(config: NetworkConfig, sizes: Sizes) -> dict[str, Any]:
    """Least, best and largest shape of each input."""
    named = (1, 1), (sizes.best_batch, sizes.best_steps), (sizes.max_batch, sizes.max_steps)
    frames = [(batch, 2 * steps + PAST_FRAMES + FUTURE_FRAMES, N_MELS) for batch, steps in named]
    states = [(batch, sum(config.pasts), config.width) for batch, _ in named]
    return dict(zip(INPUTS, (frames, states), strict=True))


def _timings(device: torch.device) -> Path:
    """Where measured kernels are kept, for the next network's sake."""
    name = f"tensorrt-{version()}-{card(device)}.timings"
    return writable_folder() / "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in name)
