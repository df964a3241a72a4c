"""`autotest results changes` and `plot`, as somebody calls them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from autotest.results import command


@pytest.fixture
def results(stored, db, monkeypatch, tmp_path):
    """results(*arguments) runs `autotest results` on a database in which gpu's fps fell at the ninth build."""
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path))
    monkeypatch.setenv("AUTOTEST_DATABASE", db)
    for number in range(16):
        level = 60 if number < 8 else 50
        stored.add(f"R1-{number}.0.0", "gpu", perf={"fps": [level + number % 3]})
    stored.add("R1-1.0.0", "disk", board="kevin", perf={"ms": [4]})
    return lambda *arguments: CliRunner().invoke(command.results, arguments)


def test_changes_are_listed_with_the_builds_that_hold_them(results):
    done = results("changes", "--higher-is-better", "fps")
    assert done.exit_code == 0, done.output
    (line,) = (line for line in done.output.splitlines() if line.startswith("gpu"))
    assert {"R1-7.0.0", "R1-8.0.0", "worse", "fps"} <= set(line.split())
    assert "1 of 2 series changed." in done.output
    assert "1 has fewer than 6 builds" in done.output


def test_programs_get_series_and_changes(results):
    done = results("changes", "--json", "--test", "g*", "--board", "eve", "--metric", "fps", "--last", "50")
    (one,) = json.loads(done.stdout)["series"]
    assert len(one["points"]) == 16
    assert [(each["last_before"], each["effect"]) for each in one["changes"]] == [("R1-7.0.0", "changed")]


@pytest.mark.parametrize(("name", "begin"), [("a.svg", b"<svg"), ("a.PNG", b"\x89PNG")])
def test_a_plot_is_written_in_the_format_of_its_name(results, tmp_path, name, begin):
    done = results("plot", "--suite", "bvt", "-o", str(tmp_path / name))
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_bytes().startswith(begin)
    assert "2 series" in done.output


def test_another_format_is_refused_before_anything_is_read(results, tmp_path):
    done = results("plot", "-o", str(tmp_path / "a.pdf"))
    assert done.exit_code == 2
    assert ".svg" in done.output


def test_nothing_measured_says_where_to_look(results):
    done = results("changes", "--test", "nobody")
    assert done.exit_code == 1
    assert "lists the metrics" in str(done.exception)
