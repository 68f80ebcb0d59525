"""Sessions of ONNX Runtime: providers, their options, and optimised graphs that are kept."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import torch

from streamhmm.acoustic.backends.runtime import RuntimeSettings, require
from streamhmm.acoustic.cache import kept_file, made_anew, writable_folder
from streamhmm.errors import BackendUnavailable

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
CUDA_OPTIONS = (
    "gpu_mem_limit",
    "arena_extend_strategy",
    "cudnn_conv_algo_search",
    "cudnn_conv_use_max_workspace",
    "prefer_nhwc",
    "use_tf32",
)
TENSORRT_OPTIONS = (
    "trt_engine_cache_enable",
    "trt_engine_cache_path",
    "trt_timing_cache_enable",
    "trt_timing_cache_path",
    "trt_fp16_enable",
    "trt_max_workspace_size",
    "trt_builder_optimization_level",
    "trt_profile_min_shapes",
    "trt_profile_opt_shapes",
    "trt_profile_max_shapes",
)
PROVIDER_OPTIONS = CUDA_OPTIONS + TENSORRT_OPTIONS
"""Options that go to the CUDA and TensorRT execution providers as they are; sizes are in bytes."""
X86, VNNI = ("x86_64", "AMD64"), ("avx512_vnni", "avx_vnni")
"""Machines whose processors may lack VNNI, and what PyTorch calls it."""
EXACT_INT8 = "session.x64quantprecision"
"""Makes ONNX Runtime's optimiser turn signed weights into unsigned ones, whose products do not saturate."""
GRAPH_LEVELS = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


def usable_devices() -> tuple[str, ...]:
    """Devices that both ONNX Runtime and PyTorch can use here, the fastest first."""
    providers = require("onnxruntime", "onnx", "onnx").get_available_providers()
    if PROVIDERS["cuda"] not in providers or not torch.cuda.is_available():
        return ("cpu",)
    return ("cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count())), "cpu")


def open_session(
    path: Path, provider: str, precision: str, device: torch.device, stream: Any, settings: RuntimeSettings
) -> Any:
    """A session on the optimised graph of a file.

    Raises:
        BackendUnavailable: the provider did not come up; ONNX Runtime would fall back to the CPU without a word.
        ValueError: an option has no such value.
    """
    level = str(settings.options.get("optimisation", "all"))
    if level not in GRAPH_LEVELS:
        raise ValueError(f"option optimisation must be one of {', '.join(GRAPH_LEVELS)}, got {level!r}")
    providers = _providers(provider, precision, device, stream, settings)
    if provider == "tensorrt":  # it compiles the graph itself
        session = _session(path, settings, level, providers)
    else:
        name = _optimised_name(path, provider, level)
        session = made_anew(
            [name], lambda: _session(_optimised(name, path, level, providers), settings, "none", providers)
        )
    if PROVIDERS[provider] not in session.get_providers():
        raise BackendUnavailable(
            f"backend onnx: the execution provider {provider} did not load; "
            "check that the CUDA and cuDNN libraries (and TensorRT's) that onnxruntime-gpu names are installed"
        )
    return session


def _session(path: Path, settings: RuntimeSettings, level: str, providers: list[Any], keep: Path | None = None) -> Any:
    ort: Any = require("onnxruntime", "onnx", "onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = _threads(settings)
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, GRAPH_LEVELS[level])
    options.log_severity_level = 3
    spinning = settings.options.get("spinning", settings.hint == "latency")
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(bool(spinning))))
    if not has_vnni():
        options.add_session_config_entry(EXACT_INT8, "1")
    if keep is not None:
        options.optimized_model_filepath = str(keep)
    return ort.InferenceSession(str(path), options, providers=providers)


def _threads(settings: RuntimeSettings) -> int:
    threads = settings.options.get("threads", torch.get_num_threads())
    if not isinstance(threads, int) or threads < 1:
        raise ValueError(f"option threads must be a whole number of at least 1, got {threads!r}")
    return threads


def _optimised_name(path: Path, provider: str, level: str) -> str:
    version = require("onnxruntime", "onnx", "onnx").__version__
    key = hashlib.blake2b(path.read_bytes(), digest_size=10)
    key.update(f"{version} {provider} {level} {_processor()}".encode())
    return f"{key.hexdigest()}-optimised.onnx"


def _optimised(name: str, path: Path, level: str, providers: list[Any]) -> Path:
    """The graph as ONNX Runtime rewrites it for this version, provider and processor."""
    return kept_file(name, lambda target: _write_optimised(path, level, providers, target))


def _write_optimised(path: Path, level: str, providers: list[Any], target: Path) -> None:
    _session(path, RuntimeSettings("onnx"), level, providers, keep=target)


def has_vnni() -> bool:
    """Whether products of unsigned and signed bytes are summed in 32 bits.

    Other x86 processors sum pairs of them in 16 bits, which saturate. Where they need not, ``EXACT_INT8`` is not
    harmless: on a processor with AMX it takes ONNX Runtime off its fastest products.
    """
    capabilities = torch.cpu.get_capabilities()
    return platform.machine() not in X86 or any(capabilities.get(name) for name in VNNI)


def _processor() -> str:
    """What decides which layouts and weights ONNX Runtime takes."""
    return (
        f"{platform.machine()} {platform.processor()} {json.dumps(dict(torch.cpu.get_capabilities()), sort_keys=True)}"
    )


def _providers(
    provider: str, precision: str, device: torch.device, stream: Any, settings: RuntimeSettings
) -> list[Any]:
    given = settings.options
    if provider == "cpu":
        _refuse(CUDA_OPTIONS + TENSORRT_OPTIONS, "cuda or tensorrt", settings)
        return [PROVIDERS["cpu"]]
    shared = {"device_id": device.index or 0, "user_compute_stream": str(stream.cuda_stream)}
    on_cuda = PROVIDERS["cuda"], {**shared, **{name: given[name] for name in CUDA_OPTIONS if name in given}}
    if provider == "cuda":
        _refuse(TENSORRT_OPTIONS, "tensorrt", settings)
        return [on_cuda, PROVIDERS["cpu"]]
    caches = str(writable_folder())
    defaults = {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": caches,
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": caches,
        "trt_fp16_enable": precision == "fp16",
    }
    chosen = {name: given[name] for name in TENSORRT_OPTIONS if name in given}
    return [(PROVIDERS["tensorrt"], {**shared, **defaults, **chosen}), on_cuda, PROVIDERS["cpu"]]


def _refuse(names: tuple[str, ...], provider: str, settings: RuntimeSettings) -> None:
    wrong = sorted(set(names) & set(settings.options))
    if wrong:
        raise ValueError(f"option {', '.join(wrong)} goes with provider {provider} only")
