"""``streamhmm live``: a text while somebody reads it."""

from __future__ import annotations

import argparse
import math
import os

from streamhmm.cli.options import (
    add_follow,
    add_model,
    add_output,
    add_text,
    check_text_and_output,
    load_aligner,
    read_text,
    text_named,
)
from streamhmm.cli.output import STDOUT, write

JSONL = """\
--jsonl writes one JSON object a line, at once:
  kind        "partial": the word is being spoken now; "final": the word and its
              times; "skipped": the word was not read; "offscript": speech that
              is not in the text; "gap": audio that was lost
  is_final    false for "partial"; nothing else is ever taken back
  index       of the word in the text, from 0; null for "offscript" and "gap"
  take        how many times the word had been read before
  word        as it stands in the text; null for "offscript" and "gap"
  start, end  seconds from the first sample; a "partial" ends at the newest
              moment; null for "skipped"
  score       0 to 1, how surely this word was spoken; null if not known
  audio_time  seconds of audio that had been heard
  emitted_at  seconds of the system's monotonic clock

Ctrl-C finishes and writes what -o asks for; pressed again it ends at once."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    live = commands.add_parser(
        "live",
        help="follow a text while somebody reads it",
        description="Follow a text while somebody reads it into a microphone. A terminal shows\n"
        "where the reader is; a pipe gets a line for each word that is final.",
        epilog=JSONL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_text(live)
    heard = live.add_argument_group("what is heard")
    heard.add_argument("--device", metavar="NAME", help="microphone: its number, or a part of its name")
    heard.add_argument("--list-devices", action="store_true", help="list the microphones and end")
    heard.add_argument("--file", metavar="AUDIO", help="play this recording as if it were the microphone")
    heard.add_argument("--fast", action="store_true", help="play it as fast as possible, not in real time")
    heard.add_argument("--record", metavar="FILE", help="keep what is heard: .wav, .flac")
    add_output(live)
    live.add_argument("--realign", action="store_true", help="write times from a second pass over what was heard")
    live.add_argument("--jsonl", action="store_true", help="write events to standard output, as described below")
    add_follow(live)
    live.add_argument(
        "--max-lag", type=_seconds, default=0.3, metavar="S", help="seconds until a word is final (default: 0.3)"
    )
    add_model(live)
    live.set_defaults(run=run, parser=live)


def run(options: argparse.Namespace) -> int:
    """Follow a reader; returns the exit code."""
    from streamhmm.cli.live_run import LiveRun

    if options.list_devices:
        return _list_devices()
    _check(options)
    text = read_text(options)
    aligner = load_aligner(options, "auto")
    try:
        with text_named(options):
            stream = aligner.stream(text, options.max_lag, options.follow, strict=options.strict)
    except ValueError as error:
        options.parser.error(str(error))
    return LiveRun(options, text, stream).run()


def _list_devices() -> int:
    from streamhmm.audio.devices import input_devices

    for device in input_devices():
        default = ", the default" if device.is_default else ""
        channels = f"{device.channels} channel{'' if device.channels == 1 else 's'}"
        write(f"{device.number}\t{device.name}\t{device.host}, {channels}, {device.sample_rate} Hz{default}\n")
    return 0


def _check(options: argparse.Namespace) -> None:
    """End the program with code 2 where options don't go together."""
    check_text_and_output(options)
    file, record = options.file, options.record
    wrong = {
        "--file and --device: there is one thing to listen to, give one": file and options.device,
        "--fast is for a recording; name it with --file": options.fast and not file,
        "--realign is for results; say where to write them with -o": options.realign and not options.output,
        "-o - and --jsonl: standard output can hold one of them": options.jsonl and STDOUT in options.output,
        "--record and --file are the same file": file and record and _same(file, record),
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            options.parser.error(message)
    if record is not None:
        from streamhmm.audio.recorder import check_recordable

        try:
            check_recordable(record)
        except ValueError as error:
            options.parser.error(str(error))


def _same(one: str, other: str) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text!r}")
    return value
