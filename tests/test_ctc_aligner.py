"""CTCAligner: tokens, boundaries and posteriors against every path; batches, streams, what can't be aligned."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from test_forced_align import DEVICES, best_by_enumeration, random_log_probs

import streamhmm as sh
from streamhmm.errors import AlignmentError

ALIGNER = sh.CTCAligner()


def peaks(*runs, columns=4):
    """(T, columns) log-probabilities of 0.97 for the column of each (column, frames)."""
    heard = torch.tensor([column for column, frames in runs for _ in range(frames)])
    return torch.full((len(heard), columns), 0.01).scatter(1, heard[:, None], 1 - 0.01 * (columns - 1)).log()


def posteriors_by_enumeration(log_probs, labels):
    """(T, L): the share of all paths that are in each label in each frame."""
    total, chances = 0.0, torch.zeros(len(log_probs), len(labels), dtype=torch.float64)
    for columns in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        runs = [(column, len(list(frames))) for column, frames in itertools.groupby(columns)]
        if [column for column, _ in runs if column] != labels:
            continue
        chance = math.exp(sum(float(log_probs[frame, column]) for frame, column in enumerate(columns)))
        total += chance
        frame = label = 0
        for column, frames in runs:
            if column:
                chances[frame : frame + frames, label] += chance
                label += 1
            frame += frames
    return chances / total


@pytest.mark.parametrize("labels", [[1], [2, 1], [1, 1], [2, 2, 1], [1, 2, 1]])
def test_tokens_score_and_posteriors_against_all_paths(labels):
    log_probs = random_log_probs(6, 3, seed=sum(labels))
    columns, score = best_by_enumeration(log_probs, labels, 0)
    found = ALIGNER.align(log_probs, labels, posteriors=True)
    along = log_probs.gather(1, torch.tensor(columns)[:, None])[:, 0]
    expected = sh.merge_tokens(torch.tensor(columns), along)
    assert [(span.token, span.start, span.end) for span in found.tokens] == [
        (span.token, span.start, span.end) for span in expected
    ]
    assert [span.score for span in found.tokens] == pytest.approx([span.score for span in expected])
    assert found.score == pytest.approx(score)
    assert found.blank_share == columns.count(0) / 6
    assert (found.posteriors - posteriors_by_enumeration(log_probs, labels)).abs().max() < 1e-12


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_padded_batch_gives_what_each_sequence_gives_alone(dtype, device):
    lengths, labels = [9, 4, 12, 7], [[1, 1, 2], [5, 4], [3, 2, 2, 1, 5], []]
    log_probs = random_log_probs(4, 12, 6, seed=1, dtype=dtype).to(device)
    batch = ALIGNER.align_batch(log_probs, labels, lengths, posteriors=True)
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(row, dtype=torch.int32) for row in labels], True)
    assert ALIGNER.align_batch(log_probs, padded, lengths, [len(row) for row in labels]) == batch
    aligned = sh.forced_align(log_probs, padded, torch.tensor(lengths), torch.tensor([len(row) for row in labels]))
    for row, found in enumerate(batch):
        alone = ALIGNER.align(log_probs[row, : lengths[row]], labels[row], posteriors=True)
        assert found == alone
        assert found.posteriors.tolist() == alone.posteriors.tolist()
        assert (found.frames, found.posteriors.shape) == (lengths[row], (lengths[row], len(labels[row])))
        spans = sh.merge_tokens(aligned.alignments[row], aligned.scores[row].double())
        assert [(span.token, span.start, span.end) for span in spans] == [
            (span.token, span.start, span.end) for span in found.tokens
        ]
        assert [span.score for span in spans] == pytest.approx([span.score for span in found.tokens])


def test_what_cannot_be_aligned_has_its_error_in_its_place():
    log_probs = random_log_probs(4, 5, 3)
    log_probs[2, :, 1] = -torch.inf
    first, short, unlikely, empty = ALIGNER.align_batch(log_probs, [[1, 2], [1, 1], [1], []], [5, 2, 5, 0])
    assert first == ALIGNER.align(log_probs[0], [1, 2])
    assert isinstance(short, AlignmentError)
    assert isinstance(unlikely, AlignmentError)
    assert str(short) == (
        "sequence 1: targets length is too long for CTC: 2 targets, 1 of them like the one before, need 3 frames, got "
        "2; give more audio, or targets that belong to it"
    )
    assert str(unlikely) == (
        "sequence 2: the targets have a probability of 0 in these frames; check that they belong together"
    )
    assert empty == sh.CtcAlignment((), 0.0, 0, 0.0)
    with pytest.raises(AlignmentError, match=r"^targets length is too long for CTC"):
        ALIGNER.align(log_probs[0, :2], [1, 1])
    with pytest.raises(AlignmentError, match=r"^the targets have a probability of 0"):
        ALIGNER.align(log_probs[2], [1])
    assert ALIGNER.align_batch(torch.zeros(0, 5, 3), []) == []


def test_boundaries_share_the_blanks():
    """Within words blanks are halved; 4 frames are usual, so at its ends a word takes 2, if there are as many."""
    log_probs = peaks((0, 10), (1, 1), (0, 4), (2, 2), (0, 1), (3, 1), (0, 30))
    found = ALIGNER.align(log_probs, [1, 2, 3])
    assert [(token.start, token.end) for token in found.tokens] == [(10, 11), (15, 17), (18, 19)]
    together = found.boundaries()
    assert together.starts.tolist() == [8.75, 13.0, 17.5]
    assert together.ends.tolist() == [13.0, 17.5, 20.25]
    apart = found.boundaries([0, 0, 1])
    assert apart.starts.tolist() == [8.0, 13.0, 17.5]
    assert apart.ends.tolist() == [13.0, 17.5, 21.0]
    assert [edges.tolist() for edges in ALIGNER.align(log_probs, []).boundaries()] == [[], []]
    with pytest.raises(ValueError, match=r"words must be \(3,\), one a token, got 2"):
        found.boundaries([0, 1])


def test_segments_of_tokens_and_words():
    aligner = sh.CTCAligner(frame_s=0.5, offset_s=0.25)
    found = aligner.align(peaks((0, 10), (1, 1), (0, 4), (2, 2), (0, 1), (3, 1), (0, 30)), [1, 2, 3])
    words = [0, 0, 1]
    a, b, c = found.segments(["-", "a", "b", "c"], words)
    assert [(each.label, each.start, each.end) for each in (a, b, c)] == [
        *(("a", 4.25, 6.75), ("b", 6.75, 9.0), ("c", 9.0, 10.75)),
    ]
    assert [each.score for each in (a, b, c)] == pytest.approx([0.97] * 3)
    first, second = found.word_segments(["ab", "c"], words)
    assert (first.label, first.start, first.end) == ("ab", a.start, b.end)
    assert (second.label, second.start, second.end) == ("c", c.start, c.end)
    assert first.score == pytest.approx(0.97)
    assert found.word_segments(["ab", "c"], torch.tensor(words)) == (first, second)
    with pytest.raises(ValueError, match="names must be of all columns, 3 is one of them, got 3 names"):
        found.segments(["-", "a", "b"])
    with pytest.raises(ValueError, match=r"words must be ascending, with every one of 0…1, got \[1, 1, 0\]"):
        found.word_segments(["ab", "c"], [1, 1, 0])
    with pytest.raises(ValueError, match=r"words must be ascending, with every one of 0…2, got \[0, 0, 1\]"):
        found.word_segments(["ab", "c", "d"], words)
    with pytest.raises(ValueError, match=r"times in seconds need CTCAligner\(frame_s=…\)"):
        ALIGNER.align(peaks((1, 2)), [1]).segments(["-", "a"])


@pytest.mark.parametrize("size", [1, 2, 13, 59, 60])
@pytest.mark.parametrize("options", [{}, {"beam": 60.0}, {"max_lag": 50}])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_stream_gives_the_tokens_of_the_whole(size, options, dtype):
    labels = [1, 2, 2, 3, 1, 1, 2]
    log_probs = (3 * random_log_probs(60, 5, seed=4)).log_softmax(-1).to(dtype)
    stream = ALIGNER.stream(labels, **options)
    told = [stream.push(chunk) for chunk in log_probs.split(size)]
    spans = [span for part in (*told, stream.finish()) for span in part]
    whole = ALIGNER.align(log_probs, labels).tokens
    assert [(span.token, span.start, span.end) for span in spans] == [
        (span.token, span.start, span.end) for span in whole
    ]
    assert [span.score for span in spans] == pytest.approx([span.score for span in whole])


def test_tokens_of_a_stream_come_once_they_are_sure():
    stream = ALIGNER.stream([1, 2], beam=3.0)
    log_probs = peaks((0, 2), (1, 2), (0, 3), (2, 1), (0, 2))
    told, heard = [], []
    for frame in log_probs.split(1):
        told.append([(span.token, span.start, span.end) for span in stream.push(frame)])
        heard.append(stream.current())
    assert heard == [None, None, 0, 0, 0, 0, 0, 1, 1, 1]
    assert told == [[], [], [], [], [(1, 2, 4)], [], [], [], [(2, 7, 8)], []]
    assert stream.final_frames == 10
    assert stream.push(log_probs[:0]) == []
    assert stream.finish() == []
    with pytest.raises(ValueError, match="the stream has ended"):
        stream.push(log_probs)


def test_a_stream_may_be_fed_from_one_buffer():
    log_probs, buffer = random_log_probs(40, 5, seed=2), torch.empty(4, 5, dtype=torch.float64)
    labels = torch.tensor([1, 2, 3, 4])
    stream, spans = ALIGNER.stream(labels), []
    labels.fill_(4)
    for chunk in log_probs.split(4):
        spans += stream.push(buffer.copy_(chunk))
    spans += stream.finish()
    whole = ALIGNER.align(log_probs, [1, 2, 3, 4]).tokens
    assert [span.token for span in spans] == [1, 2, 3, 4]
    assert [span.score for span in spans] == pytest.approx([span.score for span in whole])


def test_a_stream_keeps_no_column_that_it_does_not_need():
    stream = ALIGNER.stream([7, 2, 7])
    log_probs = random_log_probs(30, 1000, seed=3)
    stream.push(log_probs)
    assert stream.final_frames + sum(map(len, stream._waiting)) == 30
    assert {part.shape[1] for part in stream._waiting} == {3}
    assert stream.finish() == list(ALIGNER.align(log_probs, [7, 2, 7]).tokens)


def test_streams_that_end_early_or_are_given_what_is_wrong():
    stream = ALIGNER.stream([1, 2, 3], beam=3.0)
    with pytest.raises(ValueError, match=r"log_probs must be \(n, C\), got shape \(5,\)"):
        stream.push(torch.zeros(5))
    with pytest.raises(ValueError, match=r"targets must be in 0…2, columns of log_probs, got \[1, 2, 3\]"):
        stream.push(torch.zeros(2, 3))
    assert [span.token for span in stream.push(peaks((1, 2), (0, 2)))] == [1]
    with pytest.raises(ValueError, match=r"log_probs must be \(n, 4\) as in the first chunk, got shape \(2, 5\)"):
        stream.push(peaks((1, 2), columns=5))
    assert stream.final_frames == 4
    message = "the stream ended before its targets did: 1 of 3 were heard; give more audio, or targets that belong"
    with pytest.raises(AlignmentError, match=message):
        stream.finish()
    with pytest.raises(ValueError, match=r"targets must not contain the blank \(0\), sequence 0 has \[1, 0\]"):
        ALIGNER.stream([1, 0])
    assert ALIGNER.stream([]).finish() == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sh.CTCAligner(frame_s=0.0), ValueError, "frame_s must be above 0 and finite, got 0.0"),
        (lambda: sh.CTCAligner(frame_s=math.inf), ValueError, "frame_s must be above 0 and finite, got inf"),
        (lambda: sh.CTCAligner(offset_s=math.nan), ValueError, "offset_s must be finite, got nan"),
        (lambda: sh.CTCAligner(0.0), TypeError, "blank must be an integer, got float"),
        (
            lambda: ALIGNER.align(torch.zeros(5, 3), "ab"),
            TypeError,
            "targets must be integers, the columns of the labels, got str",
        ),
        (lambda: ALIGNER.stream(None), TypeError, "targets must be integers, the columns of the labels, got NoneType"),
        (lambda: ALIGNER.align([[0.0]], [1]), TypeError, "log_probs must be a torch.Tensor, got list"),
        (
            lambda: ALIGNER.align(torch.zeros(1, 5, 3), [1]),
            ValueError,
            r"log_probs must be \(T, C\), got shape \(1, 5, 3\); batches are for align_batch",
        ),
        (lambda: sh.CTCAligner(blank=3).align(torch.zeros(5, 3), [1]), ValueError, "blank must be in 0…2"),
        (lambda: ALIGNER.align(torch.zeros(5, 3), [1, 3]), ValueError, "targets must be in 0…2, columns of"),
        (lambda: ALIGNER.align(torch.zeros(5, 3), [0]), ValueError, r"targets must not contain the blank \(0\)"),
        (lambda: ALIGNER.align(torch.zeros(5, 3), [0.5]), TypeError, "targets must be integers, got torch.float32"),
        (
            lambda: ALIGNER.align_batch(torch.zeros(2, 5, 3), [[1]]),
            ValueError,
            "targets must be 2 sequences, as many as log_probs, got 1",
        ),
        (
            lambda: ALIGNER.align_batch(torch.zeros(2, 5, 3), torch.tensor([1, 2])),
            ValueError,
            r"targets must be \(2, L\) or 2 sequences, got shape \(2,\)",
        ),
        (
            lambda: ALIGNER.align_batch(torch.zeros(1, 5, 3), [[1]], target_lengths=[1]),
            ValueError,
            "target_lengths go with a tensor of targets",
        ),
        (
            lambda: ALIGNER.align_batch(torch.zeros(1, 5, 3), [[1]], [6]),
            ValueError,
            r"lengths must be in 0…5, got \[6\]",
        ),
        (lambda: ALIGNER.align(torch.full((5, 3), torch.nan), [1]), ValueError, "NaN"),
    ],
)
def test_wrong_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
