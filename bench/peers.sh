#!/bin/sh
# Sets up the packages that the benches compare with, in a virtual environment of their own:
#
#     bench/peers.sh DIR [PYTHON]        then: python bench/engine.py --peer-python DIR/bin/python
#
# torchaudio's wheel of 2.11 loads the CUDA runtime even for its CPU kernels and wants the torch of the same release,
# so it can't stand beside the torch that streamhmm is tested with. About 3 GB are downloaded and 7 GB used.
set -eu

if [ $# -lt 1 ]; then
    echo "usage: $0 DIR [PYTHON]" >&2
    exit 2
fi
directory=$1
python=${2:-python3}

"$python" -m venv "$directory"
"$directory/bin/python" -m pip install --quiet --no-cache-dir torch==2.11.0 torchaudio==2.11.0 numpy
"$directory/bin/python" - <<'CHECK'
import torch
import torchaudio

scores = torch.randn(1, 20, 5).log_softmax(-1)
path, _ = torchaudio.functional.forced_align(scores, torch.tensor([[1, 2, 3]]))
print(f"torch {torch.__version__}, torchaudio {torchaudio.__version__}: forced_align gives {tuple(path.shape)}")
CHECK
