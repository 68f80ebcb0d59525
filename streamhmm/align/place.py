"""Where in the text a stream is right now, before anything is decided."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.align.events import Position
from streamhmm.align.topology import Topology
from streamhmm.online import Survivors

LEAST_FRAMES = 3.0
"""So long at least a phone is expected to go on."""


def place_of_state(topology: Topology) -> Tensor:
    """(S,) the word of each state, and in what lies between words the word before; −1 before the first."""
    return topology.word_of_state.cummax(0).values


def phones_left(topology: Topology) -> Tensor:
    """(S,) phones of its word that follow the phone of each state; −1 outside words.

    Pronunciations stand one behind the other in the order of the states, and the last phone of each leaves the word:
    so a phone's followers are those up to the next one that begins the word.
    """
    words = [phone.word for phone in topology.phones]
    left = [0] * len(words)
    first_states = _first_states(topology)
    begins = topology.begins_word[first_states].tolist()
    for phone in range(len(words) - 2, -1, -1):
        if words[phone + 1] == words[phone] and not begins[phone + 1]:
            left[phone] = left[phone + 1] + 1
    table = torch.tensor([*left, -1, -1])  # −1 and −2 index the last two
    return table[topology.phone_of_state]


def _first_states(topology: Topology) -> Tensor:
    """(P,) first state of each phone."""
    states = torch.arange(len(topology.phone_of_state))
    first = torch.full((len(topology.phones),), len(states), dtype=torch.int64)
    spoken = topology.phone_of_state >= 0
    return first.scatter_reduce(0, topology.phone_of_state[spoken], states[spoken], "amin")


class Places:
    """What a topology's states say of the reader's place: ``place`` (S,) and phones ``left`` (S,), see above."""

    def __init__(self, topology: Topology) -> None:
        self.place = place_of_state(topology)
        self._phone = topology.phone_of_state
        self.left = phones_left(topology)
        first = topology.begins_word.nonzero()[:, 0].flip(0)  # of several pronunciations the first is written last
        phones = torch.zeros(int(topology.word_of_state.max()) + 1, dtype=torch.int64)
        phones[topology.word_of_state[first]] = self.left[first] + 1
        self._phones_of_word = phones.tolist()

    def position(self, survivors: Survivors, path: Tensor, unheard: float, pace: float) -> Position:
        """The word that a path has come to.

        Args:
            survivors: of the decoder.
            path: (m,) its newest states.
            unheard: frames between the newest one decoded and the newest sample: the reader has gone on.
            pace: frames that this reader's phones last.
        """
        if len(survivors.states) == 0:
            return Position(-1, 0.0)
        places, weights = self.place[survivors.states], survivors.scores.softmax(0)
        state = path[-1] if len(path) > 0 else survivors.states[weights.argmax()]
        index = int(self.place[state])
        confidence = float(weights[places == index].sum())
        left = int(self.left[state])
        if left >= 0:
            rest = max(pace - self._frames_in_phone(path), LEAST_FRAMES) + left * pace
            while unheard > rest and index < len(self._phones_of_word) - 1:
                index += 1
                rest += self._phones_of_word[index] * pace
        return Position(index, confidence)

    def _frames_in_phone(self, path: Tensor) -> int:
        phones = self._phone[path]
        return 0 if len(phones) == 0 else int((phones == phones[-1]).flip(0).long().cumprod(0).sum())
