"""Makes ferry.flac from ferry.txt with flite, the speech synthesiser in Debian's package ``flite``.

python examples/quick_start/make_audio.py
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import soundfile

HERE = Path(__file__).parent
VOICE = "slt"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", VOICE, "-f", str(HERE / "ferry.txt"), "-o", str(wav)], check=True)
        samples, rate = soundfile.read(wav, dtype="int16")
    soundfile.write(HERE / "ferry.flac", samples, rate, subtype="PCM_16")
    print(f"ferry.flac: {len(samples) / rate:.2f} s at {rate} Hz")


if __name__ == "__main__":
    main()
