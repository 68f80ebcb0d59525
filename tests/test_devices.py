"""Which microphones there are, how one is chosen and opened, and what is said when that fails."""

import os
import re
import sys

import pytest
from fake_sounddevice import FakeSoundDevice, PortAudioError, microphone

from streamhmm.audio import devices
from streamhmm.audio.devices import InputDevice, Settings, find_device, find_settings, input_devices
from streamhmm.errors import AudioError

SPEAKER = microphone("Speakers", channels=0)


def plugged(monkeypatch, *given, default=0):
    module = FakeSoundDevice(*given, default=default)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (
            ModuleNotFoundError("No module named 'sounddevice'"),
            "the package sounddevice is missing, which microphones need; pip install 'streamhmm[live]'",
        ),
        (
            OSError("PortAudio library not found"),
            "the library PortAudio is missing, which microphones need; Debian and Ubuntu: apt-get install "
            "libportaudio2; Fedora: dnf install portaudio; macOS: brew install portaudio",
        ),
        (
            PortAudioError("Error initializing PortAudio"),
            "PortAudio can't be started (Error initializing PortAudio); check the system's sound settings",
        ),
    ],
)
def test_what_is_missing_is_named(monkeypatch, raised, message):
    def importing(name):
        assert name == "sounddevice"
        raise raised

    monkeypatch.setattr(devices, "import_module", importing)
    with pytest.raises(AudioError, match=f"^{re.escape(message)}$"):
        find_device(None)


def test_devices_that_record_are_listed_with_their_numbers(monkeypatch):
    plugged(monkeypatch, SPEAKER, microphone("Mic A", 1, 44_100.0), microphone("Mic B", 2, 47_999.6, 1), default=2)
    assert input_devices() == [
        InputDevice(1, "Mic A", "ALSA", 1, 44_100, False),
        InputDevice(2, "Mic B", "JACK", 2, 48_000, True),
    ]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [(None, 2), (1, 1), ("1", 1), ("usb", 1), ("USB Mic", 1), ("hda", 2), ("Monitor", 4), ("monitor of", 5)],
)
def test_a_device_by_number_name_or_part_of_it(monkeypatch, wanted, number):
    names = ["USB Mic", "HDA Intel", "Speakers", "Monitor", "Monitor of HDMI"]
    others = [microphone(name, channels=0 if name == "Speakers" else 2) for name in names]
    plugged(monkeypatch, SPEAKER, *others, default=2)
    assert find_device(wanted).number == number


def test_where_the_system_has_no_default_the_first_is_taken(monkeypatch):
    plugged(monkeypatch, SPEAKER, microphone("A"), microphone("B"), default=-1)
    assert find_device(None).name == "A"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("blue", "there is no microphone 'blue'; there are 1: Mic A (ALSA), 2: Mic B (JACK)"),
        (0, "there is no microphone 0; there are 1: Mic A (ALSA), 2: Mic B (JACK)"),
        ("7", "there is no microphone '7'; there are 1: Mic A (ALSA), 2: Mic B (JACK)"),
        (
            "mic",
            "'mic' fits several microphones; give the number or more of the name: 1: Mic A (ALSA), 2: Mic B (JACK)",
        ),
    ],
)
def test_a_device_that_is_not_there_or_not_alone(monkeypatch, wanted, message):
    plugged(monkeypatch, SPEAKER, microphone("Mic A"), microphone("Mic B", host=1))
    with pytest.raises(AudioError, match=f"^{re.escape(message)}$"):
        find_device(wanted)


@pytest.mark.parametrize("wanted", [None, "mic", 0])
def test_no_device_at_all(monkeypatch, wanted):
    plugged(monkeypatch, SPEAKER, default=-1)
    message = "there is no microphone; plug one in, start the system's sound server, or play a file instead"
    with pytest.raises(AudioError, match=f"^{message}$"):
        find_device(wanted)


NO_RATE, NO_CHANNELS = PortAudioError("Invalid sample rate", -9997), PortAudioError("Invalid number of channels", -9998)


@pytest.mark.parametrize(
    ("channels", "channel", "refused", "expected"),
    [
        (32, None, [], (16_000, 1)),
        (8, None, [(16_000, 1)], (44_100, 1)),
        (8, None, [(16_000, 1), (44_100, 1)], (44_100, 2)),
        (8, None, [(16_000, 1), (44_100, 1), (44_100, 2)], (44_100, 8)),
        (1, None, [(16_000, 1)], (44_100, 1)),
        (8, 2, [], (16_000, 2)),
        (8, 5, [(16_000, 5)], (44_100, 5)),
        (8, 5, [(16_000, 5), (44_100, 5)], (44_100, 8)),
    ],
)
def test_a_device_is_opened_as_it_can_be(monkeypatch, channels, channel, refused, expected):
    module = plugged(monkeypatch, microphone(channels=channels, rate=44_100.0))
    module.refusals = dict.fromkeys(refused, NO_RATE)
    assert find_settings(find_device(None), 16_000, channel) == Settings(*expected)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (
            PortAudioError("Device unavailable", -9985),
            "Mic: the microphone is busy; close the program that uses it, or choose another with --device",
        ),
        (
            PortAudioError("Unanticipated host error", -9999, (0, 5, "nobody")),
            "Mic: the microphone can't be opened (Unanticipated host error); check that it is plugged in and that "
            "this program may use it, or choose another with --device",
        ),
        (
            PortAudioError(),
            "Mic: the microphone can't be opened (); check that it is plugged in and that "
            "this program may use it, or choose another with --device",
        ),
    ],
)
def test_a_device_that_refuses_everything(monkeypatch, refusal, message):
    module = plugged(monkeypatch, microphone(channels=1, rate=48_000.0))
    module.refusals = {(16_000, 1): NO_RATE, (48_000, 1): refusal}
    with pytest.raises(AudioError, match=f"^{re.escape(message)}$"):
        find_settings(find_device(None), 16_000, None)


def test_a_channel_that_a_device_does_not_have(monkeypatch):
    plugged(monkeypatch, microphone(channels=2))
    with pytest.raises(AudioError, match=r"^Mic: there is no channel 3; the microphone's are 1 to 2$"):
        find_settings(find_device(None), 16_000, 3)


def test_what_libraries_print_while_they_try_is_not_seen(monkeypatch, capfd):
    module = plugged(monkeypatch, microphone())

    def printing(*arguments):
        os.write(2, b"Expression 'x' failed in pa_linux_alsa.c\n")

    module.check_input_settings = printing
    find_settings(find_device(None), 16_000, None)
    sys.stderr.write("after")
    sys.stderr.flush()
    assert capfd.readouterr().err == "after"
