"""A module that stands for ``sounddevice``, with devices that come, go and refuse as a test wants."""

from __future__ import annotations

import types

import numpy as np


class PortAudioError(Exception):
    """As sounddevice raises it: text, then PortAudio's number."""


class FakeStream:
    """An opened device; a test brings the blocks."""

    def __init__(self, module, **options):
        self.module = module
        self.options = options
        self.callback = options["callback"]
        self.device_time = 5.0
        self.active = False
        self.closed = False

    def start(self):
        self.active = True
        if self.module.on_start:
            self.module.on_start(self)

    def abort(self, ignore_errors):
        self.active = False

    def close(self, ignore_errors):
        self.closed = True

    def bring(self, block, *, skip_s=0.0, overflow=False):
        """Call back with a block, (n, channels), after ``skip_s`` seconds that the device lost."""
        self.device_time += skip_s
        times = types.SimpleNamespace(inputBufferAdcTime=self.device_time)
        self.device_time += len(block) / self.options["samplerate"]
        reused = np.array(block, np.float32)
        self.callback(reused, len(block), times, types.SimpleNamespace(input_overflow=overflow))
        reused[:] = 99  # PortAudio takes its memory back


class FakeSoundDevice(types.ModuleType):
    """Attributes: ``refusals``: (rate, channels) → error at the check; ``opening``: the error when it is opened."""

    PortAudioError = PortAudioError

    def __init__(self, *devices, default=0):
        super().__init__("sounddevice")
        self.devices = list(devices)
        self.default = types.SimpleNamespace(device=[default, -1])
        self.refusals = {}
        self.opening = None
        self.on_start = None
        self.streams = []
        self.restarts = 0

    def query_hostapis(self):
        return ({"name": "ALSA"}, {"name": "JACK"})

    def query_devices(self):
        return list(self.devices)

    def check_input_settings(self, device, channels, dtype, extra_settings, samplerate):
        assert (dtype, extra_settings) == ("float32", None)
        if (samplerate, channels) in self.refusals:
            raise self.refusals[samplerate, channels]

    def InputStream(self, **options):
        if self.opening:
            raise self.opening
        self.streams.append(FakeStream(self, **options))
        return self.streams[-1]

    def _terminate(self):
        self.restarts += 1

    def _initialize(self):
        pass


def microphone(name="Mic", channels=2, rate=48_000.0, host=0):
    """A device as ``query_devices`` describes it."""
    return {"name": name, "hostapi": host, "max_input_channels": channels, "default_samplerate": rate}
