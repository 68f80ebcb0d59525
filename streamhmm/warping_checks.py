"""The checks of what ``warping.py`` and ``warping_online.py`` are called with."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamhmm import _C

METRICS = ("euclidean", "sqeuclidean", "cityblock", "cosine")  # in the order of csrc/dtw.h
BANDS = ("sakoe_chiba", "itakura")  # 1, 2 in csrc/dtw.h
DEFAULT_SLOPE = 2.0
LARGEST = {torch.float32: 1e15, torch.float64: 1e150}  # whose squares add up to finite numbers

DEVICES = {"cpu": "the CPU", "cuda": "a CUDA device"}

Lengths = Tensor | Sequence[int] | None


@dataclass(frozen=True)
class Pairs:
    batch: int
    rows: int
    columns: int
    batched: bool

    def check_lengths(self, x_lengths: Lengths, y_lengths: Lengths) -> tuple[Tensor | None, Tensor | None]:
        rows = self._check_lengths(x_lengths, "x_lengths", self.rows)
        return rows, self._check_lengths(y_lengths, "y_lengths", self.columns)

    def _check_lengths(self, lengths: Lengths, name: str, most: int) -> Tensor | None:
        if lengths is None:
            return None
        tensor = torch.as_tensor(lengths)
        if not self.batched and tensor.dim() == 0:
            tensor = tensor.unsqueeze(0)
        if tuple(tensor.shape) != (self.batch,):
            raise ValueError(f"{name} must be ({self.batch},), one a sequence, got shape {tuple(tensor.shape)}")
        if self.batch > 0 and (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool):
            raise TypeError(f"{name} must be integers, got {tensor.dtype}")
        tensor = tensor.to("cpu", torch.int64).contiguous()
        if self.batch > 0 and not 0 <= int(tensor.min()) <= int(tensor.max()) <= most:
            raise ValueError(f"{name} must be in 0…{most}, got {tensor.tolist()}")
        return tensor


@dataclass(frozen=True)
class Options:
    pattern: int
    band: int
    width: float
    memory_budget: int | None


def check_features(x: Tensor, y: Tensor) -> bool:
    """Whether they have a batch axis."""
    for features, name, shape in ((x, "x", "(B, N, D) or (N, D)"), (y, "y", "(B, M, D) or (M, D)")):
        if not isinstance(features, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(features).__name__}")
        if features.dim() not in (2, 3):
            raise ValueError(f"{name} must be {shape}, got shape {tuple(features.shape)}")
        check_kind(features, name, ("cpu", "cuda"))
    if x.device != y.device:
        raise ValueError(f"x and y must be on the same device, got {x.device} and {y.device}")
    batched = x.dim() == 3
    alike = x.dim() == y.dim() and x.shape[-1] == y.shape[-1] and (not batched or len(x) == len(y))
    if not alike or x.shape[-1] == 0:
        raise ValueError(
            "x and y must be (B, N, D) and (B, M, D), or (N, D) and (M, D), with D of at least 1, "
            f"got shapes {tuple(x.shape)} and {tuple(y.shape)}"
        )
    return batched


def check_kind(tensor: Tensor, name: str, devices: tuple[str, ...]) -> None:
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be float16, bfloat16, float32 or float64, got {tensor.dtype}")
    if tensor.device.type not in devices:
        wanted = " or ".join(DEVICES[each] for each in devices)
        raise ValueError(f"{name} must be on {wanted}, got {tensor.device}")


def real_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def ready(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().to(dtype)
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def check_values(features: Tensor, name: str, lengths: Tensor | None, batched: bool) -> None:
    """Raises ValueError for the first frame within the lengths that distances can't be computed from."""
    limit = LARGEST[features.dtype]
    if features.numel() == 0 or bool(features.abs().amax() <= limit):
        return
    wrong = (~(features.abs() <= limit)).any(-1)
    if lengths is not None:
        frames = torch.arange(features.shape[1], device=features.device)
        wrong &= frames < lengths[:, None].to(features.device)
    if bool(wrong.any()):
        sequence, frame = wrong.nonzero()[0].tolist()
        values = features[sequence, frame]
        found = values[~(values.abs() <= limit)][0].item()
        place = f"sequence {sequence}, frame {frame}" if batched else f"frame {frame}"
        kind = str(features.dtype).removeprefix("torch.")
        raise ValueError(f"{name} must be finite and at most {limit:g} in size as {kind}, got {found:g} in {place}")


def check_pattern(step: str) -> int:
    names = _C.step_patterns()
    if step not in names:
        raise ValueError(f"step must be one of {', '.join(names)}, got {step!r}")
    return names.index(step)


def check_options(
    step: str, band: str | None, radius: int | None, slope: float | None, memory_budget: int | None
) -> Options:
    pattern = check_pattern(step)
    if band is not None and band not in BANDS:
        raise ValueError(f"band must be None or one of {', '.join(BANDS)}, got {band!r}")
    if (radius is not None) != (band == "sakoe_chiba"):
        raise ValueError(f'radius goes with band="sakoe_chiba", got radius={radius}, band={band!r}')
    if slope is not None and band != "itakura":
        raise ValueError(f'slope goes with band="itakura", got slope={slope}, band={band!r}')
    width = 0.0
    if radius is not None:
        width = float(check_count(radius, "radius", 0))
    elif band == "itakura":
        width = DEFAULT_SLOPE if slope is None else float(slope)
        if not 1 <= width < math.inf:
            raise ValueError(f"slope must be at least 1 and finite, got {slope}")
    if memory_budget is not None and memory_budget < 0:
        raise ValueError(f"memory_budget must be at least 0 bytes, got {memory_budget}")
    budget = None if memory_budget is None else int(memory_budget)
    return Options(pattern, 0 if band is None else 1 + BANDS.index(band), width, budget)


def check_metric(metric: str) -> int:
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    return METRICS.index(metric)


def check_count(value: object, name: str, least: int) -> int:
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}") from None
    if count < least:
        raise ValueError(f"{name} must be at least {least}, got {count}")
    return count
