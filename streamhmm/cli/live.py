"""``streamhmm live``: a text while somebody reads it."""

from __future__ import annotations

import argparse
import math
import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from streamhmm.cli.options import (
    add_follow,
    add_model,
    add_output,
    add_text,
    check_text_and_output,
    interrupt_ends_at_once,
    load_aligner,
    read_text,
    text_named,
)
from streamhmm.cli.output import STDOUT, complain, write, write_files
from streamhmm.errors import AlignmentError, OutputError

if TYPE_CHECKING:
    from streamhmm.align.events import Event
    from streamhmm.align.live import LiveSession
    from streamhmm.align.results import Alignment
    from streamhmm.audio.microphone import Microphone
    from streamhmm.audio.playback import Playback
    from streamhmm.cli.live_output import Display
    from streamhmm.cli.live_tap import Tap

REFRESH_S = 1 / 15
JSONL = """\
--jsonl writes one JSON object a line, at once:
  kind        "partial" (the word is being spoken now), "final" (the word and its times), "skipped" (the word was not
              read), "offscript" (speech that is not in the text), "gap" (audio that was lost)
  is_final    false for "partial"; nothing else is ever taken back
  index       of the word in the text, from 0; null for "offscript" and "gap"
  take        how many times the word had been read before
  word        as it is written in the text; null for "offscript" and "gap"
  start, end  seconds from the first sample; of a "partial" the end is the newest moment; null for "skipped"
  score       0 to 1, how surely it is this word that was spoken; null where it is not known
  audio_time  seconds of audio that had been heard
  emitted_at  seconds of the system's monotonic clock

Ctrl-C finishes and writes what -o asks for; pressed again it ends at once."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    live = commands.add_parser(
        "live",
        help="follow a text while somebody reads it",
        description="Follow a text while somebody reads it into a microphone. A terminal shows where the reader is; a "
        "pipe gets a line for each word that is final.",
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
    live.add_argument("--max-lag", type=_seconds, default=0.3, metavar="S", help="words are final then (default: 0.3)")
    add_model(live)
    live.set_defaults(run=run, parser=live)


def run(options: argparse.Namespace) -> int:
    """Follow a reader; returns the exit code."""
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
    return _Live(options, text, stream).run()


class _Live:
    """One run of the command. ``messages`` are events and warnings from all threads, for the main one to show."""

    def __init__(self, options: argparse.Namespace, text: str, stream: Any) -> None:
        self._options = options
        self._text = text
        self._stream = stream
        self._messages: SimpleQueue[Event | str] = SimpleQueue()

    def run(self) -> int:
        """Listen to the end, then write the results."""
        from streamhmm.align.live import LiveSession
        from streamhmm.cli.live_tap import Tap

        with ExitStack() as resources:
            source = self._source()
            resources.callback(source.stop)
            tap = Tap(self._options.record, source, self._messages.put)
            resources.callback(tap.close)
            session = LiveSession(self._stream, source, on_events=self._put, recorder=tap)
            session.start()
            try:
                self._follow(session, tap)
                lost: Exception | None = None
            except (OutputError, BrokenPipeError) as error:
                lost = error  # nobody sees the words any more, but the results can still be written
            with interrupt_ends_at_once():
                alignment = session.finish()
                code = self._write(replace(alignment, audio=self._options.record or source.name))
        if lost is not None:
            raise lost
        if session.error is not None:
            complain(str(session.error))
        return int(code or tap.failed or session.error is not None)

    def _source(self) -> Microphone | Playback:
        options, rate = self._options, self._stream.sample_rate
        if options.file is not None:
            from streamhmm.audio.playback import Playback

            return Playback(options.file, sample_rate=rate, channel=options.channel, fast=options.fast)
        from streamhmm.audio.microphone import Microphone

        return Microphone(options.device, sample_rate=rate, channel=options.channel, warn=self._messages.put)

    def _put(self, events: list[Event]) -> None:
        for event in events:
            self._messages.put(event)

    def _follow(self, session: LiveSession, tap: Tap) -> None:
        """Show what happens until the source has ended, or Ctrl-C is pressed and all that was heard is aligned."""
        from streamhmm.cli.live_output import display_for

        with Interrupts() as interrupts, display_for(self._options, self._text, self._stream.words) as display:
            stopped = ended = False
            while not ended:
                ended = session.ended  # asked first, so that nothing comes after the last look at the messages
                self._show(display, wait_s=0 if ended else REFRESH_S)
                display.refresh(session.status, tap.level_db)
                if interrupts.asked and not stopped:
                    stopped = True
                    session.stop()

    def _show(self, display: Display, wait_s: float) -> None:
        """Show the messages that are there, after waiting for the first."""
        try:
            message = self._messages.get(timeout=wait_s)
            while True:
                if isinstance(message, str):
                    display.warn(message)
                else:
                    display.show(message)
                message = self._messages.get_nowait()
        except Empty:
            pass

    def _write(self, alignment: Alignment) -> int:
        failed = False
        if self._options.realign:
            try:
                alignment = replace(self._stream.realign(), audio=alignment.audio, text=alignment.text)
            except AlignmentError as error:
                complain(f"the second pass failed, the results have the live times: {error}")
                failed = True
        for warning in alignment.warnings:
            complain(f"{alignment.audio}: {warning}")
        return int(write_files(alignment, self._options.output) or failed)


class Interrupts:
    """Takes note of Ctrl-C within a ``with`` block; a second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        self._before = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> Interrupts:
        if self._before is signal.default_int_handler:  # else it is ignored, as behind nohup
            signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _take(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


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
