"""`autotest results parse`: one JSON document a folder, and a clear word for a folder that is none."""

from __future__ import annotations

import json

from click.testing import CliRunner

from autotest.results import command, parser


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


def test_a_bad_folder_is_named_and_the_others_are_printed(folder, tmp_path):  # Q14
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


def test_a_long_reason_is_cut_for_people(folder):
    path = folder(f"GOOD|t1|t1|timestamp=1|{'x' * 5000}")

    shown = run(path)

    assert "(5,000 characters; --json shows all)" in " ".join(shown.stdout.split())
    assert shown.stdout.count("x") < 2500


def test_a_folder_above_job_folders_names_one_of_them(folder, tmp_path):
    path = folder("GOOD|t1|t1|timestamp=1|")

    done = run(tmp_path)

    assert done.exit_code == 1
    assert done.stderr.endswith(f"there is nothing to parse; a job folder below it is {path}\n")


def test_full_without_json_is_a_mistake(folder):
    done = run("--full", folder("GOOD|t1|t1|timestamp=1|"))

    assert (done.exit_code, "--full goes with --json" in done.stderr) == (2, True)


def test_whoever_watches_is_told_of_the_whole_log(folder):
    path = folder("GOOD|t1|t1|timestamp=1|fine\n" * 30_000)
    seen = []

    parser.read(path, watch=seen.append)

    assert sum(seen) == (path / "status.log").stat().st_size
    assert len(seen) > 2
