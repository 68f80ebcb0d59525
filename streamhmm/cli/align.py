"""``streamhmm align``: a recording with its text."""

from __future__ import annotations

import argparse

from streamhmm.cli.options import (
    STDIN,
    add_freedom,
    add_model,
    add_output,
    add_target_lang,
    add_text,
    check_text_and_output,
    interrupt_ends_at_once,
    load_aligner,
    read_text,
    standard_input,
    text_named,
)
from streamhmm.cli.output import LINES_HEADER, complain, is_terminal, line, table, write, write_files


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    align = commands.add_parser(
        "align",
        help="align a recording with its text",
        description="Align a recording with its text. Without -o a table of the words goes to standard output.",
    )
    align.add_argument("audio", metavar="AUDIO", help="recording: WAV, FLAC, Ogg, MP3 …; - for standard input")
    add_text(align)
    add_output(align)
    add_freedom(align)
    add_model(align)
    add_target_lang(align)
    align.add_argument("--adaptation", metavar="FILE", help="of the speaker, as corpus --adapt wrote it")
    align.add_argument("--device", default="auto", help="cpu or auto (default: auto)")
    align.set_defaults(run=run, parser=align)


def run(options: argparse.Namespace) -> int:
    """Align; returns the exit code."""
    from streamhmm.audio import load_audio

    check_text_and_output(options)
    if options.audio == STDIN and options.text_file == STDIN:
        options.parser.error("standard input can hold the audio or the text, not both")
    text = read_text(options)
    aligner = load_aligner(options, options.device, options.target_lang)
    if options.adaptation is not None:
        from streamhmm.align.adaptation import Adaptation

        aligner = aligner.adapted(Adaptation.load(options.adaptation))
    source = standard_input() if options.audio == STDIN else options.audio
    recording = load_audio(source, sample_rate=aligner.model.sample_rate, channel=options.channel)
    with text_named(options), interrupt_ends_at_once():
        alignment = aligner.align(
            recording, text, follow=options.follow, imperfect=options.imperfect, strict=options.strict
        )
    for warning in alignment.warnings:
        complain(f"{alignment.audio}: {warning}")
    if not options.output:
        write(table(alignment) if is_terminal() else LINES_HEADER + "".join(map(line, alignment.words)))
    return write_files(alignment, options.output)
