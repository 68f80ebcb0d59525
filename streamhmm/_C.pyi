"""The compiled HMM engine. Addresses are what ``Tensor.data_ptr()`` gives; 0 stands for "none"."""

from enum import Enum

class Batch:
    """Scores, lengths and packed graphs of one call, see csrc/params.h and csrc/graph.h; keeps no tensor alive."""

    def __init__(
        self,
        scores: int,
        is_double: bool,
        batch: int,
        frames: int,
        columns: int,
        batch_stride: int,
        frame_stride: int,
        lengths: int,
        structure: int,
        structure_size: int,
        weights: int,
        weights_size: int,
        memory_budget: int,
        threads: int,
    ) -> None: ...

def viterbi(batch: Batch, beam: float, states: int, score: int) -> None:
    """Writes states (B, T) int64 and score (B,) float64. Raises ValueError for invalid scores or graphs."""

def constrained_viterbi(
    batch: Batch,
    allowed: int,
    allowed_stride: int,
    states_wide: int,
    fixed: int,
    fixed_stride: int,
    states: int,
    score: int,
) -> None:
    """As viterbi, see csrc/constrained_viterbi.h. Raises ValueError for invalid scores, graphs or fixed states."""

def forward_backward(
    batch: Batch,
    log_likelihood: int,
    by_state: int,
    states_wide: int,
    by_pdf: int,
    by_pdf_scale: int,
    counts: int,
    counts_stride: int,
) -> None:
    """Writes what has an address, see csrc/forward_backward.h. Raises ValueError for invalid scores or graphs."""

def filter(batch: Batch, lag: int, end_counts: bool, by_state: int, states_wide: int, by_pdf: int) -> None:
    """Writes what has an address, see csrc/filter.h. Raises ValueError for invalid scores or graphs."""

def sample(batch: Batch, states: int, uniforms: int, samples: int) -> None:
    """Writes states (B, N, T) int64, see csrc/sample.h. Raises ValueError for invalid scores or graphs."""

class Arithmetic(Enum):
    """What one cell of a recursion computes: addition and maximum, or multiplication and addition."""

    ADD_MAX = 0
    MULTIPLY_ADD = 1

def run_arithmetic(arithmetic: Arithmetic, is_double: bool, steps: int) -> int:
    """Arithmetic in registers alone, for the bench; returns the cells computed."""

class Durations:
    """Log-weights of durations, (states, longest) float64, see csrc/semi_markov.h; keeps no tensor alive."""

    def __init__(self, durations: int, num_states: int, longest: int) -> None: ...

def semi_markov_viterbi(batch: Batch, durations: Durations, states: int, score: int) -> None:
    """As ``viterbi``. Raises ValueError for invalid scores or graphs."""

def semi_markov_sums(
    batch: Batch,
    durations: Durations,
    log_likelihood: int,
    by_state: int,
    states_wide: int,
    by_pdf: int,
    counts: int,
    counts_stride: int,
    segment_counts: int,
) -> None:
    """Writes what has an address, see csrc/semi_markov.h. Raises ValueError for invalid scores or graphs."""

class FrameRows:
    """Frames of one call, see csrc/diagonal.h; keeps no tensor alive."""

    def __init__(
        self, frames: int, is_double: bool, count: int, dims: int, stride: int, origin: int, threads: int
    ) -> None: ...

def diagonal_densities(frames: FrameRows, gaussians: int, constant: int, linear: int, square: int, out: int) -> None:
    """Writes out (count, gaussians), of the frames' type."""

def diagonal_moments(
    frames: FrameRows, gaussians: int, weights: int, weights_stride: int, mass: int, total: int, squares: int
) -> None:
    """Writes float64 sums: mass (gaussians,), total and squares (gaussians, dims)."""

class DtwBatch:
    """Pairs of sequences of one call of dtw, see csrc/dtw.h; keeps no tensor alive."""

    def __init__(
        self,
        x: int,
        y: int,
        is_double: bool,
        batch: int,
        rows: int,
        columns: int,
        dims: int,
        x_batch_stride: int,
        x_stride: int,
        y_batch_stride: int,
        y_stride: int,
        x_lengths: int,
        y_lengths: int,
        metric: int,
        pattern: int,
        band: int,
        width: float,
        open_begin: bool,
        open_end: bool,
        memory_budget: int,
        threads: int,
    ) -> None: ...

def dtw(batch: DtwBatch, path: int, path_size: int, distance: int, normalized: int) -> None:
    """Writes the results, see DtwResult in csrc/dtw.h. Raises ValueError for an invalid cost."""

def step_patterns() -> list[str]:
    """Names of the step patterns of dynamic time warping, by index."""

class DtwFollower:
    """Follows a stream along a reference, see csrc/dtw_follower.h; keeps a copy of the reference."""

    def __init__(
        self,
        frames: int,
        is_double: bool,
        size: int,
        dims: int,
        metric: int,
        pattern: int,
        window: int,
        open_begin: bool,
    ) -> None: ...

def dtw_push(follower: DtwFollower, frames: int, count: int, positions: int, costs: int) -> None:
    """Reads frames (count, dims), writes positions (count,) int64 and costs (count,) float64."""

def dtw_distance(follower: DtwFollower) -> float:
    """D of all frames against the whole reference."""

def available_isas() -> list[str]:
    """Instruction sets that this build and this processor share, best first."""

def select_isa(name: str) -> str:
    """Chooses the instruction set; returns the one chosen before. Raises ValueError for an unknown name."""

class OnlineStream:
    """One stream, see csrc/online_viterbi.h; copies the packed graph. Raises ValueError for a damaged one."""

    def __init__(
        self,
        structure: int,
        structure_size: int,
        weights: int,
        weights_size: int,
        is_double: bool,
        beam: float,
        max_lag: int,
        certainty: float,
    ) -> None: ...

def online_push(
    streams: list[OnlineStream], scores: list[int], frames: list[int], columns: int, strides: list[int], threads: int
) -> None:
    """The next frames of each stream. Raises ValueError for invalid scores, whose stream is then as it was."""

def online_decided(stream: OnlineStream) -> int:
    """How many decided states wait to be taken."""

def online_take(stream: OnlineStream, states: int) -> None:
    """Writes the decided states, int64, which then wait no more."""

def online_finish(stream: OnlineStream) -> bool:
    """Decides the rest. Returns whether a final state was reached."""

def online_restart(stream: OnlineStream, initial: int) -> None:
    """Decides the rest and starts anew, initial (S,) float64."""

def online_extend(
    stream: OnlineStream, structure: int, structure_size: int, weights: int, weights_size: int, is_double: bool
) -> None:
    """Goes on in a larger graph."""

def online_keep(stream: OnlineStream, allowed: int) -> None:
    """Gives up live states that are not allowed, (S,) bool, if any is."""

def online_change(stream: OnlineStream, beam: float, max_lag: int, certainty: float) -> None:
    """Other options from the next frame on."""

def online_current(stream: OnlineStream) -> int:
    """The best live state, or -1."""

def online_undecided(stream: OnlineStream, state: int) -> list[int]:
    """The best path to a live state through the undecided frames; empty if it is not live."""

def online_survivors(stream: OnlineStream) -> tuple[list[int], list[float]]:
    """Live states and their scores below the best."""

def online_save(stream: OnlineStream) -> bytes:
    """Where the stream stands."""

def online_restore(stream: OnlineStream, state: bytes) -> None:
    """Goes on there. Raises ValueError for what is no such state."""
