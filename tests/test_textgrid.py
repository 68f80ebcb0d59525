"""TextGrid, held against praatio as an independent reader, and the tiers that every format takes."""

import dataclasses
import re

import pympi
import pytest
from praatio import textgrid as praatio_textgrid
from results import SUFFIXES, small

from streamhmm import formats
from streamhmm.errors import OutputError
from streamhmm.formats import Tiers
from streamhmm.formats.textgrid import read_textgrid
from streamhmm.segment import Segment


def tiers_of(*words, duration=1.0):
    return Tiers(tuple(words), (), (), duration)


def read_back(tmp_path, tiers):
    path = tmp_path / "a.TextGrid"
    formats.save(path, tiers)
    return praatio_textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")


def entries(grid, name):
    return [tuple(entry) for entry in grid.getTier(name).entries]


def test_praatio_reads_what_we_wrote(tmp_path):
    grid = read_back(tmp_path, small())
    assert grid.tierNames == ("words", "phones")
    assert (grid.minTimestamp, grid.maxTimestamp) == (0.0, 1.0)
    assert entries(grid, "words") == [
        (0.0, 0.1, ""),
        (0.1, 0.4, "Hello,"),
        (0.4, 0.5, ""),
        (0.5, 0.75, "O’Neill"),
        (0.75, 1.0, ""),
    ]
    assert entries(grid, "phones") == [
        (0.0, 0.1, ""),
        (0.1, 0.2, "HH"),
        (0.2, 0.4, "OW"),
        (0.4, 0.5, ""),
        (0.5, 0.75, "N"),
        (0.75, 1.0, ""),
    ]


def test_praatio_finds_nothing_to_complain_about(tmp_path):
    for tier in read_back(tmp_path, small()).tiers:
        assert tier.validate("error")
        assert [entry.end for entry in tier.entries[:-1]] == [entry.start for entry in tier.entries[1:]]


def test_round_trip(tmp_path):
    tiers = small()
    formats.save(tmp_path / "a.TextGrid", tiers)

    def bare(segments):
        return tuple(Segment(segment.label, segment.start, segment.end) for segment in segments)

    assert formats.load(tmp_path / "a.TextGrid") == Tiers(bare(tiers.words), bare(tiers.phones), (0, 0, 1), 1.0)


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ('say "hi"', 'say "hi"'),
        ('"', '"'),
        ('"" text = "x"', '"" text = "x"'),
        ("two\nlines", "two lines"),
        (" padded\t", "padded"),
        ("naïve 北京 😀", "naïve 北京 😀"),
        ("xmin = 3", "xmin = 3"),
    ],
)
def test_any_label(tmp_path, label, written):
    tiers = tiers_of(Segment(label, 0.25, 0.5), Segment("next", 0.5, 0.75))
    assert [entry[2] for entry in entries(read_back(tmp_path, tiers), "words")] == ["", written, "next", ""]
    assert [word.label for word in formats.load(tmp_path / "a.TextGrid").words] == [written, "next"]


def test_times_are_rounded_to_microseconds_and_neighbours_still_touch(tmp_path):
    third = 1 / 3
    tiers = tiers_of(Segment("a", 0.0, third), Segment("b", third + 1e-9, 2 * third), duration=2 * third + 1e-8)
    assert entries(read_back(tmp_path, tiers), "words") == [(0.0, 0.333333, "a"), (0.333333, 0.666667, "b")]


def test_times_below_a_tenth_of_a_millisecond(tmp_path):
    tiers = tiers_of(Segment("a", 0.00001, 0.00005), Segment("b", 0.00005, 1e3), duration=1e3)
    assert entries(read_back(tmp_path, tiers), "words") == [
        (0.0, 0.00001, ""),
        (0.00001, 0.00005, "a"),
        (0.00005, 1000.0, "b"),
    ]


def test_empty_tiers(tmp_path):
    assert entries(read_back(tmp_path, tiers_of()), "words") == [(0.0, 1.0, "")]


def test_utf16_and_short_files_are_read(tmp_path):
    formats.save(tmp_path / "a.TextGrid", small())
    text = (tmp_path / "a.TextGrid").read_text(encoding="utf-8")
    (tmp_path / "b.TextGrid").write_text(text, encoding="utf-16")
    grid = praatio_textgrid.openTextgrid(str(tmp_path / "a.TextGrid"), includeEmptyIntervals=True)
    grid.save(str(tmp_path / "c.TextGrid"), format="short_textgrid", includeBlankSpaces=True)
    assert formats.load(tmp_path / "b.TextGrid") == formats.load(tmp_path / "a.TextGrid")
    assert formats.load(tmp_path / "c.TextGrid") == formats.load(tmp_path / "a.TextGrid")


def test_phones_outside_words_and_other_tiers(tmp_path):
    grid = praatio_textgrid.Textgrid(0, 1)
    add = praatio_textgrid.IntervalTier
    grid.addTier(add("Words", [(0.2, 0.6, "a")], 0, 1))
    grid.addTier(add("phones", [(0.0, 0.2, "sil"), (0.2, 0.6, "AH"), (0.6, 1.0, "sil")], 0, 1))
    grid.addTier(praatio_textgrid.PointTier("clicks", [(0.5, "x")], 0, 1))
    grid.save(str(tmp_path / "a.TextGrid"), format="long_textgrid", includeBlankSpaces=True)
    assert formats.load(tmp_path / "a.TextGrid").phone_words == (-1, 0, -1)
    grid.removeTier("phones")
    grid.save(str(tmp_path / "a.TextGrid"), format="long_textgrid", includeBlankSpaces=True)
    assert formats.load(tmp_path / "a.TextGrid") == tiers_of(Segment("a", 0.2, 0.6))
    grid.removeTier("Words")
    grid.addTier(add("speech", [(0.2, 0.6, "a")], 0, 1))
    grid.save(str(tmp_path / "a.TextGrid"), format="long_textgrid", includeBlankSpaces=True)
    with pytest.raises(OutputError, match=r"has no interval tier 'words' or 'phones'; its tiers are \['speech'\]"):
        formats.load(tmp_path / "a.TextGrid")
    expected = tiers_of(Segment("a", 0.2, 0.6))
    assert read_textgrid(tmp_path / "a.TextGrid", words="speech") == expected
    grid.addTier(add("words", [(0.1, 0.6, "b")], 0, 1))
    grid.save(str(tmp_path / "a.TextGrid"), format="long_textgrid", includeBlankSpaces=True)
    assert read_textgrid(tmp_path / "a.TextGrid", words="speech", phones="none") == expected


@pytest.mark.parametrize("content", ["", "hello", "{}", "File type = x\n\n\nxmin = a\nxmax = b\nitem [\nitem [", "3"])
def test_a_damaged_file(tmp_path, content):
    path = tmp_path / "a.TextGrid"
    path.write_text(content)
    with pytest.raises(
        OutputError, match="damaged, or not of the format that its suffix names: not a TextGrid"
    ) as caught:
        formats.load(path)
    assert str(path) in str(caught.value)


def test_a_file_with_impossible_times(tmp_path):
    path = tmp_path / "a.TextGrid"
    formats.save(path, small())
    path.write_text(path.read_text(encoding="utf-8").replace("xmin = 0.5 ", "xmin = 0.9 "), encoding="utf-8")
    with pytest.raises(OutputError, match="ends at or before its start"):
        formats.load(path)


def test_unreadable_files(tmp_path):
    with pytest.raises(OutputError, match=r"can't be read \(No such file or directory\); check the path"):
        formats.load(tmp_path / "no.TextGrid")
    (tmp_path / "a.TextGrid").write_bytes(b"File \xff")
    with pytest.raises(OutputError, match="byte 5 is not utf-8"):
        formats.load(tmp_path / "a.TextGrid")


@pytest.mark.parametrize("path", ["a.praat", "a", "a.TextGrid.bak"])
def test_an_unknown_suffix(path):
    for call in (lambda: formats.save(path, small()), lambda: formats.load(path)):
        with pytest.raises(ValueError, match=rf"the suffix of '{path}' must be one of {SUFFIXES}, got '"):
            call()


def test_the_suffix_in_any_case(tmp_path):
    formats.save(tmp_path / "a.textgrid", small())
    formats.save(str(tmp_path / "a.JSON"), small())
    assert formats.load(tmp_path / "a.JSON") == small()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([Segment("a", 0.2, 0.2)], r"words\[0\] \('a', 0.2 to 0.2 s\) ends at or before its start"),
        ([Segment("a", 0.2, 0.2000004)], "ends at or before its start"),
        ([Segment("a", 0.5, 0.2)], "ends at or before its start"),
        ([Segment("a", 0.1, 0.3), Segment("b", 0.2, 0.4)], r"words\[1\] .* starts before 0.3 s"),
        ([Segment("a", -0.1, 0.3)], r"starts before 0.0 s"),
        ([Segment("a", 0.1, 1.1)], "ends after the recording, which is 1.0 s long"),
        ([Segment("a", float("nan"), 0.5)], "has a time that is not a finite number"),
        ([Segment("a", 0.1, float("inf"))], "has a time that is not a finite number"),
        ([Segment(" ", 0.1, 0.2)], "has an empty label"),
        ([Segment("a", 0.1, 0.2, float("nan"))], "has the score nan, which is not in 0…1"),
        ([Segment("a", 0.1, 0.2, None, -0.1)], "has the standard deviation -0.1, which is not a number from 0 on"),
        ([Segment("a", 0.1, 0.2, None, None, -1.0)], "has the standard deviation -1.0, which is not a number from 0"),
        ([Segment("a", 0.1, 0.2, None, float("nan"))], "has the standard deviation nan, which is not a number from 0"),
        ([Segment("a", 0.1, 0.2, None, 0.0, float("inf"))], "has the standard deviation inf, which is not a number"),
    ],
)
def test_impossible_segments(words, message):
    with pytest.raises(ValueError, match=message):
        tiers_of(*words)
    with pytest.raises(ValueError, match=message.replace("words", "phones")):
        Tiers((), tuple(words), (-1,) * len(words), 1.0)


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_duration(duration):
    with pytest.raises(ValueError, match=f"duration must be a positive number of seconds, got {duration}"):
        tiers_of(duration=duration)


def test_impossible_word_indices():
    phone = Segment("AH", 0.1, 0.2)
    with pytest.raises(ValueError, match=r"phone_words must have one entry a phone \(1\), got 0"):
        Tiers((), (phone,), (), 1.0)
    with pytest.raises(ValueError, match="phone_words must be -1 to 0, got 1"):
        Tiers((Segment("a", 0.1, 0.2),), (phone,), (1,), 1.0)


# Short files, and files of others


def short(tmp_path, tiers, name="short.TextGrid"):
    formats.save(tmp_path / name, tiers, "textgrid-short")
    return tmp_path / name


def test_the_short_form_holds_the_same(tmp_path):
    path = short(tmp_path, small())
    formats.save(tmp_path / "long.TextGrid", small())
    assert path.read_text("utf-8").splitlines()[:8] == [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "0",
        "1",
        "<exists>",
        "2",
        '"IntervalTier"',
    ]
    assert formats.load(path) == formats.load(tmp_path / "long.TextGrid")
    ours, theirs = (
        praatio_textgrid.openTextgrid(str(file), includeEmptyIntervals=True, reportingMode="error")
        for file in (path, tmp_path / "long.TextGrid")
    )
    assert ours == theirs


def test_tiny_times_of_the_short_form(tmp_path):
    tiers = tiers_of(Segment("5e-05", 0.00001, 0.00005), Segment("b", 0.00005, 1e3), duration=1e3)
    path = short(tmp_path, tiers)
    grid = praatio_textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    assert entries(grid, "words") == [(0.00001, 0.00005, "5e-05"), (0.00005, 1000.0, "b")]
    assert formats.load(path) == tiers


@pytest.mark.parametrize("form", ["textgrid", "textgrid-short"])
@pytest.mark.parametrize("duration", [2.5, 2.0])
def test_elan_reads_it(tmp_path, form, duration):
    formats.save(tmp_path / "a.TextGrid", dataclasses.replace(small(), duration=duration), form)
    grid = pympi.TextGrid(str(tmp_path / "a.TextGrid"))
    assert [interval for interval in grid.get_tier("words").get_all_intervals() if interval[2]] == [
        (0.1, 0.4, "Hello,"),
        (0.5, 0.75, "O’Neill"),
    ]
    elan = grid.to_eaf()
    assert elan.get_annotation_data_for_tier("words") == [(100, 400, "Hello,"), (500, 750, "O’Neill")]
    assert elan.get_annotation_data_for_tier("phones") == [(100, 200, "HH"), (200, 400, "OW"), (500, 750, "N")]


OFFSCRIPT = Segment("<off-script>", 0.8, 0.95)


@pytest.mark.parametrize("form", ["textgrid", "textgrid-short"])
def test_off_script_speech_has_a_tier_of_its_own(tmp_path, form):
    path = tmp_path / "a.TextGrid"
    formats.save(path, dataclasses.replace(small(), offscript=(OFFSCRIPT,)), form)
    grid = praatio_textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    assert grid.tierNames == ("words", "phones", "offscript")
    assert entries(grid, "offscript") == [(0.8, 0.95, "<off-script>")]
    assert formats.load(path).offscript == (OFFSCRIPT,)


HEAD = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n'


def grid_of(*tiers, count=None):
    """A short file; a tier is a name and intervals, or a name and points."""
    text = f"{HEAD}{len(tiers) if count is None else count}\n"
    for name, *parts in tiers:
        kind = "TextTier" if parts and len(parts[0]) == 2 else "IntervalTier"
        text += f'"{kind}"\n"{name}"\n0\n1\n{len(parts)}\n'
        text += "".join(f'{" ".join(map(str, times))} "{label}"\n' for *times, label in parts)
    return text


def load_text(tmp_path, text, encoding="utf-8", **options):
    (tmp_path / "a.TextGrid").write_text(text, encoding=encoding)
    return formats.load(tmp_path / "a.TextGrid", **options)


A, AH, UH = (0.2, 0.6, "a"), (0.2, 0.6, "AH"), (0.6, 0.8, "UH")
ONE = Tiers((Segment("a", 0.2, 0.6),), (Segment("AH", 0.2, 0.6), Segment("UH", 0.6, 0.8)), (0, -1), 1.0)


@pytest.mark.parametrize(
    ("words", "phones"),
    [
        ("words", "phones"),
        ("word", "phone"),
        ("Word", "Phone"),
        (" WORDS ", "phonemes"),
        ("anna - words", "anna - phones"),
        ("anna_words", "anna_phones"),
        ("anna-word", "anna-phone"),
        ("anna:words", "anna: phones"),
        ("words@anna", "phones@anna"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_names_of_tiers_in_every_encoding(tmp_path, words, phones, encoding):
    mark = "\ufeff" if encoding[-2:] in ("le", "be") else ""
    text = mark + grid_of(("events", (0.5, "click")), (words, A), (phones, AH, UH), ("notes", (0, 1, "x")), ("empty",))
    assert load_text(tmp_path, text, encoding) == ONE
    assert load_text(tmp_path, text.replace("\n", "\r\n"), encoding) == ONE


def test_speakers_of_one_recording(tmp_path):
    text = grid_of(("anna - words", A), ("anna - phones", AH, UH), ("b. ö - words", (0.1, 0.3, "b")), ("c - notes",))
    with pytest.raises(OutputError, match=r"holds 2 results, choose one by name: 'anna', 'b\. ö'"):
        load_text(tmp_path, text)
    assert load_text(tmp_path, text, name="anna") == ONE
    assert formats.load_all(tmp_path / "a.TextGrid") == {
        "anna": ONE,
        "b. ö": Tiers((Segment("b", 0.1, 0.3),), (), (), 1.0),
    }
    with pytest.raises(OutputError, match=r"holds nothing named 'c'; there is 'anna', 'b\. ö'"):
        load_text(tmp_path, text, name="c")


def test_a_plain_tier_comes_before_those_with_a_name(tmp_path):
    text = grid_of(("old - words", (0.1, 0.3, "b")), ("words", A), ("phones", AH, UH), ("old - phones", UH))
    assert load_text(tmp_path, text) == ONE
    assert formats.load_all(tmp_path / "a.TextGrid") == {"a": ONE}


def test_phones_alone_and_empty_tiers(tmp_path):
    assert load_text(tmp_path, grid_of(("phones", AH))) == Tiers((), (Segment("AH", 0.2, 0.6),), (-1,), 1.0)
    assert load_text(tmp_path, grid_of(("words",), ("phones",))) == Tiers((), (), (), 1.0)
    assert load_text(tmp_path, grid_of(("words", (0, 1, " ")))) == Tiers((), (), (), 1.0)


@pytest.mark.parametrize(
    "label", ["item [1]:", "intervals [2]:", "IntervalTier", "ooTextFile short", "! x", "<exists>"]
)
@pytest.mark.parametrize("form", ["textgrid", "textgrid-short"])
def test_labels_like_the_words_of_the_format(tmp_path, label, form):
    tiers = tiers_of(Segment(label, 0.25, 0.5), Segment(f'"{label}', 0.5, 0.75))
    formats.save(tmp_path / "a.TextGrid", tiers, form)
    assert formats.load(tmp_path / "a.TextGrid") == tiers


def test_comments_and_lines_broken_elsewhere(tmp_path):
    text = grid_of(("words", A)).replace("0.2 ", "! 5 of them\n0.2\n\n").replace('"a"', '"a\nb"')
    assert load_text(tmp_path, text) == tiers_of(Segment("a b", 0.2, 0.6))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "1\n", "not a TextGrid, or not all of it: it ends too early"),
        (grid_of(("words", A), count=2), "it ends too early"),
        (grid_of(("words", A)).replace('"a"', '"a'), "it ends too early"),
        (HEAD.replace("<exists>", "<absent>"), "it has no tiers"),
        (grid_of(("words", A)).replace("IntervalTier", "HarmonyTier"), "there is no kind of tier 'HarmonyTier'"),
        (grid_of(("words", A)).replace("0.2", "x"), "there is '\"a' where a number belongs"),
        (grid_of(("words", A)).replace('"a"', "3"), "there is 3.0 where a quoted text belongs"),
        (HEAD + "1e999", "cannot convert float infinity to integer"),
        (grid_of(("words", (0.2, 0.2, "a"))), "ends at or before its start"),
        (grid_of(("words", (0.2, 2, "a"))), "ends after the recording, which is 1.0 s long"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, text, reason):
    with pytest.raises(OutputError, match=re.escape(reason)):
        load_text(tmp_path, text)
