"""The part of Debian's libflite that gives samples together with the times of the words, by ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_TOKEN = b"R:SylStructure.parent.parent.R:Token.parent"
PAUSE = "pau"


class Word(NamedTuple):
    """What stands between two spaces of the text, from ``start`` to ``end`` in seconds."""

    start: float
    end: float


class Spoken(NamedTuple):
    samples: np.ndarray
    sample_rate: int
    words: list[Word]


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class Flite:
    """One voice, such as "slt"."""

    def __init__(self, voice: str) -> None:
        self._library = ctypes.CDLL("libflite.so.1", ctypes.RTLD_GLOBAL)
        for name in ("usenglish", "cmulex"):
            ctypes.CDLL(f"libflite_{name}.so.1", ctypes.RTLD_GLOBAL)
        for name in ("flite_synth_text", "utt_relation", "relation_head", "item_next", "path_to_item"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._library.item_feat_string.restype = ctypes.c_char_p
        self._library.item_feat_float.restype = ctypes.c_float
        self._library.utt_wave.restype = ctypes.POINTER(_Wave)
        register = getattr(ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1"), f"register_cmu_us_{voice}")
        register.restype = ctypes.c_void_p
        self._library.flite_init()
        self._voice = ctypes.c_void_p(register(None))

    def speak(self, text: str) -> Spoken:
        """Samples (int16), and the words as flite's own segment ends tell them."""
        utterance = ctypes.c_void_p(self._library.flite_synth_text(text.encode(), self._voice))
        wave = self._library.utt_wave(utterance).contents
        samples = np.ctypeslib.as_array(wave.samples, shape=(wave.num_samples,)).copy()
        spoken = Spoken(samples, wave.sample_rate, list(self._words(utterance)))
        self._library.delete_utterance(utterance)  # and the wave with it
        return spoken

    def _words(self, utterance: ctypes.c_void_p) -> Iterator[Word]:
        """Segments of one token of the text together; pauses belong to none."""
        relation = ctypes.c_void_p(self._library.utt_relation(utterance, b"Segment"))
        segment = self._library.relation_head(relation)
        token, word, end = None, None, 0.0
        while segment is not None:
            item = ctypes.c_void_p(segment)
            start, end = end, self._library.item_feat_float(item, b"end")
            if self._library.item_feat_string(item, b"name").decode() != PAUSE:
                owner = self._library.path_to_item(item, _TOKEN)
                if word is not None and owner != token:
                    yield word
                    word = None
                token, word = owner, Word(start if word is None else word.start, end)
            segment = self._library.item_next(item)
        if word is not None:
            yield word
