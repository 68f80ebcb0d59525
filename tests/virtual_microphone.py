"""A microphone without hardware: a private PulseAudio whose sink is heard by ALSA, PortAudio and so by sounddevice."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

RATE = 16_000
_PATIENCE_S = 20
_HOST = ("PULSE_SOURCE", "PULSE_SINK", "ALSA_CONFIG_PATH", "DBUS_SESSION_BUS_ADDRESS")
_LIST = "import sounddevice; print(sounddevice.query_devices(kind='input')['name'])"


class VirtualMicrophone:
    """A sound server of its own in ``folder``; ``environment`` is what its clients need."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "socket"
        self._server: subprocess.Popen[bytes] | None = None
        here = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_RUNTIME_PATH": str(folder)}
        kept = {key: value for key, value in os.environ.items() if key not in _HOST}
        self.environment = {**kept, **here, "PULSE_SERVER": f"unix:{self._socket}"}

    def plug_in(self) -> None:
        """Start the server and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        modules = (
            f"module-native-protocol-unix socket={self._socket} auth-anonymous=1",
            # Without norewinds what is heard is not what was played.
            f"module-null-sink sink_name=voice rate={RATE} channels=1 format=s16le norewinds=1",
        )
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm"]
        options += ["--realtime=no", "--high-priority=no", "--log-target=stderr"]
        command = ["pulseaudio", *options, *[part for module in modules for part in ("-L", module)]]
        with open(self._folder / "log", "ab") as log:
            self._server = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + _PATIENCE_S
        while subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False).returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"PulseAudio does not start here: {(self._folder / 'log').read_text()[-500:]}")
            time.sleep(0.02)

    def unplug(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(_PATIENCE_S)

    def play(self, samples: np.ndarray) -> None:
        """Speak (n,) samples of 16 kHz into the microphone; it takes as long as they last."""
        pcm = np.rint(samples * 32768).clip(-32768, 32767).astype("<i2").tobytes()
        player = ["pacat", "--playback", "--device=voice", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1"]
        subprocess.run([*player, "--latency-msec=500"], input=pcm, env=self.environment, check=True, timeout=120)


@contextlib.contextmanager
def virtual_microphone() -> Iterator[VirtualMicrophone]:
    """A microphone that is plugged in, or a skip that says what is missing."""
    missing = [program for program in ("pulseaudio", "pactl", "pacat") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: pulseaudio pulseaudio-utils)")
    with tempfile.TemporaryDirectory(prefix="microphone-") as folder:
        microphone = VirtualMicrophone(Path(folder))
        try:
            microphone.plug_in()
            command = [sys.executable, "-c", _LIST]
            listed = subprocess.run(
                command, env=microphone.environment, capture_output=True, text=True, check=False, timeout=60
            )
            if listed.returncode:
                reason = listed.stderr.strip().rsplit("\n", 1)[-1]
                pytest.skip(f"PortAudio does not see PulseAudio: {reason} (Debian: libportaudio2 libasound2-plugins)")
            yield microphone
        finally:
            microphone.unplug()
