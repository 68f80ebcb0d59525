"""``streamhmm quantize``: a network of 8 or 4 bits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from streamhmm.cli.options import whole_number
from streamhmm.cli.output import write

if TYPE_CHECKING:
    from streamhmm.acoustic.checkpoint import Checkpoint
    from streamhmm.corpus.samples import Samples

METHODS = ("static", "dynamic", "aware", "weights4")
CALIBRATIONS = ("minmax", "entropy", "percentile")
COUNT, EPOCHS = 128, 3


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    quantize = commands.add_parser(
        "quantize",
        help="make a smaller, faster ONNX file of a model, of 8 or 4 bits",
        description="Quantise a model. static: 8 bits, ranges found on the corpus beforehand; dynamic: 8 bits, the "
        "range of each chunk; aware: static after fine-tuning that rounds as it will; weights4: weights of "
        "4 bits. The file is a model: --model OUT.onnx.",
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
    quantize.add_argument("--aligned", metavar="OUT", help="aware: what streamhmm corpus made of the corpus")
    quantize.add_argument(
        "--epochs", type=whole_number, default=EPOCHS, metavar="N", help=f"aware: passes through it (default: {EPOCHS})"
    )
    quantize.set_defaults(run=run, parser=quantize)


def run(options: argparse.Namespace) -> int:
    """Quantise; returns the exit code."""
    if not options.output.endswith(".onnx"):
        options.parser.error(f"--output must be an .onnx file, got {options.output}")
    if (options.method == "aware") != (options.aligned is not None):
        options.parser.error("--method aware and --aligned, what streamhmm corpus made of the corpus, go together")
    from streamhmm.acoustic.checkpoint import load_checkpoint
    from streamhmm.acoustic.compress.quantise import quantisation_tools
    from streamhmm.acoustic.shipped import find_model
    from streamhmm.corpus.samples import sample_features

    quantisation_tools()  # before the long work
    checkpoint = load_checkpoint(find_model(options.model))
    samples = sample_features(options.corpus, options.count)
    tuned = _tuned(options) if options.method == "aware" else checkpoint
    if tuned is None:
        write(f"nothing is better than {options.model} in 8 bits on what was held out; no model is written\n")
        return 0
    write(_written(options, checkpoint, tuned, samples))
    return 0


def _tuned(options: argparse.Namespace) -> Checkpoint | None:
    """The network after quantisation-aware fine-tuning."""
    from streamhmm.acoustic.checkpoint import load_checkpoint
    from streamhmm.cli.corpus import cores
    from streamhmm.corpus.fine_tuning import fine_tune

    path = f"{options.output}.safetensors"
    found = fine_tune(
        options.corpus,
        options.aligned,
        path,
        initial=options.model,
        epochs=options.epochs,
        threads=cores(),
        fake_quantise=True,
    )
    return None if found is None else load_checkpoint(found)


def _written(options: argparse.Namespace, checkpoint: Checkpoint, tuned: Checkpoint, samples: Samples) -> str:
    """Writes the file; what is to be said of it."""
    from streamhmm.acoustic.compress.writing import write_quantised

    model, precision = _quantised(options, tuned, samples)
    notes: dict[str, Any] = {"command": "quantize", "method": options.method}
    if options.method in ("static", "aware"):
        notes |= {"pairs": options.pairs, "corpus": samples.description}
    if options.method == "static":
        notes["calibration"] = options.calibration
    written = write_quantised(model, tuned, precision, notes, samples.held_out, options.output, checkpoint)
    found = written.agreement
    return (
        f"{options.output}: {written.size / 1e6:.2f} MB, {written.size / written.float_size:.0%} of float32\n"
        f"on {len(samples.held_out)} recordings beside those: {found.same_label:.2%} of frames with the same label, "
        f"log-posteriors differ by {found.mean:.3f} on average, {found.largest:.2f} at most, divergence "
        f"{found.divergence:.1e} nats\n"
    )


def _quantised(options: argparse.Namespace, checkpoint: Checkpoint, samples: Samples) -> tuple[Any, str]:
    """The graph and its precision."""
    from streamhmm.acoustic.compress.quantise import quantise_dynamic, quantise_static, quantise_weights

    if options.method == "dynamic":
        return quantise_dynamic(checkpoint), "int8"
    if options.method == "weights4":
        return quantise_weights(checkpoint), "int4"
    ranges = checkpoint.training["ranges"] if options.method == "aware" else None
    model = quantise_static(
        checkpoint, samples.used, calibration=options.calibration, ranges=ranges, pairs=options.pairs
    )
    return model, "int8"
