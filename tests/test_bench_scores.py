"""The bench of scores and warnings: its figures, and that what it plants is what it says."""

from __future__ import annotations

import math
import random
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import planted_errors  # noqa: E402
import scores_statistics  # noqa: E402
from planted_errors import CASES, EVERY, FOREIGN_S, RATE, Planted, Recorded  # noqa: E402
from scores_statistics import Scored  # noqa: E402

# ---- figures


def area_by_pairs(scores: np.ndarray, right: np.ndarray) -> float:
    pairs = [(a, b) for a in scores[right] for b in scores[~right]]
    return sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs)


@pytest.mark.parametrize("values", [2, 5, 1000])
@pytest.mark.parametrize("seed", range(10))
def test_area_under_curve_is_the_share_of_pairs_in_order(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    scores, right = rng.integers(0, values, 40) / values, rng.random(40) < 0.7
    assert scores_statistics.area_under_curve(scores, right) == pytest.approx(area_by_pairs(scores, right))


def test_area_under_curve_of_the_extremes() -> None:
    scores = np.array([0.9, 0.8, 0.2, 0.1])
    assert scores_statistics.area_under_curve(scores, np.array([True, True, False, False])) == 1.0
    assert scores_statistics.area_under_curve(scores, np.array([False, False, True, True])) == 0.0
    assert scores_statistics.area_under_curve(np.full(4, 0.5), np.array([True, False, True, True])) == 0.5
    assert math.isnan(scores_statistics.area_under_curve(scores, np.full(4, True)))
    assert math.isnan(scores_statistics.area_under_curve(scores, np.full(4, False)))


def test_calibration_error_by_hand() -> None:
    scores = np.array([0.0, 0.04, 0.95, 1.0, 0.91, 0.94, 0.5])
    right = np.array([False, True, True, True, True, False, True])
    # bins 0 … 0.1: mean 0.02, half are right; 0.5 … 0.6: 0.5, right; 0.9 … 1: mean 0.95, three of four are right
    expected = (2 * 0.48 + 1 * 0.5 + 4 * 0.2) / 7
    assert scores_statistics.calibration_error(scores, right) == pytest.approx(expected)


def test_honest_scores_have_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    assert scores_statistics.calibration_error(scores, rng.random(200_000) < scores) < 0.005
    assert scores_statistics.calibration_error(np.array([0.5, 0.5]), np.array([True, False])) == 0.0


def test_children_are_counted_apart() -> None:
    words = [Scored(0.9, True, 30), Scored(0.1, False, 16), Scored(0.2, True, 15), Scored(0.6, False, 6)]
    summary = scores_statistics.summarise_scores(words)
    assert {name: (group["words"], group["wrong"]) for name, group in summary.items()} == {
        "all": (4, 2),
        "adults": (2, 1),
        "children": (2, 1),
    }
    areas = [summary[name]["area_under_curve"] for name in ("all", "adults", "children")]
    assert areas == [0.75, 1.0, 0.0]
    assert summary["children"]["calibration_error"] == pytest.approx((0.8 + 0.6) / 2)


def test_warnings_are_counted_by_case_and_by_kind() -> None:
    wrong = [{"a": True, "b": True}, {"a": True, "b": False}, {"a": False, "b": False}, {"a": False, "b": True}]
    right = [{"a": False, "b": False}] * 3 + [{"a": False, "b": True}]
    assert scores_statistics.summarise_warnings(wrong, right) == {
        "cases": 4,
        "flagged": 0.75,
        "precision": 0.75,
        "by_warning": {"a": 0.5, "b": 0.5},
    }
    silent = scores_statistics.summarise_warnings(right[:3], right[:3])
    assert (silent["flagged"], math.isnan(silent["precision"])) == (0.0, True)
    assert math.isnan(scores_statistics.summarise_warnings([], right)["flagged"])


# ---- planted errors

COUNT = 41
UTTERANCES = [
    Recorded(Path(f"{index}.wav"), tuple(f"w{index}_{place}" for place in range(1 + index % 4)), f"s{index}", index)
    for index in range(COUNT)
]
BY_PATH = {utterance.path: utterance for utterance in UTTERANCES}
VOCABULARY = {word for utterance in UTTERANCES for word in utterance.words}


@pytest.fixture(scope="module", params=range(5))
def cases(request: pytest.FixtureRequest) -> dict[str, dict[int, Planted]]:
    """By kind, then by the index of the utterance."""
    found: dict[str, dict[int, Planted]] = defaultdict(dict)
    for case in planted_errors.plant(UTTERANCES, request.param):
        index = UTTERANCES.index(BY_PATH[case.parts[0][0]])
        assert index not in found[case.kind]
        assert case.age == UTTERANCES[index].age
        found[case.kind][index] = case
    return found


def own(index: int) -> tuple[tuple[Path, float | None], ...]:
    return ((UTTERANCES[index].path, None),)


def whole(part: tuple[Path, float | None]) -> list[str]:
    """The words of a part that is a whole recording."""
    path, seconds = part
    assert seconds is None
    return list(BY_PATH[path].words)


def test_each_kind_is_planted_where_it_can_be(cases: dict[str, dict[int, Planted]]) -> None:
    assert set(cases) == set(CASES)
    rare = range(0, COUNT, EVERY)
    for kind in CASES:
        expected = rare if len(cases[kind]) < COUNT else range(COUNT)
        if kind == "word dropped":  # which leaves no text of a single word
            expected = [index for index in expected if len(UTTERANCES[index].words) > 1]
        assert sorted(cases[kind]) == list(expected)
    assert len(cases["right text"]) == len(cases["text of another utterance"]) == len(cases["word replaced"]) == COUNT


def test_right_texts_are_right(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["right text"].items():
        assert (case.parts, case.text, case.word) == (own(index), list(UTTERANCES[index].words), None)


def test_a_text_of_another_utterance_is_that(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["text of another utterance"].items():
        assert (case.parts, case.word) == (own(index), None)
        assert case.text != list(UTTERANCES[index].words)
        assert tuple(case.text) in {utterance.words for utterance in UTTERANCES}


def test_one_word_is_replaced(cases: dict[str, dict[int, Planted]]) -> None:
    kinds = [kind for kind in CASES if kind.startswith("word replaced")]
    places = set()
    for index, case in ((index, case) for kind in kinds for index, case in cases[kind].items()):
        words = list(UTTERANCES[index].words)
        assert case.parts == own(index)
        assert len(case.text) == len(words)
        assert [place for place, word in enumerate(words) if case.text[place] != word] == [case.word]
        assert case.text[case.word or 0] in VOCABULARY
        places.add(case.word)
    assert len(places) > 2


def test_one_word_is_added(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["word added"].items():
        assert case.parts == own(index)
        place = case.word
        assert place is not None
        assert case.text[:place] + case.text[place + 1 :] == list(UTTERANCES[index].words)
        assert case.text[place] in VOCABULARY - {UTTERANCES[index].words[place]}


def test_one_word_is_dropped(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["word dropped"].items():
        words = list(UTTERANCES[index].words)
        assert (case.parts, case.word) == (own(index), None)
        assert case.text in [words[:place] + words[place + 1 :] for place in range(len(words))]


def test_two_sentences_are_both_spoken_and_in_the_text(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["two sentences"].items():
        first, second = case.parts
        assert (first,) == own(index)
        assert case.text == whole(first) + whole(second)
        assert whole(first) != whole(second)


def test_a_sentence_that_is_not_spoken(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["sentence not spoken"].items():
        assert case.parts == own(index)
        words = list(UTTERANCES[index].words)
        assert case.text[: len(words)] == words
        assert tuple(case.text[len(words) :]) in {utterance.words for utterance in UTTERANCES} - {tuple(words)}


def test_a_sentence_that_is_not_in_the_text(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["sentence not in the text"].items():
        first, second = case.parts
        assert (first,) == own(index)
        assert case.text == whole(first) != whole(second)


def test_other_speech_is_neither_of_the_sentences(cases: dict[str, dict[int, Planted]]) -> None:
    for index, case in cases["5 s of other speech"].items():
        first, *foreign, last = case.parts
        assert (first,) == own(index)
        assert case.text == whole(first) + whole(last)
        assert sum(seconds or 0 for _, seconds in foreign) == FOREIGN_S == 5
        paths = [path for path, _ in case.parts]
        assert len(set(paths)) == len(paths)


def test_the_same_seed_plants_the_same() -> None:
    assert planted_errors.plant(UTTERANCES, 3) == planted_errors.plant(UTTERANCES, 3)
    assert planted_errors.plant(UTTERANCES, 3) != planted_errors.plant(UTTERANCES, 4)


def test_the_parts_are_joined(tmp_path: Path) -> None:
    for name, level, seconds in (("a", 0.25, 0.5), ("b", -0.5, 2.0)):
        soundfile.write(tmp_path / f"{name}.wav", np.full(round(seconds * RATE), level), RATE)
    parts = ((tmp_path / "a.wav", None), (tmp_path / "b.wav", 0.75), (tmp_path / "a.wav", 2.5))
    samples, rate = Planted("two sentences", parts, [], 30).audio()
    assert rate == RATE
    expected = np.repeat(np.float32([0.25, -0.5, 0.25]), [RATE // 2, 3 * RATE // 4, RATE // 2])
    assert np.array_equal(samples, expected)
    assert samples.dtype == np.float32


def test_the_table_of_the_speech_is_read(tmp_path: Path) -> None:
    rows = [
        "file\tspeaker\tgender\tage\ttext",
        "test/1.opus\t0003\tm\t6\tMARK'S ELEPHANT",
        'test/2.opus\t4\tf\t31\t"SO',
    ]
    (tmp_path / "test.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert planted_errors.read_speech(tmp_path, "test") == [
        Recorded(tmp_path / "test/1.opus", ("mark's", "elephant"), "0003", 6),
        Recorded(tmp_path / "test/2.opus", ('"so',), "4", 31),
    ]


def test_chance_has_its_own_state() -> None:
    random.seed(7)
    before = random.getstate()
    planted_errors.plant(UTTERANCES, 1)
    assert random.getstate() == before
