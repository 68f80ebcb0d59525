"""What a measurement depends on and what it takes: the machine, the memory, the GPU's share."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path
from typing import Any

import torch


def resident_bytes() -> float:
    """Memory of this process now; NaN where the system does not tell (all but Linux)."""
    return _status("VmRSS")


def peak_bytes() -> float:
    """The most memory this process has held since ``reset_peak``, or since its start; NaN likewise."""
    return _status("VmHWM")


def reset_peak() -> None:
    """Let the peak start from the memory held now, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _status(field: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return math.nan
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":")), math.nan)


def gpu_utilisation(device: torch.device) -> float:
    """Share of the last moments in which the GPU was busy; NaN without a GPU, and without nvidia-ml-py."""
    if device.type != "cuda":
        return math.nan
    try:
        return torch.cuda.utilization(device) / 100
    except (ModuleNotFoundError, RuntimeError):  # not installed, or it does not fit the driver
        return math.nan


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
