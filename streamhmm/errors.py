"""Errors about the world rather than about the call.

A wrong call (a bad shape, an unknown option) raises ``ValueError`` or ``TypeError``. What can go wrong with a right
call, because of a file, a text or a machine, raises one of these. Every message says what to do next.
"""

from __future__ import annotations

import errno
import os


class StreamHMMError(Exception):
    """Base of all errors below, for callers who want to catch them together."""


class AudioError(StreamHMMError):
    """The audio can't be used: missing, empty, not audio, truncated, not finite."""


class TextError(StreamHMMError):
    """The text can't be used: empty, unreadable, a word without a pronunciation."""


class AlignmentError(StreamHMMError):
    """Audio and text can't be aligned: the audio is too short, or no path fits."""


class ModelError(StreamHMMError):
    """A model can't be loaded: missing, damaged, or of another kind."""


class BackendUnavailable(StreamHMMError):
    """A runtime, precision or device that was named is not available here."""


class CorpusError(StreamHMMError):
    """A corpus can't be used: no such folder, a damaged manifest, a recording without text, work under way in it."""


class OutputError(StreamHMMError):
    """A result file can't be written, or read again: no permission, a full device, damaged."""


def why_not_written(error: OSError, path: str) -> str:
    """What the user is told of a file that could not be written, after its name."""
    if isinstance(error, PermissionError):
        return "no permission to write it; choose another folder or change the permissions"
    if isinstance(error, FileNotFoundError):
        return f"there is no folder {os.path.dirname(path)}; make it first"
    if isinstance(error, IsADirectoryError):
        return "this is a directory; name a file in it"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the device is full, nothing was written; free some space or choose another folder"
    return f"can't be written ({error.strerror or error}); choose another place"
