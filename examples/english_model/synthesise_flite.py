"""Speech with exact phone ends by Debian's ``flite``: audio as FLAC and a JSONL manifest.

    python synthesise_flite.py sentences.txt OUT_DIR --voices kal16 rms slt --count 1000
    python synthesise_flite.py sentences.txt OUT_DIR --voices awb --count 60 --skip 5000      # held out for choosing

Sentence i goes to the voice i modulo the number of voices, with its own tempo. ``--skip`` starts later in the list, so
that held-out voices speak held-out sentences. Written to OUT_DIR/manifest.jsonl; paths in it are relative to OUT_DIR.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

import soundfile
import soxr

PHONES = {"pau": "SIL", "ax": "AH", "axr": "ER"}
LONGEST_DISAGREEMENT_S = 0.06


def synthesise(sentence: str, voice: str, tempo: float, pitch: float, wav: Path) -> list[list[object]]:
    """Speak a sentence; [phone, start, end] in seconds, as flite's own segment ends tell."""
    command = ["flite", "-voice", voice, "--setf", f"duration_stretch={tempo:.3f}"]
    if pitch:
        command += ["--setf", f"int_f0_target_mean={pitch:.1f}"]
    command += ["-psdur", "-t", sentence, "-o", str(wav)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    phones: list[list[object]] = []
    start = 0.0
    for item in output.split():
        name, end = item.split(":")
        phone = PHONES.get(name, name.upper())
        if phones and phones[-1][0] == phone == "SIL":
            phones[-1][2] = float(end)
        else:
            phones.append([phone, start, float(end)])
        start = float(end)
    return phones


def fit_end(phones: list[list[object]], duration: float, diphone: bool) -> bool:
    """End the last phone with the audio; False if flite's times and the audio's length disagree.

    The last unit of a diphone voice goes only to the middle of the final pause.
    """
    _, start, end = phones[-1]
    expected = (float(str(start)) + float(str(end))) / 2 if diphone else float(str(end))
    phones[-1][2] = duration
    return abs(expected - duration) <= LONGEST_DISAGREEMENT_S


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--voices", nargs="+", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    rng = random.Random(options.seed)
    options.out_dir.mkdir(parents=True, exist_ok=True)
    sentences = options.sentences.read_text().splitlines()[options.skip : options.skip + options.count]
    total = dropped = 0.0
    with open(options.out_dir / "manifest.jsonl", "w") as manifest, tempfile.TemporaryDirectory() as scratch:
        for index, sentence in enumerate(sentences):
            voice = options.voices[index % len(options.voices)]
            pitch = rng.uniform(85, 180) if voice == "kal16" else 0.0
            wav = Path(scratch) / "speech.wav"
            phones = synthesise(sentence, voice, rng.uniform(0.8, 1.25), pitch, wav)
            samples, rate = soundfile.read(wav, dtype="float32")
            if not fit_end(phones, len(samples) / rate, diphone=voice.startswith("kal")):
                dropped += 1
                continue
            if rate != 16000:
                samples = soxr.resample(samples, rate, 16000)
            name = f"{voice}_{index:05d}.flac"
            soundfile.write(options.out_dir / name, samples, 16000)
            entry = {"audio": name, "text": sentence, "speaker": f"flite-{voice}", "source": "flite", "phones": phones}
            manifest.write(json.dumps(entry) + "\n")
            total += len(samples) / 16000
    print(f"{total / 60:.1f} minutes; {dropped:.0f} utterances dropped because flite's times and audio disagree")


if __name__ == "__main__":
    main()
