"""parse.log: it tells what was odd, and is written where it belongs or not at all."""

from __future__ import annotations

import datetime

from autotest.results import parser
from autotest.results.parsing import parse_log

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)
ODD = "some|text|with|tabs\nGOOD|t|t|timestamp=1|"


def test_what_was_odd_is_written_and_read_back(folder):
    path = folder(ODD)
    result = parser.read(path)
    assert parse_log.write(path, result, NOW)
    text = (path / "parse.log").read_text()
    assert text.startswith("2026-03-01 12:00:00 status_version 1: 2 tests, 1 line of what was odd\n")
    assert parse_log.parse(text) == result.oddities
    assert parser.read(path) == result


def test_nothing_is_written_where_nothing_is_odd_but_to_correct_it(folder):
    path = folder("GOOD|t|t|timestamp=1|")
    result = parser.read(path)
    assert parse_log.write(path, result, NOW)
    assert not (path / "parse.log").exists()

    (path / "parse.log").write_text("of an older parse\n")
    assert parse_log.write(path, result, NOW)
    assert (path / "parse.log").read_text().endswith("2 tests, nothing odd\n")


def test_a_link_of_that_name_is_not_followed(folder, tmp_path):
    path = folder(ODD)
    (path / "parse.log").symlink_to(tmp_path / "elsewhere")
    assert not parse_log.write(path, parser.read(path), NOW)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_gone_costs_nothing(folder, tmp_path):
    assert not parse_log.write(tmp_path / "gone", parser.read(folder(ODD)), NOW)
