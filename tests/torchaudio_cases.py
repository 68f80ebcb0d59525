"""Small problems for torchaudio's forced alignment; run by a Python that has it, this writes what it answers:

    DIR/bin/python tests/torchaudio_cases.py > tests/torchaudio_alignments.json        (DIR: bench/peers.sh)

Scores are multiples of 1/64, which every floating type holds exactly.
"""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

import torch

TYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16}


class Problem(NamedTuple):
    """``scores`` (1, T, C), ``targets`` (1, L)."""

    scores: torch.Tensor
    targets: torch.Tensor
    blank: int


def problems() -> list[Problem]:
    """In an order that stays."""
    return [_problem(seed) for seed in range(12)]


def _problem(seed: int) -> Problem:
    chance = random.Random(seed)
    labels, blank = 2 + seed % 4, seed % 3 % 2
    columns = [column for column in range(labels + 1) if column != blank]
    targets = [chance.choice(columns) for _ in range(1 + seed // 2)]
    frames = 2 * len(targets) + chance.randrange(8)
    scores = [[-chance.randrange(1, 640) / 64 for _ in range(labels + 1)] for _ in range(frames)]
    dtype = list(TYPES.values())[seed % 3]
    whole = torch.int32 if seed % 4 == 1 else torch.int64
    return Problem(torch.tensor([scores], dtype=dtype), torch.tensor([targets], dtype=whole), blank)


def answer(problem: Problem, forced_align: Any, merge_tokens: Any) -> dict[str, Any]:
    """What the two functions say of a problem, as JSON has it."""
    alignments, scores = forced_align(problem.scores, problem.targets, blank=problem.blank)
    spans = merge_tokens(alignments[0], scores[0], blank=problem.blank)
    return {
        "types": [str(alignments.dtype), str(scores.dtype)],
        "alignments": alignments.tolist(),
        "scores": scores.tolist(),
        "spans": [[span.token, span.start, span.end, span.score, len(span)] for span in spans],
    }


if __name__ == "__main__":
    import torchaudio

    functions = torchaudio.functional.forced_align, torchaudio.functional.merge_tokens
    answers = [answer(problem, *functions) for problem in problems()]
    print(json.dumps({"torchaudio": torchaudio.__version__, "answers": answers}))
