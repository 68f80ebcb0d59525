"""Speech with exact phone times by Debian's ``libespeak-ng1``: audio as FLAC and a JSONL manifest.

    python synthesise_espeak.py sentences.txt OUT_DIR --count 1000 --skip 2000
    python synthesise_espeak.py sentences.txt OUT_DIR --accents en-gb-scotland --count 60 --skip 5000    # held out

Phones that espeak does not separate are written as one unit (``AO_R``, ``OW_L``); a trainer knows the outer ends only.
``?`` marks what no phone of the 39 fits. Boundary convention: a stop contains its closure, which espeak plays as
digital silence before the phoneme's event.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import soundfile
import soxr
from espeak_library import Espeak, Event

ACCENTS = ("en-us", "en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-gb-x-gbclan")
VARIANTS = (
    *("", "", "m1", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "klatt"),
    *("klatt2", "klatt3", "klatt4", "adam", "Andy", "Annie", "Alex", "Andrea", "Denis", "Gene", "Gene2"),
    *("Jacky", "Michael", "Mike", "anika", "antonio", "belinda", "benjamin", "boris", "caleb", "david", "ed"),
    *("edward", "grandma", "grandpa", "iven", "john", "max", "norbert", "paul", "quincy", "rob", "robert"),
    *("sandro", "shelby", "steph", "steph2", "travis", "victor", "zac", "aunty", "gustave", "kaukovalta"),
)  # all of espeak-ng 1.51 without echo: an echo fills the closures
_NAMES = (
    "b=B d=D f=F g=G k=K l=L m=M n=N p=P r=R s=S t=T v=V w=W z=Z t#=T t2=T ?=T r-=R w#=W h=HH j=Y N=NG D=DH T=TH "
    "S=SH Z=ZH dZ=JH tS=CH n-=AH_N m-=AH_M i=IY i:=IY I=IH I2=IH I#=IH E=EH a=AE aa=AE a#=AH @=AH @2=AH @5=AH "
    "@-=AH V=AH 0=AA A:=AA O=AO O:=AO O2=AO U=UH u:=UW u=UW 3=ER 3:=ER IR=ER VR=ER eI=EY aI=AY aI2=AY OI=OY "
    "aU=AW oU=OW @L=AH_L A@=AA_R O@=AO_R o@=AO_R e@=EH_R U@=UH_R i@=IH_R i@3=IH_R aI@=AY_AH aI3=AY_ER aU@=AW_ER"
)
PHONES = dict(pair.split("=") for pair in _NAMES.split())
"""Espeak's mnemonics as phones; where it joins several phones, as a unit of them."""
RHOTIC = ("en-us", "en-us-nyc", "en-gb-scotland")
STOPS = ("P", "T", "K", "B", "D", "G", "CH", "JH")
VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")


def silence_before(samples: np.ndarray, end: int, earliest: int) -> int:
    """First sample of the run of digital silence that stops at ``end``, not before ``earliest``."""
    loud = np.flatnonzero(np.abs(samples[earliest:end].astype(np.int32)) > 1)
    return earliest + int(loud[-1]) + 1 if len(loud) else earliest


def phones_of(samples: np.ndarray, events: list[Event], rhotic: bool) -> list[tuple[str, int]]:
    """(unit, first sample) in order, the closures given to their stops."""
    found: list[tuple[str, int]] = []
    word_start: int | None = None
    glide = False
    for sample, name in events:
        if name is None:
            word_start = sample
            continue
        if name.startswith("_"):
            found.append(("SIL", sample))
            continue
        if name == ";":  # a glide that links to the next vowel, counted as the vowel's
            glide = True
            continue
        unit = PHONES.get(name, "?")
        if not rhotic and unit.endswith("_R"):
            unit = unit[:2] + "_?"
        after_pause = not found or found[-1][0] == "SIL"
        start = word_start if word_start is not None else sample
        if after_pause and start < sample and unit not in STOPS:
            found.append(("?", start))
            start = sample
        elif not after_pause and (glide or word_start is None):
            start = silence_before(samples, sample, found[-1][1])
        if glide and not after_pause:
            found.append(("?", start))
            start = sample
        found.append((unit, start))
        word_start, glide = None, False
    return found


def merge_units(phones: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Join a vowel with an l that no vowel follows: espeak colours the vowel and gives the l a few milliseconds."""
    merged: list[tuple[str, int]] = []
    for index, (unit, start) in enumerate(phones):
        following = phones[index + 1][0] if index + 1 < len(phones) else "SIL"
        if unit == "L" and merged and merged[-1][0] in VOWELS and following[:2] not in VOWELS:
            merged[-1] = (f"{merged[-1][0]}_L", merged[-1][1])
        elif merged and unit == merged[-1][0] == "SIL":
            continue
        else:
            merged.append((unit, start))
    return merged


def pad(samples: np.ndarray, rate: int, rng: random.Random) -> tuple[np.ndarray, float]:
    """Silence on both sides; the seconds put before."""
    before, after = (int(rng.uniform(0.1, 0.4) * rate) for _ in range(2))
    return np.pad(samples, (before, after)), before / rate


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--accents", nargs="+", default=ACCENTS)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    rng = random.Random(options.seed)
    espeak = Espeak()
    options.out_dir.mkdir(parents=True, exist_ok=True)
    sentences = options.sentences.read_text().splitlines()[options.skip : options.skip + options.count]
    total = 0.0
    with open(options.out_dir / "manifest.jsonl", "w") as manifest:
        for index, sentence in enumerate(sentences):
            accent, variant = rng.choice(options.accents), rng.choice(VARIANTS)
            voice = f"{accent}+{variant}" if variant else accent
            rate, pitch, pitch_range = rng.randint(115, 215), rng.randint(25, 80), rng.randint(30, 70)
            spoken, events = espeak.speak(sentence, voice, rate, pitch, pitch_range)
            units = merge_units(phones_of(spoken, events, accent in RHOTIC))
            padded, offset = pad(spoken, espeak.sample_rate, rng)
            samples = soxr.resample(padded.astype(np.float32) / 32768, espeak.sample_rate, 16000)
            starts = [offset + start / espeak.sample_rate for _, start in units]
            ends = [*starts[1:], len(samples) / 16000]
            phones = [[u, round(s, 5), round(e, 5)] for (u, _), s, e in zip(units, starts, ends, strict=True) if e > s]
            phones.insert(0, ["SIL", 0.0, phones[0][1]])
            name = f"{voice.replace('+', '-')}_{index:05d}.flac"
            soundfile.write(options.out_dir / name, samples, 16000)
            speaker = f"espeak-{voice}"
            entry = {"audio": name, "text": sentence, "speaker": speaker, "source": "espeak", "phones": phones}
            manifest.write(json.dumps(entry) + "\n")
            total += len(samples) / 16000
    print(f"{total / 60:.1f} minutes")


if __name__ == "__main__":
    main()
