"""A minute of something else before the speech: does the position wait for the first word?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from follow_sounds import RATE, at_level, babble, level, music, noise, speech
from live_replay import replay
from truth import Utterance

import streamhmm as sh
from streamhmm.align.chunking import ChunkController

LEAD_S = 60.0
SAME_S = 0.1
SOUNDS = ("silence", "noise", "babble", "music", "other speech")


def lead_in(
    aligner: sh.Aligner, utterances: Sequence[Utterance], crowd: Sequence[Path], max_lag: float, sound: str
) -> dict[str, Any]:
    """For each utterance: whether every position before it was −1, and its words' starts were found."""
    chance = np.random.default_rng(SOUNDS.index(sound))
    makers: dict[str, Callable[[], np.ndarray]] = {
        "silence": lambda: np.zeros(round(LEAD_S * RATE)),
        "noise": lambda: noise(LEAD_S, chance),
        "babble": lambda: babble(LEAD_S, crowd, chance),
        "music": lambda: music(LEAD_S, chance),
        "other speech": lambda: speech(LEAD_S, crowd, chance),
    }
    waited, found, words = [], 0, 0
    for utterance in utterances:
        samples, _ = soundfile.read(utterance.audio, dtype="float32")
        before = at_level(makers[sound](), level(samples)) if sound != "silence" else makers[sound]()
        stream = aligner.stream(utterance.text, max_lag)
        heard = replay(stream, np.concatenate([before, samples]).astype(np.float32), ChunkController(), ask=True)
        early = [position.index == -1 for at, position in heard.positions if at < LEAD_S]
        waited.append(float(np.mean(early)))
        result = stream.finish()
        starts = dict(zip(result.word_indices, (word.start for word in result.words), strict=True))
        for index, word in enumerate(utterance.words):
            if word.start is not None:
                words += 1
                found += abs(starts.get(index, -1.0) - LEAD_S - word.start) <= SAME_S
    return {
        "sound": sound,
        "utterances": len(utterances),
        "waited": sum(share == 1.0 for share in waited),
        "share_before": 100 * float(np.mean(waited)),
        "words_found": 100 * found / words,
    }
