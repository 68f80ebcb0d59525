"""Phones of two pronunciations: which belong together, which boundaries can be compared, what kind each is."""

from __future__ import annotations

import pytest

from streamhmm.metrics import CLASSES, pair_phones, phone_class, phone_errors
from streamhmm.metrics.phone_classes import is_silence, phone_key, unit_phones
from streamhmm.segment import Segment


def spans(text: str, step: float = 0.1) -> list[Segment]:
    """Phones of equal length, in a row."""
    return [Segment(label, index * step, (index + 1) * step) for index, label in enumerate(text.split())]


@pytest.mark.parametrize(
    ("label", "phones"),
    [
        ("AH", ["AH"]),
        ("EH_R", ["EH", "R"]),
        ("EH_R_R", ["EH", "R"]),
        ("AO_R_DH", ["AO", "R", "DH"]),
        ("t_h", ["t_h"]),  # X-SAMPA's aspirated t is one phone
    ],
)
def test_unit_phones(label: str, phones: list[str]) -> None:
    assert unit_phones(label) == phones


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ("DH AH", "DH AH", [0, 1]),
        ("DH AH", "DH IY", [0, 1]),  # a vowel for a vowel
        ("AH N D", "AH N", [0, 1, None]),
        ("AH N", "AH N D", [0, 1]),
        ("T AH", "AH", [None, 0]),
        ("AH", "T", [None]),  # never a consonant for a vowel
        ("", "T", []),
        ("T", "", [None]),
        ("K AE T", "k æ t", [0, 1, 2]),  # of another alphabet
    ],
)
def test_pair_phones(one: str, other: str, pairs: list[int | None]) -> None:
    assert pair_phones(one.split(), other.split()) == pairs


def test_errors_of_equal_pronunciations() -> None:
    shifted = [Segment(phone.label, phone.start + 0.01, phone.end + 0.02) for phone in spans("K AE T")]
    errors = phone_errors(spans("K AE T"), shifted)
    assert errors.starts == pytest.approx((0.01,) * 3)
    assert errors.ends == pytest.approx((0.02,) * 3)
    assert (errors.same_label, errors.partners) == (3, (0, 1, 2))


def test_a_boundary_where_the_pronunciations_differ_is_not_compared() -> None:
    errors = phone_errors(spans("AE N D"), spans("AE N"))
    assert errors.starts == pytest.approx((0.0, 0.0, None))
    assert errors.ends == (pytest.approx(0.0), None, None)
    assert errors.partners == (0, 1, None)
    errors = phone_errors(spans("AE N"), spans("AE N D"))
    assert errors.ends == (pytest.approx(0.0), None)


def test_a_unit_goes_from_its_first_to_its_last_phone() -> None:
    unit = [Segment("S", 0.0, 0.1), Segment("EH_R_R", 0.1, 0.35)]
    errors = phone_errors(unit, spans("S EH R"))
    assert errors.starts == pytest.approx((0.0, 0.0))
    assert errors.ends == pytest.approx((0.0, -0.05))
    assert (errors.same_label, errors.partners) == (3, (0, 1))


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("stop", "P t DCL dcl q tʰ ɡ ʔ"),
        ("fricative", "DH S zh HH ʃ ç h f"),
        ("affricate", "CH jh tʃ t͡s dʒ ʧ"),
        ("nasal", "M ng EN ŋ ɲ n̩"),
        ("liquid/glide", "L Y r ɹ j w ɫ el"),
        ("vowel", "AH0 ey1 IH ax-h iː ɑ̃ ə y aɪ"),
        ("other", "spn 7 <unk>"),
    ],
)
def test_phone_class(kind: str, labels: str) -> None:
    assert {phone_class(label) for label in labels.split()} == {kind}
    assert kind in CLASSES


def test_keys_and_silences() -> None:
    assert [phone_key(label) for label in ("ah0", " AH2 ", "tʰ", "sil")] == ["AH", "AH", "tʰ", "sil"]
    assert [is_silence(label) for label in ("SIL", " ", "<eps>", "S", "spn")] == [True, True, True, False, False]
