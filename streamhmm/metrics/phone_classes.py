"""What kind of sound a phone is, whatever alphabet its label is of: ARPAbet with or without stress, TIMIT's, IPA."""

from __future__ import annotations

import unicodedata

CLASSES = ("stop", "fricative", "affricate", "nasal", "liquid/glide", "vowel", "other")
PAUSE = "pause"
"""What stands beside a phone that no other one touches."""
SILENCES = frozenset(("", "sil", "sp", "pau", "h#", "#h", "#", "_", "epi", "<eps>", "<sil>", "<p:>"))
"""Labels, in lower case, of what is no phone or word although a file may have it as one."""

_ARPABET = {
    "stop": "P B T D K G",
    "fricative": "F V TH DH S Z SH ZH HH",
    "affricate": "CH JH",
    "nasal": "M N NG",
    "liquid/glide": "L R W Y",
    "vowel": "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
}
_TIMIT = {
    "stop": "BCL DCL GCL PCL TCL KCL DX Q",
    "fricative": "HV",
    "nasal": "EM EN ENG NX",
    "liquid/glide": "EL WH",
    "vowel": "AX AX-H AXR IX UX",
}
_IPA = {
    "stop": "p b t d k g ɡ q ɢ ʔ c ɟ ʈ ɖ ɓ ɗ ɠ ʄ ʡ",
    "fricative": "f v θ ð s z ʃ ʒ h ɦ ç ʝ x ɣ χ ʁ ħ ʕ ɸ β ʂ ʐ ɕ ʑ ɬ ɮ",
    "affricate": "ʧ ʤ ʦ ʣ ʨ ʥ",
    "nasal": "m n ŋ ɲ ɳ ɱ ɴ",
    "liquid/glide": "l ɫ r ɹ ɾ ɻ ʀ ʎ ʟ ɭ ɽ j w ʍ ɥ ɰ ʋ",
    "vowel": "a e i o u y ɑ ɒ ɐ æ ɛ ɜ ɝ ə ɚ ɪ ʊ ʌ ɔ ɨ ʉ ø œ ɶ ʏ ɤ ɯ ɵ ɘ ɞ",
}


def _by_label(*tables: dict[str, str]) -> dict[str, str]:
    return {label: kind for table in tables for kind, labels in table.items() for label in labels.split()}


_OF_ARPABET = _by_label(_ARPABET)
_OF_CODE = _by_label(_ARPABET, _TIMIT)
_OF_IPA = _by_label(_IPA)


def phone_key(label: str) -> str:
    """The label as it is compared: of ARPAbet without stress and in capitals, otherwise as it stands."""
    code = label.strip().upper().rstrip("012")
    return code if code in _OF_ARPABET else label.strip()


def phone_class(label: str) -> str:
    """One of ``CLASSES``."""
    stripped = label.strip()
    code = stripped.upper().rstrip("012")
    # A single letter is of ARPAbet in capitals, of IPA otherwise: "R" and "r" are alike, "Y" and "y" are not.
    if code in _OF_CODE and (len(code) > 1 or stripped.isupper()):
        return _OF_CODE[code]
    signs = (sign for sign in unicodedata.normalize("NFC", stripped) if unicodedata.category(sign)[0] not in "MS")
    kinds = [_of_sign(sign) for sign in signs if unicodedata.category(sign) != "Lm"]  # length, aspiration …
    if kinds == ["stop", "fricative"]:
        return "affricate"
    return kinds[0] if len(set(kinds)) == 1 else "other"


def _of_sign(sign: str) -> str:
    return _OF_IPA.get(sign) or _OF_IPA.get(unicodedata.normalize("NFD", sign)[0], "other")


def is_silence(label: str) -> bool:
    """Whether the label says that nobody speaks there."""
    return label.strip().casefold() in SILENCES


def unit_phones(label: str) -> list[str]:
    """The phones of a label that may stand for several: "EH_R" is EH and R, and "EH_R_R" is no more."""
    phones = label.split("_")
    if not all(phone in _OF_ARPABET for phone in phones):
        return [label]
    return [phone for index, phone in enumerate(phones) if index == 0 or phone != phones[index - 1]]
