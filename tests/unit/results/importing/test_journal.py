"""The import journal: what is noted is found again, whatever a crash left at its end."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from autotest.results.importing.journal import Entry, Journal

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(["\udcff"]), max_size=20)


@given(st.builds(Entry, TEXT, TEXT, TEXT, TEXT))
def test_parse_is_the_inverse_of_render(entry):
    assert Entry.parse(entry.render()) == entry
    assert entry.render().count(b"\n") == 1


@given(st.binary(max_size=100))
def test_any_line_is_an_entry_or_none(line):
    found = Entry.parse(line)
    assert found is None or Entry.parse(found.render()) == found


def journal_of(path, database="sqlite"):
    return Journal(path / "import.journal", database)


def noted(path, tag, fingerprint):
    journal = journal_of(path)
    journal.add(tag, Path("/old") / tag, fingerprint)
    journal.close()


def test_the_last_line_of_a_tag_counts(tmp_path):
    noted(tmp_path, "7-ann/h1", "a")
    noted(tmp_path, "7-ann/h1", "b")
    assert journal_of(tmp_path).of("7-ann/h1") == Entry("7-ann/h1", "/old/7-ann/h1", "sqlite", "b")
    assert journal_of(tmp_path).of("8-ann/h1") is None


def test_another_database_knows_nothing(tmp_path):
    noted(tmp_path, "7-ann/h1", "a")
    assert journal_of(tmp_path, "mysql").of("7-ann/h1") is None


def test_half_a_line_spoils_no_other(tmp_path):
    noted(tmp_path, "7-ann/h1", "a")
    with (tmp_path / "import.journal").open("ab") as file:
        file.write(b'{"tag": "8-a')
    noted(tmp_path, "9-ann/h1", "c")
    journal = journal_of(tmp_path)
    assert [bool(journal.of(tag)) for tag in ("7-ann/h1", "8-ann/h1", "9-ann/h1")] == [True, False, True]
