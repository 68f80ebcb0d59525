"""``streamhmm quantize``: a network of 8 or 4 bits."""

from __future__ import annotations

import argparse
from typing import Any

from streamhmm.cli.options import whole_number
from streamhmm.cli.output import write

METHODS = ("static", "dynamic", "weights4")
CALIBRATIONS = ("minmax", "entropy", "percentile")
COUNT = 128


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    quantize = commands.add_parser(
        "quantize",
        help="make a smaller, faster ONNX file of a model, of 8 or 4 bits",
        description="Quantise a model. static: 8 bits, ranges found on the corpus beforehand; dynamic: 8 bits, the "
        "range of each chunk; weights4: weights of 4 bits. The file is a model: --model OUT.onnx.",
    )
    quantize.add_argument("model", metavar="MODEL", help='what to quantise: "en" or a .safetensors file')
    quantize.add_argument("-o", "--output", metavar="OUT.onnx", required=True, help="the file to write")
    quantize.add_argument("--method", choices=METHODS, default=METHODS[0], help="default: static")
    quantize.add_argument(
        "--corpus",
        metavar="IN",
        required=True,
        help="recordings to find ranges and to measure on: a folder, or a manifest as corpus and train take it",
    )
    quantize.add_argument(
        "--count", type=whole_number, default=COUNT, metavar="N", help=f"recordings to use (default: {COUNT})"
    )
    quantize.add_argument(
        "--calibration", choices=CALIBRATIONS, default=CALIBRATIONS[0], help="how ranges are found (default: minmax)"
    )
    quantize.add_argument(
        "--pairs",
        action="store_true",
        help="pairs of QuantizeLinear and DequantizeLinear, for OpenVINO and TensorRT, not ONNX Runtime's kernels",
    )
    quantize.set_defaults(run=run, parser=quantize)


def run(options: argparse.Namespace) -> int:
    """Quantise; returns the exit code."""
    if not options.output.endswith(".onnx"):
        options.parser.error(f"--output must be an .onnx file, got {options.output}")
    from streamhmm.acoustic.checkpoint import load_checkpoint
    from streamhmm.acoustic.compress.writing import write_quantised
    from streamhmm.acoustic.shipped import find_model
    from streamhmm.corpus.samples import sample_features

    checkpoint = load_checkpoint(find_model(options.model))
    samples = sample_features(options.corpus, options.count)
    model, precision, notes = _quantised(options, checkpoint, samples.used)
    notes = {"command": "quantize", "method": options.method, **notes}
    if options.method == "static":
        notes["corpus"] = samples.description
    written = write_quantised(model, checkpoint, precision, notes, samples.held_out, options.output)
    found = written.agreement
    write(
        f"{options.output}: {written.size / 1e6:.2f} MB, {written.size / written.float_size:.0%} of float32\n"
        f"on {len(samples.held_out)} recordings beside those: {found.same_label:.2%} of frames with the same label, "
        f"log-posteriors differ by {found.mean:.3f} on average, {found.largest:.2f} at most, divergence "
        f"{found.divergence:.1e} nats\n"
    )
    return 0


def _quantised(options: argparse.Namespace, checkpoint: Any, features: Any) -> tuple[Any, str, dict[str, Any]]:
    """The graph, its precision, and notes."""
    from streamhmm.acoustic.compress.quantise import quantise_dynamic, quantise_static, quantise_weights

    if options.method == "static":
        notes = {"calibration": options.calibration, "pairs": options.pairs}
        return (
            quantise_static(checkpoint, features, calibration=options.calibration, pairs=options.pairs),
            "int8",
            notes,
        )
    if options.method == "dynamic":
        return quantise_dynamic(checkpoint), "int8", {}
    return quantise_weights(checkpoint), "int4", {}
