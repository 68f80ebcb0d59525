"""DTWAligner: planted warpings, both directions, batches, what can't be aligned; features for it."""

from __future__ import annotations

import doctest
import math

import pytest
import torch

import streamhmm as sh
from streamhmm.acoustic.features import LogMel, log_mel, mfcc
from streamhmm.errors import AlignmentError
from streamhmm.tensor_alignment import ctc_aligner, dtw_aligner, forced_alignment


def steps(*frames, dims=3):
    """Features that hold the values 0, 1, 2 … (on dims axes) so many frames each."""
    levels = torch.repeat_interleave(torch.arange(len(frames)), torch.tensor(frames))
    return (levels[:, None] + torch.arange(dims)).double()


def test_boundaries_are_carried_to_the_frame_both_ways():
    found = sh.DTWAligner().align(steps(3, 1, 4, 2), steps(5, 2, 2, 7))
    assert found.to_query([0, 3, 4, 8, 10]).tolist() == [0, 5, 7, 9, 16]
    assert found.to_reference([0, 5, 7, 9, 16]).tolist() == [0, 3, 4, 8, 10]
    assert (found.distance, found.reference_frames, found.query_frames) == (0.0, 10, 16)
    assert found.to_query([-1, 99]).tolist() == [0, 16]
    assert found.to_query([]).tolist() == []
    times = torch.tensor([3.0, 4.0], requires_grad=True)
    assert found.to_query(times).tolist() == [5, 7]
    assert found.to_query(3.0).tolist() == 5


def test_the_rule_at_each_kind_of_step():
    """A frame shared by two is halved; frames left out go half to either side; within a frame, in proportion."""
    path = torch.tensor([[0, 0], [1, 0], [1, 1], [2, 2], [3, 4]])
    found = sh.DtwAlignment(path, 0.0, 0.0, 4, 5)
    assert found.to_query([0, 1, 2, 3, 4]).tolist() == [0, 0.5, 2, 3.5, 5]
    assert found.to_query([0.5, 1.5]).tolist() == [0.25, 1.25]
    assert found.to_reference([0, 1, 2, 3.5, 5]).tolist() == [0, 1.5, 2, 3, 4]


@pytest.mark.parametrize("step", ["symmetric1", "symmetric2", "asymmetric"])
@pytest.mark.parametrize("seed", range(4))
def test_times_are_carried_in_order_and_within_the_query(step, seed):
    generator = torch.Generator().manual_seed(seed)
    reference, query = (torch.randn(size, 2, generator=generator) for size in (20, 23))
    found = sh.DTWAligner(step=step).align(reference, query)
    assert found.path.tolist() == sh.dtw(reference, query, step=step).path.tolist()
    carried = found.to_query(torch.linspace(0, 20, 81))
    assert bool((carried.diff() >= 0).all())
    assert (carried[0].item(), carried[-1].item()) == (0, 23)
    back = found.to_reference(torch.linspace(0, 23, 93))
    assert bool((back.diff() >= 0).all())
    assert (back[0].item(), back[-1].item()) == (0, 20)


def test_segments_are_carried_in_seconds():
    aligner = sh.DTWAligner(frame_s=0.25)
    found = aligner.align(steps(2, 4), steps(4, 2))
    given = [sh.Segment("a", 0.0, 0.5, 0.9, 5.0, 6.0), sh.Segment("b", 0.5, 1.5)]
    assert found.transfer(given) == (sh.Segment("a", 0.0, 1.0, 0.9), sh.Segment("b", 1.0, 1.5))
    assert found.transfer([]) == ()
    with pytest.raises(ValueError, match=r"times in seconds need DTWAligner\(frame_s=…\)"):
        sh.DTWAligner().align(steps(2), steps(2)).transfer(given)


def test_a_reference_is_found_within_a_longer_query():
    reference = steps(3, 3)
    query = torch.cat([torch.full((5, 3), 9.0).double(), steps(2, 4), torch.full((6, 3), 9.0).double()])
    aligner = sh.DTWAligner(step="asymmetric", open_begin=True, open_end=True)
    found = aligner.align(reference, query)
    assert found.distance == 0.0
    assert found.to_query([3]).item() == 7
    assert 5 <= found.to_query([0]).item() < found.to_query([6]).item() <= 11
    assert found.to_reference([0, 99]).tolist() == [0, 6]


def test_a_padded_batch_gives_what_each_pair_gives_alone():
    generator = torch.Generator().manual_seed(1)
    references, queries = (torch.randn(3, size, 4, generator=generator) for size in (9, 11))
    lengths = ([9, 5, 7], torch.tensor([4, 11, 6]))
    aligner = sh.DTWAligner("cosine", band="sakoe_chiba", radius=5)
    for row, found in enumerate(aligner.align_batch(references, queries, *lengths)):
        alone = aligner.align(references[row, : lengths[0][row]], queries[row, : lengths[1][row]])
        assert found == alone
        assert found.path.tolist() == alone.path.tolist()
    assert aligner.align_batch(references[:0], queries[:0]) == []


def test_what_cannot_be_aligned_has_its_error_in_its_place():
    message = (
        "no path fits 2 frames of the reference and 5 of the query; widen the band, take the step pattern "
        '"symmetric2", or check that they belong together'
    )
    aligner = sh.DTWAligner(step="asymmetric")
    features = torch.zeros(2, 5, 3)
    wrong, right = aligner.align_batch(features, features, [2, 5])
    assert isinstance(wrong, AlignmentError)
    assert str(wrong) == message
    assert right == aligner.align(features[0], features[0])
    with pytest.raises(AlignmentError, match=f"^{message}$"):
        aligner.align(features[0, :2], features[0])
    nothing = "^0 frames of the reference and 5 of the query: both must have one at least; give more audio$"
    with pytest.raises(AlignmentError, match=nothing):
        aligner.align(features[0, :0], features[0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sh.DTWAligner("manhattan"), ValueError, "metric must be"),
        (lambda: sh.DTWAligner(step="diagonal"), ValueError, "step must be"),
        (lambda: sh.DTWAligner(band="sakoe_chiba"), ValueError, "radius"),
        (lambda: sh.DTWAligner(frame_s=0.0), ValueError, "frame_s must be above 0 and finite, got 0.0"),
        (
            lambda: sh.DTWAligner().align(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3)),
            ValueError,
            r"reference must be \(N, D\), got shape \(1, 2, 3\); align_batch takes batches",
        ),
        (
            lambda: sh.DTWAligner().align_batch(torch.zeros(2, 3), torch.zeros(2, 3)),
            ValueError,
            r"references must be \(B, N, D\), got shape \(2, 3\)",
        ),
        (lambda: sh.DTWAligner().align(torch.zeros(2, 3), [0]), TypeError, "query must be a torch.Tensor, got list"),
        (
            lambda: sh.DTWAligner().align(torch.zeros(2, 3), torch.zeros(1, 2, 3)),
            ValueError,
            r"query must be \(M, D\), got shape \(1, 2, 3\); align_batch takes batches",
        ),
        (
            lambda: sh.DTWAligner().align_batch(torch.zeros(1, 2, 3), torch.zeros(2, 3)),
            ValueError,
            r"queries must be \(B, M, D\), got shape \(2, 3\)",
        ),
        (
            lambda: sh.DTWAligner().align_batch(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3), None, [3]),
            ValueError,
            r"query_lengths must be in 0…2, got \[3\]",
        ),
    ],
)
def test_wrong_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_features_of_audio():
    samples = 0.1 * torch.randn(4001, generator=torch.Generator().manual_seed(0))
    energies = log_mel(samples)
    frames, cache = LogMel()(samples)
    assert energies.tolist() == torch.cat([frames, LogMel().finish(cache)]).tolist()
    cepstra = mfcc(samples, 5)
    assert cepstra.shape == (26, 5)
    bands = [math.pi / 80 * (band + 0.5) for band in range(80)]
    for number in range(5):
        scale = math.sqrt((1 if number == 0 else 2) / 80)
        expected = sum(float(energies[7, band]) * math.cos(number * angle) for band, angle in enumerate(bands)) * scale
        assert float(cepstra[7, number]) == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(mfcc(samples, 80).square().sum(1), energies.square().sum(1), rtol=1e-4)
    with pytest.raises(ValueError, match=r"coefficients must be in 1…80, got 0"):
        mfcc(samples, 0)


@pytest.mark.parametrize("module", [ctc_aligner, dtw_aligner, forced_alignment])
def test_the_examples_of_the_docstrings(module):
    assert doctest.testmod(module).failed == 0 < doctest.testmod(module).attempted
