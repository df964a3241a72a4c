"""`autotest results parse`: one JSON document a folder, and a clear word for a folder that is none."""

from __future__ import annotations

import json

from click.testing import CliRunner

from autotest.results import command


def run(*arguments):
    return CliRunner().invoke(command.results, ["parse", *map(str, arguments)])


def test_several_folders_give_one_document_a_line(folder):
    path = folder("GOOD|t|t|timestamp=1|fine")

    done = run("--json", path, path)

    assert done.exit_code == 0
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == second
    assert first[1] == {
        "testname": "t",
        "subdir": "t",
        "status": "GOOD",
        "reason": "fine",
        "started_time": None,
        "finished_time": "1970-01-01 00:00:01",
        "attributes": {},
        "iterations": [],
    }


def test_a_bad_folder_is_named_and_the_others_are_printed(folder, tmp_path):
    done = run("--json", tmp_path / "missing", folder("GOOD|t|t|timestamp=1|"))

    assert done.exit_code == 1
    assert f"{tmp_path / 'missing'} is not a readable results folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(json.loads(done.stdout)) == 2


def test_numbers_that_json_has_not_are_words(folder):
    samples = "a{perf}=nan\nb{perf}=inf\nc{perf}=-inf\nd{perf}=1.5\n"
    done = run("--json", folder("GOOD|t|t|timestamp=1|", {"t/results/keyval": samples}))
    assert json.loads(done.stdout)[1]["iterations"][0]["perf"] == {
        "a": "NaN",
        "b": "Infinity",
        "c": "-Infinity",
        "d": 1.5,
    }


def test_people_get_a_table_and_the_oddities_on_stderr(folder):
    done = run(folder(b"GOOD\tt\tt\ttimestamp=x\tred \x1b[31m [bold]\n"))
    assert done.exit_code == 0
    assert "[bold]" in done.stdout
    assert "\x1b[31m" not in done.stdout
    assert "timestamp 'x' is no time; left out" in done.stderr


def test_full_adds_kernels_job_and_oddities(folder):
    found = json.loads(run("--json", "--full", folder("GOOD|t|t|timestamp=1|")).stdout)
    assert set(found) == {"tests", "kernels", "perf_values", "job", "oddities"}
    assert found["job"]["machine"] == "h1"
