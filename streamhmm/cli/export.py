"""``streamhmm export``: a model as a file of another program."""

from __future__ import annotations

import argparse
from pathlib import Path

from streamhmm.cli.output import write

SUFFIXES = (".onnx", ".ts", ".pt", ".pt2", ".engine", ".plan")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    export = commands.add_parser(
        "export",
        help="write a model for another runtime",
        description="Write a model for another runtime. What is written is compared with the network on noise first, "
        "and kept only if it computes the same. --model of the other commands takes the file.",
    )
    export.add_argument("model", metavar="MODEL", nargs="?", default="en", help='"en" or a model file (default: en)')
    export.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="what to write, the suffix names the form: .onnx (ONNX), .ts or .pt (TorchScript), .pt2 (torch.export), "
        ".engine or .plan (TensorRT, for this machine's card)",
    )
    export.add_argument(
        "--precision",
        default="auto",
        help="fp32; .onnx also fp16 and int8 (dynamic), .engine also tf32 and fp16 (default: fp32, or what an ONNX "
        "MODEL has)",
    )
    export.add_argument("--device", default="auto", help="cuda or cuda:N, which card an engine is for (default: cuda)")
    export.set_defaults(run=run, parser=export)


def run(options: argparse.Namespace) -> int:
    """Export; returns the exit code."""
    if Path(options.output).suffix.lower() not in SUFFIXES:
        options.parser.error(f"{options.output}: the suffix must be one of {', '.join(SUFFIXES)}")
    from streamhmm.acoustic.exported import load_model
    from streamhmm.acoustic.exported.writing import export_model
    from streamhmm.acoustic.shipped import find_model

    written = export_model(load_model(find_model(options.model)), options.output, options.precision, options.device)
    write(
        f"{written.path}: {written.form} in {written.precision}, {written.size / 1e6:.2f} MB; "
        f"log-posteriors of noise differ by {written.difference:.1e} at most\n"
    )
    return 0
