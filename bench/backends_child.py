"""The process that bench/backends.py measures in, on as many threads as OMP_NUM_THREADS says.

Its input and its answer are JSON; what the libraries print goes to standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from streamhmm.acoustic.exported import load_model
from streamhmm.acoustic.exported.onnx_conversions import onnx_file_in
from streamhmm.acoustic.shipped import find_model
from streamhmm.measure import report
from streamhmm.measure.subjects import wanted_settings


def main() -> None:
    request = json.load(sys.stdin)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with contextlib.redirect_stdout(sys.stderr):
        found = report.run(
            [Path(path) for path in request["audio"]],
            wanted_settings(request["backends"], request["precisions"], "cpu"),
            model=request["model"],
            rounds=request["rounds"],
            seconds=request["seconds"],
        )
        precisions = [each.model.backend.precision for each in found.subjects if each.model.backend.name == "onnx"]
        answer = {**found.as_dict(), "file_bytes": file_bytes(request["model"], precisions)}
    print(json.dumps(answer))


def file_bytes(model: str, precisions: Iterable[str]) -> dict[str, Any]:
    """Of the checkpoint ("fp32"), and of the ONNX files that were measured."""
    path = find_model(model)
    made = {f"onnx {each}": onnx_file_in(load_model(path), each) for each in precisions}
    return {name: file.stat().st_size for name, file in {"fp32": Path(path), **made}.items()}


if __name__ == "__main__":
    main()
