"""One run of ``streamhmm live``: listen and show, then write the results."""

from __future__ import annotations

import argparse
import signal
from contextlib import ExitStack
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from streamhmm.align.events import Event
from streamhmm.align.live import LiveSession
from streamhmm.align.results import Alignment
from streamhmm.audio.microphone import Microphone
from streamhmm.audio.playback import Playback
from streamhmm.cli.live_output import Display, display_for
from streamhmm.cli.live_tap import Tap
from streamhmm.cli.options import interrupt_ends_at_once
from streamhmm.cli.output import complain, write_files
from streamhmm.errors import AlignmentError, OutputError

if TYPE_CHECKING:
    from streamhmm.align.stream import AlignmentStream

REFRESH_S = 1 / 15


class LiveRun:
    """Shows in the main thread what the session's threads tell.

    Args:
        options: of the command.
        text: as the user wrote it.
        stream: of this text.
    """

    def __init__(self, options: argparse.Namespace, text: str, stream: AlignmentStream) -> None:
        self._options = options
        self._stream = stream
        self._display = display_for(options, text, stream.words)
        self._messages: SimpleQueue[Event | str] = SimpleQueue()  # events and warnings, from any thread
        self._failed = False

    def run(self) -> int:
        """Listen to the end; returns the exit code."""
        with ExitStack() as resources:
            source = self._source()
            resources.callback(source.stop)
            tap = Tap(self._options.record, source, self._messages.put)
            resources.callback(tap.close)
            session = LiveSession(self._stream, source, on_events=self._put, recorder=tap)
            session.start()
            resources.callback(session.close)  # else the worker might still be at work when the interpreter ends
            self._listen(session, tap)
            with interrupt_ends_at_once():
                alignment = replace(self._result(session, source.name), audio=self._options.record or source.name)
        self._write(alignment)
        if session.error is not None:
            complain(str(session.error))
        return int(self._failed or tap.failed or session.error is not None)

    def _source(self) -> Microphone | Playback:
        options, rate = self._options, self._stream.sample_rate
        if options.file is not None:
            return Playback(options.file, sample_rate=rate, channel=options.channel, fast=options.fast)
        return Microphone(options.device, sample_rate=rate, channel=options.channel, warn=self._messages.put)

    def _put(self, events: list[Event]) -> None:
        for event in events:
            self._messages.put(event)

    def _listen(self, session: LiveSession, tap: Tap) -> None:
        """Show what happens until the source has ended, or Ctrl-C is pressed and all that was heard is aligned.

        Raises:
            OutputError, BrokenPipeError: standard output can't be written. Where something else is asked for, the
                session goes on unseen instead.
        """
        with Interrupts() as interrupts:
            try:
                with self._display:
                    self._follow(session, tap, interrupts)
            except (OutputError, BrokenPipeError) as error:
                if not (self._options.output or self._options.record):
                    raise
                self._failed = True
                if isinstance(error, OutputError):
                    complain(str(error))
                self._display = Display()
                self._follow(session, tap, interrupts)

    def _follow(self, session: LiveSession, tap: Tap, interrupts: Interrupts) -> None:
        stopped = ended = False
        while not ended:
            ended = session.ended  # asked first, so that nothing comes after the last look at the messages
            self._show(wait_s=0 if ended else REFRESH_S)
            self._display.refresh(session.status, tap.level_db)
            if interrupts.asked and not stopped:
                stopped = True
                session.stop()

    def _show(self, wait_s: float) -> None:
        """Show the messages that are there, after waiting for the first."""
        try:
            message = self._messages.get(timeout=wait_s)
            while True:
                if isinstance(message, str):
                    self._display.warn(message)
                else:
                    self._display.show(message)
                message = self._messages.get_nowait()
        except Empty:
            pass

    def _result(self, session: LiveSession, name: str) -> Alignment:
        try:
            alignment = session.finish()
        except AlignmentError as error:  # there was no audio
            if session.error is not None:
                raise session.error from error
            raise AlignmentError(f"{name}: nothing was heard, so there is nothing to align; start again") from error
        if self._options.realign:
            try:
                return replace(self._stream.realign(), text=alignment.text)
            except AlignmentError as error:
                complain(f"the second pass failed, the results have the live times: {error}")
                self._failed = True
        return alignment

    def _write(self, alignment: Alignment) -> None:
        for warning in alignment.warnings:
            complain(f"{alignment.audio}: {warning}")
        if not self._options.output:
            self._display.result(alignment)
        self._failed |= write_files(alignment, self._options.output) > 0


class Interrupts:
    """Takes note of Ctrl-C within a ``with`` block; a second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        # Else it is ignored, as behind nohup.
        self._heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def __enter__(self) -> Interrupts:
        if self._heeded:
            signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        if self._heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _take(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
