"""Which microphones there are, and how one of them can be opened."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from streamhmm.errors import AudioError

_BUSY = -9985  # paDeviceUnavailable
_STDERR = 2
_QUIET = threading.Lock()


class InputDevice(NamedTuple):
    """A device that can record.

    Attributes:
        number: PortAudio's number of it; it changes when devices come and go.
        name: PortAudio's name of it.
        host: what drives it, such as "ALSA".
        channels: the most that it can record.
        sample_rate: its own rate, Hz.
        is_default: the system takes it where none is named.
    """

    number: int
    name: str
    host: str
    channels: int
    sample_rate: int
    is_default: bool


class Settings(NamedTuple):
    """How a device is opened."""

    sample_rate: int
    channels: int


def portaudio() -> Any:
    """The module ``sounddevice``. Raises AudioError with what to install if it, or its library, is missing."""
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise AudioError(
            "the package sounddevice is missing, which microphones need; pip install 'streamhmm[live]'"
        ) from error
    except OSError as error:
        raise AudioError(
            "the library PortAudio is missing, which microphones need; Debian and Ubuntu: apt-get install "
            "libportaudio2; Fedora: dnf install portaudio; macOS: brew install portaudio"
        ) from error
    except Exception as error:  # sounddevice's own, which has no name before it is imported
        raise AudioError(f"PortAudio can't be started ({error}); check the system's sound settings") from error


def input_devices() -> list[InputDevice]:
    """All microphones. Raises AudioError if there is none, or PortAudio is missing."""
    sounddevice = portaudio()
    hosts = [host["name"] for host in sounddevice.query_hostapis()]
    default = sounddevice.default.device[0]
    devices = [
        InputDevice(
            index,
            device["name"],
            hosts[device["hostapi"]],
            device["max_input_channels"],
            round(device["default_samplerate"]),
            index == default,
        )
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]
    if not devices:
        raise AudioError("there is no microphone; plug one in, start the system's sound server, or play a file instead")
    return devices


def find_device(wanted: str | int | None) -> InputDevice:
    """The microphone with this number or with this in its name, upper or lower case; None is the system's default.

    Raises:
        AudioError: there is none, or several.
    """
    devices = input_devices()
    if wanted is None:
        return next((device for device in devices if device.is_default), devices[0])
    fitting = _fitting(devices, wanted)
    if not fitting:
        raise AudioError(f"there is no microphone {wanted!r}; there are {_listed(devices)}")
    if len(fitting) > 1:
        raise AudioError(
            f"{wanted!r} fits several microphones; give the number or more of the name: {_listed(fitting)}"
        )
    return fitting[0]


def find_settings(device: InputDevice, sample_rate: int, channel: int | None) -> Settings:
    """How to open a device: mono at the rate wanted, so that the system converts, else as the device itself wants it.

    Args:
        sample_rate: wanted, Hz.
        channel: the channel that must be among those opened, counted from 1; None if any will do.

    Raises:
        AudioError: the device takes none, or lacks the channel.
    """
    fewest = channel or 1
    if fewest > device.channels:
        raise AudioError(f"{device.name}: there is no channel {channel}; the microphone's are 1 to {device.channels}")
    sounddevice = portaudio()
    own = device.sample_rate
    stereo = max(fewest, min(2, device.channels))
    for rate, channels in ((sample_rate, fewest), (own, fewest), (own, stereo), (own, device.channels)):
        try:
            with quiet():
                sounddevice.check_input_settings(device.number, channels, "float32", None, rate)
        except sounddevice.PortAudioError as error:
            refusal = error
        else:
            return Settings(rate, channels)
    raise AudioError(why_not_opened(device, refusal)) from refusal


def why_not_opened(device: InputDevice, error: Exception) -> str:
    """What the user is told of PortAudio's refusal."""
    if _BUSY in error.args:
        return f"{device.name}: the microphone is busy; close the program that uses it, or choose another with --device"
    reason = str(error.args[0] if error.args else error).removeprefix("Error opening InputStream: ")
    return (
        f"{device.name}: the microphone can't be opened ({reason}); check that it is plugged in and that this program "
        "may use it, or choose another with --device"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps what PortAudio and ALSA print about devices that they try from the terminal."""
    with _QUIET:
        kept = os.dup(_STDERR)
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDERR)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)


def _fitting(devices: list[InputDevice], wanted: str | int) -> list[InputDevice]:
    if isinstance(wanted, int) or wanted.isdecimal():
        return [device for device in devices if device.number == int(wanted)]
    name = wanted.casefold()
    same = [device for device in devices if device.name.casefold() == name]
    return same if len(same) == 1 else [device for device in devices if name in device.name.casefold()]


def _listed(devices: list[InputDevice]) -> str:
    return ", ".join(f"{device.number}: {device.name} ({device.host})" for device in devices)
