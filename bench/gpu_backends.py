"""The network's runtimes on a GPU: the scenarios of ``streamhmm rtf``, and how many hours of audio a second they take.

    python bench/gpu_backends.py [--device cuda] [--rounds N] [--json FILE]

``bench/gpu.sh DIR`` runs it before the engine's bench. Not yet run on hardware. The audio is the bundled example.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import torch
from measure import REPOSITORY, make_console, write_json

from streamhmm.acoustic import RuntimeSettings
from streamhmm.cli.rtf_report import tables
from streamhmm.measure import report
from streamhmm.measure.rtf import Measured

EXAMPLE = REPOSITORY / "examples" / "quick_start" / "ferry.flac"
BATCH_SIZES = (1, 8, 64, 256, 1024)
PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
COMPILED = ("torch-compile", "torchscript", "onnx")


def main() -> int:
    options = _options()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("there is no GPU here", file=sys.stderr)
        return 2
    found = measured(options.device, options.rounds)
    print(tables(found))
    best = throughput(found.results)
    make_console().print(best, highlight=False, markup=False)
    write_json(options.json, {**found.as_dict(), "throughput": best})
    return int(bool(found.failures))


def measured(device: str, rounds: int, model: str = "en", sizes: Sequence[int] = BATCH_SIZES) -> report.Report:
    """All that work there; what does not is told with its reason."""
    return report.run([EXAMPLE], wanted(device), model=model, rounds=rounds, sizes=sizes)


def wanted(device: str) -> Iterator[RuntimeSettings]:
    """Eager in each precision, without and with CUDA graphs; then what compiles."""
    yield from (RuntimeSettings("torch", precision, device) for precision in PRECISIONS)
    graphs = {"cuda_graphs": True}
    yield from (RuntimeSettings("torch", precision, device, options=graphs) for precision in PRECISIONS)
    yield from (RuntimeSettings(name, precision, device) for name in COMPILED for precision in ("fp32", "fp16"))


def throughput(results: Sequence[Measured]) -> str:
    """The best batch of recordings, features included."""
    batches = [each for each in results if each.batch_size is not None]
    if not batches:
        return "no batch of recordings was measured"
    best = min(batches, key=lambda each: each.rtf)
    return f"{1 / best.rtf / 3600:.3g} hours of audio a second: {best.subject}, {best.scenario}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The network's runtimes on a GPU.")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N (default: cuda)")
    parser.add_argument("--rounds", type=int, default=30, help="of the short scenarios; longer ones have fewer")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
