"""Recordings in: files of any common format and arrays in memory become mono samples at one rate."""

from streamhmm.audio.files import Audio, as_audio, load_audio

__all__ = ["Audio", "as_audio", "load_audio"]
