"""Audio files through libsndfile, forward only, with damage told from a normal end."""

from __future__ import annotations

import io
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from streamhmm.errors import AudioError

BLOCK_FRAMES = 16_384  # a damaged block is lost whole, so small enough to say where the damage is
_UNKNOWN_FRAMES = 2**62  # libsndfile gives 2**63 − 1 where the header has no length
_DECLARED_SIZE = re.compile(r"^ *(?:data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
# Programs that write to a pipe put one of these sizes in the header because they can't know the length.
_STREAMING_SIZES = range(0x7FFF_0000, 0x1_0000_0000)


class AudioReader(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read once from front to back.

    soundfile seeks to where it already is after each read of a seekable file, which in MP3 of variable bit rate lands
    elsewhere, and in FLAC of unknown length fails.
    """

    def seekable(self) -> bool:
        """False, so that soundfile does not seek."""
        return False


@contextmanager
def open_audio(source: str | BinaryIO, name: str) -> Iterator[AudioReader]:
    """Open a path or a binary file; ``name`` is what messages call it. Raises AudioError if it is not audio."""
    with ExitStack() as stack:
        stream = _seekable(source, name)
        reader = stack.enter_context(_reader(stream, name))
        if reader.format in ("MP3", "MPEG"):
            # Of a seekable MP3 libsndfile trusts a length guessed from the first frame; of a pipe it reads to the end.
            reader = stack.enter_context(_reader(stack.enter_context(_pipe(stream)), name))
        yield reader


def read_blocks(reader: AudioReader, name: str) -> Iterator[NDArray[np.float32]]:
    """All frames in blocks (n, channels). Raises AudioError where the file is cut or damaged."""
    frames = 0
    while True:
        wanted = BLOCK_FRAMES
        if reader.format == "FLAC":
            # Tags behind the audio look like damage to libFLAC; Ogg is only checked when read beyond its end.
            wanted = min(wanted, reader.frames - frames)
        try:
            block = reader.read(wanted, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _damaged(reader, name, frames, error.error_string) from error
        if not len(block):
            break
        frames += len(block)
        yield block
    if frames < reader.frames < _UNKNOWN_FRAMES:
        raise _damaged(reader, name, frames, "the file ends before the length that its header gives")
    reason = _cut_short(reader.extra_info)
    if reason:
        raise _damaged(reader, name, frames, reason)


def _damaged(reader: AudioReader, name: str, frames: int, reason: str) -> AudioError:
    after = f"{frames / reader.samplerate:.2f} s"
    if frames < reader.frames < _UNKNOWN_FRAMES:
        after += f" of {reader.frames / reader.samplerate:.2f} s"
    return AudioError(
        f"{name}: truncated or damaged after about {after} ({reason.strip(' .')}); get the whole file again, "
        f"or keep what can be read with: ffmpeg -i {name} readable.wav"
    )


def _cut_short(log: str) -> str | None:
    """What libsndfile's log says about a file that ends early though every frame in it could be read."""
    for declared, actual in _DECLARED_SIZE.findall(log):
        if int(declared) > int(actual) and int(declared) not in _STREAMING_SIZES:
            return f"the header promises {declared} bytes of audio, {actual} are there"
    if "File ended unexpectedly without an End-Of-Stream flag" in log:
        return "the last Ogg page is cut or not marked as the end"
    return None


def _seekable(source: str | BinaryIO, name: str) -> str | BinaryIO:
    """``source`` in a form that libsndfile can read, or AudioError if there is nothing to read."""
    if isinstance(source, str):
        try:
            with open(source, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return _seekable(io.BytesIO(file.read()), name)  # a named pipe, /dev/stdin
                empty = not file.read(1)
        except OSError as error:
            raise AudioError(_unreadable(name, error)) from error
    else:
        if not source.seekable():
            source = io.BytesIO(source.read())
        source.seek(0)
        empty = not source.read(1)
        source.seek(0)
    if empty:
        raise AudioError(f"{name}: the file is empty (0 bytes); record or copy it again")
    return source


def _unreadable(name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name}: there is no such file; check the path"
    if isinstance(error, IsADirectoryError):
        return f"{name}: this is a directory; name one audio file in it"
    if isinstance(error, PermissionError):
        return f"{name}: no permission to read it; change the file's permissions or copy it"
    return f"{name}: can't be read ({error.strerror or error}); check the path"


def _reader(stream: str | BinaryIO | int, name: str) -> AudioReader:
    if os.path.splitext(name)[1].lower() == ".raw":
        raise AudioError(f"{name}: raw samples say neither rate nor format; convert the file to WAV or FLAC")
    try:
        return AudioReader(stream)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip(" .") or "damaged header"
        raise AudioError(
            f"{name}: not audio that can be read ({reason}); use WAV, FLAC, Ogg or MP3, "
            f"or convert it with: ffmpeg -i {name} converted.wav"
        ) from error


@contextmanager
def _pipe(stream: str | BinaryIO) -> Iterator[int]:
    """The reading end of a pipe into which a thread writes ``stream``. The reader closes it."""
    receiver, sender = os.pipe()

    def feed() -> None:
        # A reader that stops early closes its end; what the reader lacks, read_blocks reports.
        with suppress(OSError), open(sender, "wb") as out, ExitStack() as stack:
            file = stack.enter_context(open(stream, "rb")) if isinstance(stream, str) else stream
            _skip_tags(file)
            while chunk := file.read(BLOCK_FRAMES):
                out.write(chunk)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        yield receiver
    finally:
        feeder.join()


def _skip_tags(file: BinaryIO) -> None:
    """Move behind the ID3v2 tags at the beginning, whose pictures libsndfile does not skip in a pipe."""
    start = 0
    while True:
        file.seek(start)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            file.seek(start)
            return
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        has_footer = head[5] & 0x10
        start += 10 + size + (10 if has_footer else 0)
