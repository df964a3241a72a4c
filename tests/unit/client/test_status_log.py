"""The status log: what is rendered is parsed back, whatever a message holds."""

from __future__ import annotations

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.client import status_log
from autotest.client.status_log import StatusEntry, StatusLogger

COLUMN = st.text(st.characters(exclude_characters="\t\n\r\v\f"), max_size=20).filter(lambda text: text != "----")
FIELD_NAME = st.text(string.ascii_letters + string.digits + "_.", min_size=1, max_size=12)
MESSAGE = st.text(st.characters(exclude_characters="\t\r\v\f"), max_size=60)
CODE = st.sampled_from(["START", "INFO", *status_log.CODES, *("END " + code for code in status_log.CODES)])
ENTRY = st.builds(StatusEntry, CODE, COLUMN, COLUMN, MESSAGE, st.dictionaries(FIELD_NAME, COLUMN, max_size=8))


@given(ENTRY, st.integers(0, 5))
def test_parse_is_the_inverse_of_render(entry, depth):
    assert StatusEntry.parse(entry.render(depth)) == entry
    assert status_log.depth_of(entry.render(depth).split("\n")[0]) == depth


@given(st.lists(ENTRY, max_size=6), st.integers(0, 3))
def test_a_log_gives_back_every_entry_in_order(entries, depth):
    lines = "".join(entry.render(depth) for entry in entries).split("\n")
    assert list(status_log.read(lines[:-1])) == entries


@given(st.text())
def test_any_line_is_an_entry_or_a_value_error(text):
    try:
        entry = StatusEntry.parse(text)
    except ValueError:
        return
    assert StatusEntry.parse(entry.render()) == entry._replace(
        message=entry.message.translate(dict.fromkeys(b"\r\v\f", " "))
    )


def test_an_empty_message_keeps_its_last_tab():
    assert StatusEntry("GOOD", "", "verify").render() == "GOOD\t----\tverify\t\n"


def test_a_message_that_looks_like_a_field_stays_the_message():
    entry = StatusEntry("FAIL", "t", "t", "rc=1", {"timeout": "4"})
    assert StatusEntry.parse(entry.render()) == entry


def test_tabs_in_a_message_become_eight_blanks_and_its_lines_are_indented_by_two():
    assert StatusEntry("FAIL", "t", "t", "line1\ta\nline2\rx").render(1) == "\tFAIL\tt\tt\tline1        a\n  line2 x\n"


@pytest.mark.parametrize("code", ["PASS", "END START", "END INFO", "", "good"])
def test_an_unknown_code_is_refused(code):
    with pytest.raises(ValueError, match="is not valid"):
        StatusEntry(code).render()


@pytest.mark.parametrize("bad", "\t\n\r\v\f")
@pytest.mark.parametrize("column", ["subdir", "operation", "field"])
def test_a_column_with_a_separator_is_refused(column, bad):
    value = {"fields": {"k": f"a{bad}b"}} if column == "field" else {column: f"a{bad}b"}
    with pytest.raises(ValueError, match="cannot hold it"):
        StatusEntry("GOOD")._replace(**value).render()


@pytest.mark.parametrize("name", ["", "a=b"])
def test_a_field_name_that_cannot_be_read_back_is_refused(name):
    with pytest.raises(ValueError, match="field name"):
        StatusEntry("GOOD", fields={name: "1"}).render()


@pytest.mark.parametrize("line", ["GOOD\ta\tb", "  more", "GOOD\ta\tb\tnot a field\tmessage", "PASS\ta\tb\tc"])
def test_a_line_that_is_no_entry_is_refused(line):
    with pytest.raises(ValueError, match=r"status|continues"):
        StatusEntry.parse(line)


def test_reading_skips_what_is_no_entry():
    lines = ["garbage\n", "  stray\n", "GOOD\ta\tb\tone\n", "  two\n", "\n", "FAIL\ta\tb\tbad\n"]
    assert [(entry.code, entry.message) for entry in status_log.read(lines)] == [("GOOD", "one\ntwo"), ("FAIL", "bad")]


def test_open_groups_are_the_starts_without_an_end():
    log = [
        StatusEntry("START"),
        StatusEntry("START", "a", "a"),
        StatusEntry("END GOOD", "a", "a"),
        StatusEntry("START", "b", "b"),
    ]
    assert [group.subdir for group in status_log.open_groups(log)] == ["", "b"]


class TestStatusLogger:
    def logger(self, folder, **kwargs):
        return StatusLogger(str(folder), clock=lambda: 1700000000.5, **kwargs)

    def test_groups_are_indented_and_the_time_comes_first(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TZ", "UTC")
        log = self.logger(tmp_path)
        log.record(StatusEntry("START"))
        log.record(StatusEntry("START", "t", "t", fields={"timeout": "4"}))
        log.record(StatusEntry("GOOD", "t", "t", "fine"))
        log.record(StatusEntry("END GOOD", "t", "t"))
        log.record(StatusEntry("END GOOD"))
        lines = (tmp_path / "status").read_text().splitlines()
        assert [status_log.depth_of(line) for line in lines] == [0, 1, 2, 1, 0]
        parsed = StatusEntry.parse(lines[1])
        assert list(parsed.fields) == ["timestamp", "localtime", "timeout"]
        assert parsed.fields["timestamp"] == "1700000000"
        assert (tmp_path / "t" / "status").read_text().splitlines() == lines[1:4]
        assert log.depth == 0

    def test_a_given_timestamp_is_kept_and_names_the_local_time(self, tmp_path):
        log = self.logger(tmp_path, name="status.log")
        text = log.record(StatusEntry("GOOD", "", "verify", "", {"timestamp": "0"}))
        assert StatusEntry.parse(text).fields["timestamp"] == "0"
        assert (tmp_path / "status.log").read_text() == text

    def test_an_end_too_many_stays_at_the_left_edge(self, tmp_path):
        log = self.logger(tmp_path)
        log.record(StatusEntry("END GOOD"))
        assert log.depth == 0
        assert not (tmp_path / "status").read_text().startswith("\t")

    def test_an_entry_that_cannot_be_rendered_leaves_log_and_depth_alone(self, tmp_path):
        log = self.logger(tmp_path)
        with pytest.raises(ValueError, match="cannot hold"):
            log.record(StatusEntry("START", "a\tb"))
        assert log.depth == 0
        assert not (tmp_path / "status").exists()

    def test_a_fifo_left_by_a_test_does_not_stop_the_log(self, tmp_path):
        (tmp_path / "t").mkdir()
        os.mkfifo(tmp_path / "t" / "status")
        self.logger(tmp_path).record(StatusEntry("GOOD", "t", "t", "fine"))
        assert "fine" in (tmp_path / "status").read_text()

    def test_a_link_left_by_a_test_is_not_followed(self, tmp_path):
        (tmp_path / "t").mkdir()
        (tmp_path / "t" / "status").symlink_to(tmp_path / "elsewhere")
        self.logger(tmp_path).record(StatusEntry("GOOD", "t", "t", "fine"))
        assert not (tmp_path / "elsewhere").exists()

    def test_text_that_no_encoding_knows_is_written_all_the_same(self, tmp_path):
        self.logger(tmp_path).record(StatusEntry("FAIL", "t", "t", "\ud800 \udcff"))
        assert b"\xef\xbf\xbd \xff\n" in (tmp_path / "status").read_bytes()
