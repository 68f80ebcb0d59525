"""Where the aligner's time goes: clocks around the functions that it calls, so that the real call is measured."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamhmm as sh
from streamhmm import ops
from streamhmm.align import aligner as aligner_module
from streamhmm.align import decoding as decoding_module

STAGES = ("decode", "text and graph", "features", "network", "engine", "results", "output", "other")


class StageClock:
    """Adds up seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose time counts for ``stage``."""

        def call(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[stage] += time.perf_counter() - begin

        return call


@contextmanager
def stage_clock(aligner: sh.Aligner) -> Iterator[StageClock]:
    """A clock that runs while ``aligner`` works inside the block."""
    clock = StageClock()
    model = aligner.model
    hooks = [
        (aligner_module, "load_audio", "decode"),
        (aligner_module, "tokenize", "text and graph"),
        (aligner_module, "pronounce", "text and graph"),
        (decoding_module, "build_topology", "text and graph"),
        (model.features, "forward", "features"),
        (model.features, "finish", "features"),
        (model.backend, "log_posteriors", "network"),
        (model.backend, "finish", "network"),
        (ops, "viterbi", "engine"),
        (decoding_module, "gather_evidence", "results"),
        (aligner_module, "assemble", "results"),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in hooks]
    for owner, name, stage in hooks:
        setattr(owner, name, clock.timed(stage, getattr(owner, name)))
    try:
        yield clock
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)
