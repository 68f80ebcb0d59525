"""Errors about the world rather than about the call.

A wrong call (a bad shape, an unknown option) raises ``ValueError`` or ``TypeError``. What can go wrong with a right
call, because of a file, a text or a machine, raises one of these. Every message says what to do next.
"""

from __future__ import annotations


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


class OutputError(StreamHMMError):
    """A result file can't be written, or read again: no permission, a full device, damaged."""
