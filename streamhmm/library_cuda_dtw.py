"""Dynamic time warping on CUDA devices. Nothing here waits for the device; who looks at the sizes of the paths does."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm import library_cuda
from streamhmm.library import DEFAULT_BUDGET
from streamhmm.library_cuda import budget_on, run, stream_on
from streamhmm.warping_batch import PairLengths, Warped, dtw_batch
from streamhmm.warping_checks import Options


def warp_on_cuda(
    x: Tensor,
    y: Tensor | None,
    lengths: PairLengths,
    metric: int,
    options: Options,
    open_begin: bool,
    open_end: bool,
) -> Warped:
    device = x.device
    budget = budget_on(device, DEFAULT_BUDGET if options.memory_budget is None else options.memory_budget)
    found = Warped.empty(x, y)._replace(invalid=x.new_empty(len(x), dtype=torch.int64))
    call = dtw_batch(x, y, lengths, metric, options, open_begin, open_end, budget)
    copies = [None if each is None else each.to(device, non_blocking=True) for each in lengths]
    addresses = [0 if each is None else each.data_ptr() for each in copies]
    core = library_cuda.core()
    batch = core.DeviceDtwBatch(call, *addresses, device.index or 0, stream_on(device))
    run(core.dtw, device, batch, *(each.data_ptr() for each in found if each is not None))
    return found
