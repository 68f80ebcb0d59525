"""forced_align and merge_tokens: against torchaudio, against every path, in batches, with wrong input."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from torchaudio_cases import answer, problems

import streamhmm as sh
from streamhmm.errors import AlignmentError

RECORDED = json.loads(Path(__file__).with_name("torchaudio_alignments.json").read_text())
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
]


def random_log_probs(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).log_softmax(-1).to(dtype)


def best_by_enumeration(log_probs, labels, blank):
    """The columns of the best of all paths that collapse to ``labels``, and its score."""
    best = (None, -torch.inf)
    for columns in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if [column for column, _ in itertools.groupby(columns) if column != blank] == labels:
            score = sum(float(log_probs[frame, column]) for frame, column in enumerate(columns))
            best = max(best, (list(columns), score), key=lambda pair: pair[1])
    return best


@pytest.mark.parametrize("number", range(len(RECORDED["answers"])))
def test_the_answers_are_those_that_torchaudio_gave(number):
    """torchaudio 2.11, recorded by tests/torchaudio_cases.py: paths, scores, types and spans, to the bit."""
    given = answer(problems()[number], sh.forced_align, sh.merge_tokens)
    assert given == RECORDED["answers"][number]


def test_the_answers_are_those_that_torchaudio_gives_here():
    torchaudio = pytest.importorskip("torchaudio", reason="torchaudio is not installed", exc_type=ImportError)
    functions = torchaudio.functional.forced_align, torchaudio.functional.merge_tokens
    for problem in problems():
        assert answer(problem, sh.forced_align, sh.merge_tokens) == answer(problem, *functions)


@pytest.mark.parametrize("labels", [[], [1], [2, 1], [1, 1], [2, 2, 1]])
@pytest.mark.parametrize("blank", [0, 3])
def test_the_path_is_the_best_of_all(labels, blank):
    labels = [label - (blank == 3) for label in labels]
    log_probs = random_log_probs(6, 4, seed=len(labels))
    columns, score = best_by_enumeration(log_probs, labels, blank)
    alignments, scores = sh.forced_align(log_probs[None], torch.tensor([labels], dtype=torch.int64), blank=blank)
    assert alignments.tolist() == [columns]
    assert float(scores.sum()) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("labels_dtype", [torch.int32, torch.int64])
def test_a_padded_batch_gives_what_each_sequence_gives_alone(dtype, labels_dtype, device):
    lengths, sizes = [9, 4, 12, 0, 7], [3, 2, 5, 0, 0]
    log_probs = random_log_probs(5, 12, 6, seed=1, dtype=dtype).to(device)
    targets = torch.tensor([[1, 1, 2, -1, -1], [5, 4, 0, 0, 0], [3, 2, 2, 1, 5], [0] * 5, [9] * 5], dtype=labels_dtype)
    targets = targets.to(device)
    found = sh.forced_align(log_probs, targets, torch.tensor(lengths), torch.tensor(sizes))
    assert (found.alignments.dtype, found.scores.dtype) == (labels_dtype, dtype)
    assert found.alignments.device == found.scores.device == log_probs.device
    for row, (frames, size) in enumerate(zip(lengths, sizes, strict=True)):
        assert found.alignments[row, frames:].tolist() == [0] * (12 - frames)
        assert found.scores[row, frames:].tolist() == [0.0] * (12 - frames)
        alone = sh.forced_align(log_probs[row : row + 1, :frames], targets[row : row + 1, :size])
        assert found.alignments[row, :frames].tolist() == alone.alignments[0].tolist()
        assert found.scores[row, :frames].tolist() == alone.scores[0].tolist()
        spans = sh.merge_tokens(found.alignments[row], found.scores[row])
        assert [span.token for span in spans] == targets[row, :size].tolist()


def test_no_sequences():
    found = sh.forced_align(torch.zeros(0, 5, 3), torch.zeros(0, 2, dtype=torch.int64))
    assert (found.alignments.shape, found.scores.shape) == ((0, 5), (0, 5))


def test_scores_have_gradients_to_the_log_probabilities():
    log_probs = random_log_probs(1, 6, 4).requires_grad_()
    alignments, scores = sh.forced_align(log_probs, torch.tensor([[2, 3]]))
    scores.sum().backward()
    assert log_probs.grad.tolist() == torch.nn.functional.one_hot(alignments, 4).double().tolist()


def test_inputs_need_not_be_contiguous():
    log_probs = random_log_probs(2, 7, 4)
    targets = torch.tensor([[1, 2], [3, 3]])
    expected = sh.forced_align(log_probs, targets)
    found = sh.forced_align(log_probs.mT.contiguous().mT, targets.mT.contiguous().mT)
    assert [each.tolist() for each in found] == [each.tolist() for each in expected]


def test_equally_probable_paths():
    """The tie rule of the docstring; torchaudio gives 1 0 1 1 1 1 1."""
    alignments, _ = sh.forced_align(torch.zeros(1, 7, 4), torch.tensor([[1, 1]]))
    assert alignments.tolist() == [[0, 0, 0, 0, 1, 0, 1]]


def test_targets_that_are_impossible_have_no_score():
    log_probs = random_log_probs(2, 5, 3)
    log_probs[1, :, 2] = -torch.inf
    alignments, scores = sh.forced_align(log_probs, torch.tensor([[2], [2]]))
    assert sorted(set(alignments[0].tolist())) == [0, 2]
    assert alignments[1].tolist() == [0] * 5
    assert scores[1].tolist() == [-torch.inf] * 5


@pytest.mark.parametrize(
    ("log_probs", "targets", "options", "error", "message"),
    [
        ([[0.0]], [[1]], {}, TypeError, "log_probs must be a torch.Tensor, got list"),
        ((5, 3), [[1]], {}, ValueError, r"log_probs must be \(B, T, C\), got shape \(5, 3\)"),
        (torch.ones(1, 5, 3, dtype=torch.int64), [[1]], {}, TypeError, "log_probs must be float16, bfloat16, .*int64"),
        ((1, 5, 3), [[1]], {"blank": 3}, ValueError, r"blank must be in 0…2, a column of log_probs, got 3"),
        ((1, 5, 3), [[1]], {"blank": -1}, ValueError, r"blank must be in 0…2, a column of log_probs, got -1"),
        ((1, 5, 3), [[1]], {"blank": 0.0}, TypeError, "blank must be an integer, got float"),
        ((1, 5, 3), None, {}, TypeError, "targets must be a torch.Tensor, got NoneType"),
        ((1, 5, 3), [1], {}, ValueError, r"targets must be \(1, L\), a row a sequence, got shape \(1,\)"),
        ((1, 5, 3), [[1], [2]], {}, ValueError, r"targets must be \(1, L\), a row a sequence, got shape \(2, 1\)"),
        ((1, 5, 3), [[1.0]], {}, TypeError, "targets must be int32 or int64, got torch.float32"),
        ((1, 5, 3), [[1, 0]], {}, ValueError, r"targets must not contain the blank \(0\), sequence 0 has \[1, 0\]"),
        ((1, 5, 3), [[1, 3]], {}, ValueError, r"targets must be in 0…2, columns of log_probs, got \[1, 3\]"),
        ((1, 5, 3), [[1, -1]], {}, ValueError, r"targets must be in 0…2, columns of log_probs, got \[1, -1\]"),
        ((1, 5, 3), [[1]], {"input_lengths": [5, 5]}, ValueError, r"input_lengths must be \(1,\), one a sequence, got"),
        ((1, 5, 3), [[1]], {"input_lengths": [6]}, ValueError, r"input_lengths must be in 0…5, got \[6\]"),
        ((1, 5, 3), [[1]], {"target_lengths": [2]}, ValueError, r"target_lengths must be in 0…1, got \[2\]"),
        ((1, 5, 3), [[1]], {"target_lengths": [0.5]}, TypeError, "target_lengths must be integers, got torch.float32"),
    ],
)
def test_wrong_input(log_probs, targets, options, error, message):
    log_probs = torch.zeros(log_probs) if isinstance(log_probs, tuple) else log_probs
    targets = None if targets is None else torch.tensor(targets)
    lengths = {name: torch.tensor(value) if name != "blank" else value for name, value in options.items()}
    with pytest.raises(error, match=message):
        sh.forced_align(log_probs, targets, **lengths)


def test_nan_is_named():
    log_probs = random_log_probs(2, 5, 3)
    log_probs[1, 3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"scores .*NaN.* in sequence 1"):
        sh.forced_align(log_probs, torch.tensor([[1], [1]]))


@pytest.mark.parametrize("kind", [AlignmentError, RuntimeError])
def test_too_few_frames(kind):
    message = (
        r"^sequence 1: targets length is too long for CTC: 2 targets, 1 of them like the one before, need 3 frames, "
        "got 2; give more audio, or targets that belong to it$"
    )
    with pytest.raises(kind, match=message):
        sh.forced_align(torch.zeros(2, 5, 3), torch.tensor([[1, 2], [1, 1]]), torch.tensor([2, 2]))


def test_merged_tokens_of_nothing_and_of_another_blank():
    nothing = torch.zeros(0)
    assert sh.merge_tokens(nothing, nothing) == []
    assert sh.merge_tokens(torch.zeros(3, dtype=torch.int64), torch.zeros(3)) == []
    tokens, scores = torch.tensor([1, 1, 0, 1, 2, 2]), torch.tensor([0.5, 1.0, 0.25, 0.125, 0.0, 0.0])
    spans = [sh.TokenSpan(1, 0, 2, 0.75), sh.TokenSpan(0, 2, 3, 0.25), sh.TokenSpan(1, 3, 4, 0.125)]
    assert sh.merge_tokens(tokens, scores, blank=2) == spans
    assert [len(span) for span in spans] == [2, 1, 1]


def test_tokens_that_cannot_be_merged():
    with pytest.raises(ValueError, match=r"tokens and scores must be \(T,\), got shapes \(1, 2\) and \(2,\)"):
        sh.merge_tokens(torch.zeros(1, 2), torch.zeros(2))
    with pytest.raises(ValueError, match="tokens and scores must be the same length, got 3 and 2"):
        sh.merge_tokens(torch.zeros(3), torch.zeros(2))
