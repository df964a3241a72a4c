"""Keyval files: what is written is read back, and what cannot be read is named."""

from __future__ import annotations

import string
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotest.client import keyval

KEY = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=12)
TEXT = st.text(st.characters(exclude_characters="#\n", exclude_categories=["Cs"]), max_size=30)
UNTYPED = TEXT.filter(lambda text: text == text.rstrip(" \t\r\v\f") and not text.replace(".", "", 1).isdigit())
VALUE = st.one_of(UNTYPED, st.integers(0, 10**30), st.floats(0.001, 10**9).map(lambda number: round(number, 3)))


@settings(deadline=None)
@given(st.dictionaries(KEY, VALUE))
def test_read_is_the_inverse_of_append(pairs):
    with tempfile.TemporaryDirectory() as folder:
        keyval.append(folder, pairs)
        assert keyval.read(folder) == pairs


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_harm_when_not_strict(data):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/keyval", "wb") as file:
            file.write(data)
        assert all(isinstance(value, (int, float, str)) for value in keyval.read(folder, strict=False).values())
        keyval.read_iterations(folder)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.dictionaries(KEY, UNTYPED.map(str.strip)), st.dictionaries(KEY, st.floats(allow_nan=False))))
)
def test_read_iterations_is_the_inverse_of_write_iteration(blocks):
    with tempfile.TemporaryDirectory() as folder:
        for attr, perf in blocks:
            keyval.write_iteration(folder, attr, perf)
        expected = [keyval.Iteration(i, *block) for i, block in enumerate(blocks, 1) if any(block)]
        assert keyval.read_iterations(folder) == expected


def read(tmp_path, text, **kwargs):
    (tmp_path / "keyval").write_bytes(text.encode("utf-8", "surrogateescape"))
    return keyval.read(str(tmp_path), **kwargs)


def test_values_are_typed_and_comments_are_cut(tmp_path):
    text = "a=1\nb=2.5\nc=x # note\nd=1.2.3\n\ne=007\nf=-3\ng=.5\nh=3.\ni=1e5\nj= x\nk=a=b\nl=\n# all\n"
    assert read(tmp_path, text) == {
        "a": 1, "b": 2.5, "c": "x", "d": "1.2.3", "e": 7, "f": "-3", "g": ".5", "h": "3.", "i": "1e5", "j": " x",
        "k": "a=b", "l": "",
    }  # fmt: skip


def test_the_last_of_two_equal_keys_wins(tmp_path):
    assert read(tmp_path, "a=1\na=2\n") == {"a": 2}


def test_a_missing_file_holds_no_pairs(tmp_path):
    assert keyval.read(str(tmp_path)) == {}
    assert keyval.read_iterations(str(tmp_path)) == []


@pytest.mark.parametrize("line", [" a=1", "a b=1", "nothing", "a{attr}=1", "\u0663\u00e9=1"])
def test_a_bad_line_is_an_error_or_skipped(tmp_path, line):
    with pytest.raises(ValueError, match="Invalid format line"):
        read(tmp_path, f"{line}\nb=2\n")
    assert read(tmp_path, f"{line}\nb=2\n", strict=False) == {"b": 2}


def test_bytes_that_are_not_utf8_survive(tmp_path):
    pairs = read(tmp_path, "a=\udcff\rb\n")
    keyval.append(str(tmp_path / "copy"), pairs)
    assert (tmp_path / "copy").read_bytes() == b"a=\xff\rb\n"


def test_digits_beyond_all_measure_stay_text(tmp_path):
    digits = "9" * 5000
    assert read(tmp_path, f"a={digits}.0\n") == {"a": f"{digits}.0"}
    assert str(read(tmp_path, f"b={'x' + digits}\n")["b"]).endswith(digits)


def test_only_ascii_digits_are_numbers(tmp_path):
    assert read(tmp_path, "a=\u0663\n") == {"a": "\u0663"}


def test_keys_are_sorted_within_one_call_and_calls_append(tmp_path):
    keyval.append(str(tmp_path), {"b": 1, "a": None})
    keyval.append(str(tmp_path), {"a": "two\nlines"})
    assert (tmp_path / "keyval").read_text() == "a=None\nb=1\na=two lines\n"


def test_an_illegal_key_is_named_and_the_keys_before_it_are_written(tmp_path):
    with pytest.raises(ValueError, match="Invalid key: bad key"):
        keyval.append(str(tmp_path), {"a": 1, "bad key": 2, "c": 3})
    assert (tmp_path / "keyval").read_text() == "a=1\n"


def test_a_type_tag_filters_and_is_stripped(tmp_path):
    assert read(tmp_path, "a{attr}=x\nb{attr}=2\n", type_tag="attr") == {"a": "x", "b": 2}
    with pytest.raises(ValueError, match="Invalid type tag"):
        keyval.append(str(tmp_path), {}, type_tag="speed")


def test_an_iteration_is_attributes_then_results_then_an_empty_line(tmp_path):
    keyval.write_iteration(str(tmp_path), {"mode": "fast"}, {"x": 3, "lat.ms": 1.5})
    assert (tmp_path / "keyval").read_text() == "mode{attr}=fast\nlat.ms{perf}=1.5\nx{perf}=3\n\n"


def test_empty_blocks_leave_a_gap_in_the_numbers_and_unusable_lines_are_skipped(tmp_path):
    (tmp_path / "keyval").write_text(
        "a{perf}=12.5+-0.5\nplain=1e5\n#c{perf}=8\nx{perf}=1_000\ny{size}=3\nz\n\n\n q{attr}= 6 \nb{perf}=nope\n"
    )
    assert keyval.read_iterations(str(tmp_path)) == [
        keyval.Iteration(1, {}, {"a": 12.5, "a_dev": 0.5, "plain": 100000.0, "#c": 8.0}),
        keyval.Iteration(3, {"q": " 6"}, {}),
    ]


@given(st.dictionaries(KEY, VALUE))
def test_parse_is_the_inverse_of_render(pairs):
    assert keyval.parse(keyval.render(pairs), lambda *line: pytest.fail(str(line))) == pairs


def test_what_is_skipped_is_named_by_its_line():
    skipped = []
    assert keyval.parse(b"a=1\n b=2\nc\n# d\n", lambda *line: skipped.append(line)) == {"a": 1}
    assert skipped == [(2, " b=2"), (3, "c")]


def test_more_pairs_than_any_file_holds_are_not_kept():
    skipped = []
    content = keyval.render({f"k{number}": number for number in range(10)})
    assert len(keyval.parse(content, lambda *line: skipped.append(line), most=8)) == 8
    assert len(skipped) == 2


def test_a_number_that_would_take_for_ever_to_read_is_none():
    blocks = keyval.parse_iterations(b"a=" + b"1" * 1_000_000 + b"\nb=2\n", lambda *_: None)
    assert [block.perf for block in blocks] == [{"b": 2.0}]


@given(st.binary(max_size=200))
def test_no_bytes_make_the_readers_raise(content):
    assert all(isinstance(value, (int, float, str)) for value in keyval.parse(content, lambda *_: None).values())
    assert [block.number for block in keyval.parse_iterations(content, lambda *_: None)] == list(
        range(1, 1 + len(keyval.parse_iterations(content, lambda *_: None)))
    )


@given(st.text(max_size=20))
def test_what_is_made_writable_is_read_back(text):
    told = "x" + keyval.writable(text)
    assert keyval.parse(keyval.render({"k": told}), lambda *_: None) == {"k": told.rstrip()}
