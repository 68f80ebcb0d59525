"""A microphone: whatever device the system has, at whatever rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio.devices import (
    InputDevice,
    find_device,
    find_settings,
    input_devices,
    portaudio,
    quiet,
    why_not_opened,
)
from streamhmm.audio.resample import Resampler
from streamhmm.audio.ring import AudioRing
from streamhmm.errors import AudioError, StreamHMMError

BLOCK_S = 0.01
LATENCY_S = 0.03  # of the device's own buffer: the least with which blocks come regularly
LOOK_S = 0.1
SILENT_LOOKS = 20  # without a block, after which a device is taken to be gone
RETRY_S = 0.5


class Microphone:
    """A :class:`~streamhmm.audio.source.Source`: a recording device.

    It is opened as mono at ``sample_rate`` where it takes that, else at its own rate with as many channels as it wants.
    If it goes away, it is looked for for some seconds; the time without it counts as lost, so that times stay right.

    Args:
        device: its number, or a part of its name; None is the system's default.
        sample_rate: samples a second that :meth:`convert` gives.
        channel: the channel to use, counted from 1; None takes the mean of all.
        warn: called from a thread of the microphone's with what the user should know while it runs.
        patience_s: how long a device that went away is looked for.

    Raises:
        AudioError: there is no such device, it can't be opened, or PortAudio is missing.
    """

    ended = False

    def __init__(
        self,
        device: str | int | None = None,
        *,
        sample_rate: int = 16_000,
        channel: int | None = None,
        warn: Callable[[str], None] | None = None,
        patience_s: float = 10.0,
    ) -> None:
        self._sounddevice = portaudio()
        self._wanted = device
        self._device = find_device(device)
        self.sample_rate, self.channels = find_settings(self._device, sample_rate, channel)
        self._resampler = Resampler(self.sample_rate, sample_rate, channel)
        self._warn = warn if warn is not None else lambda message: None
        self._patience_s = patience_s
        self.error: StreamHMMError | None = None
        self.overflows = 0  # times that the system itself lost samples
        self._stream: Any = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._blocks = 0
        self._is_back = True  # False from when the device was found to be gone until its next block
        self._heard_at = 0.0  # time.monotonic() at the newest block
        self._heard_to: float | None = None  # the device's own time at the end of the newest block
        self._loss_unknown = False

    @property
    def name(self) -> str:
        """The device's name."""
        return self._device.name

    def start(self, ring: AudioRing) -> None:
        """Opens the device and begins to write into the ring.

        Raises:
            AudioError: it can't be opened.
        """
        self._heard_at = time.monotonic()
        self._open(self._device, ring)
        self._watcher = threading.Thread(target=self._watch, args=(ring,), name="streamhmm-microphone", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Closes the device. May be called again, and before :meth:`start`."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        self._close()

    def convert(self, block: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Frames (n, channels) as mono samples (m,); see :class:`~streamhmm.audio.source.Source`."""
        finite = np.isfinite(block)
        if not finite.all():  # a driver's fault that must not stay in the filter
            block = np.where(finite, block, np.float32(0))
        return self._resampler.convert(block, last)

    def _open(self, device: InputDevice, ring: AudioRing) -> None:
        def take(block: NDArray[np.float32], frames: int, device_time: Any, flags: Any) -> None:
            ring.lose(self._lost(frames, device_time.inputBufferAdcTime, flags.input_overflow))
            ring.write(block)

        self._heard_to = None
        try:
            with quiet():
                self._stream = self._sounddevice.InputStream(
                    samplerate=self.sample_rate,
                    blocksize=round(BLOCK_S * self.sample_rate),
                    device=device.number,
                    channels=self.channels,
                    dtype="float32",
                    latency=LATENCY_S,
                    callback=take,
                )
                self._stream.start()
        except self._sounddevice.PortAudioError as error:
            self._close()
            raise AudioError(why_not_opened(device, error)) from error
        self._device = device

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
            self._stream = None

    def _lost(self, frames: int, device_time: float, overflow: bool) -> int:
        """Frames lost before a block that begins at ``device_time``, the device's own clock. In the callback."""
        now, lost = time.monotonic(), 0
        if not self._is_back:
            lost = round((now - self._heard_at) * self.sample_rate) - frames
            self._is_back = True
        elif overflow:
            self.overflows += 1
            # Not every driver tells the time.
            lost = 0 if self._heard_to is None else round((device_time - self._heard_to) * self.sample_rate)
            self._loss_unknown |= lost <= 0
        self._blocks += 1
        self._heard_at = now
        self._heard_to = device_time + frames / self.sample_rate
        return lost

    def _watch(self, ring: AudioRing) -> None:
        """Looks after the device until it is gone for good. In the microphone's own thread."""
        silent_looks = known_blocks = 0
        warned = False
        while not self._stopping.wait(LOOK_S):
            # Looks are counted, not seconds: where the whole program stood still, the device did not.
            silent_looks = 0 if self._blocks > known_blocks else silent_looks + 1
            known_blocks = self._blocks
            if self._loss_unknown and not warned:
                warned = True
                self._warn(f"{self.name}: the system lost samples and does not say how many; times may be too early")
            if not self._stream.active or silent_looks >= SILENT_LOOKS:
                if not self._find_again(ring):
                    return
                silent_looks = 0

    def _find_again(self, ring: AudioRing) -> bool:
        """Gets a device back that is gone; False if the time for it is over."""
        self._warn(f"{self.name}: the microphone is gone; looking for it for {self._patience_s:.0f} s")
        self._is_back = False
        self._close()
        self._is_back = False  # again: it may have come back while it was closed
        until = time.monotonic() + self._patience_s
        while time.monotonic() < until:
            if self._stopping.wait(RETRY_S):
                return False
            if self._reopens(ring):
                self._warn(f"{self.name}: the microphone is back")
                return True
        self.error = AudioError(
            f"{self.name}: the microphone is gone and did not come back within {self._patience_s:.0f} s; "
            "plug it in and start again"
        )
        return False

    def _reopens(self, ring: AudioRing) -> bool:
        """Whether the device, or the default if none was named, can be opened and brings something."""
        try:
            self._open(self._same_device(), ring)
        except (AudioError, self._sounddevice.PortAudioError):
            self._list_devices_anew()
            return False
        for _ in range(SILENT_LOOKS):
            if self._is_back:
                return True
            if self._stopping.wait(LOOK_S):
                break
        self._close()
        return False

    def _same_device(self) -> InputDevice:
        if self._wanted is None:
            return find_device(None)
        # Numbers change when devices come and go.
        same = [device for device in input_devices() if device[1:3] == self._device[1:3]]
        return same[0] if same else self._device

    def _list_devices_anew(self) -> None:
        """PortAudio lists devices only when it starts; sounddevice has no public way to start it again."""
        try:
            with quiet():
                self._sounddevice._terminate()
                self._sounddevice._initialize()
        except self._sounddevice.PortAudioError:
            pass  # the next try will tell
