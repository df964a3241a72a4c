"""`autotest results export`: whose results, which of them, and every format at the command line."""

from __future__ import annotations

import json

import pytest

from autotest.models.tko import TestResult as Result
from autotest.models.tko import TkoJob, TkoJobKeyval
from autotest.results.export import reading

BUILD = "R1-1.0.0"


def names_in(text):
    return [json.loads(line)["test"] for line in text.splitlines()]


def test_a_record_tells_everything_that_is_stored_of_a_result(export, stored):
    number = stored.add(BUILD, "gpu", "WARN", reason="slow", perf={"fps": [60.5, None]}, attributes={"note": "ä"})
    TkoJobKeyval.create(job=TkoJob.get(), key="suite", value="bvt")

    (line,) = export("-f", "jsonl", number).splitlines()

    assert json.loads(line) == {
        "build": f"eve-release/{BUILD}",
        "board": "eve",
        "suite": "bvt",
        "test": "gpu",
        "status": "WARN",
        "reason": "slow",
        "host": "h1",
        "job_id": number,
        "job": None,
        "folder": f"{number}-ann/h1/gpu",
        "started": None,
        "finished": None,
        "attributes": {"note": ["ä"]},
        "keyvals": {"suite": "bvt"},
        "perf": {"fps": [60.5, None]},
    }


def test_a_build_is_named_by_version_or_as_a_whole(export, stored):
    stored.add(BUILD, "here")
    stored.add(BUILD, "there", board="kip")
    stored.add("R1-2.0.0", "elsewhere")

    assert names_in(export("-f", "jsonl", "--build", BUILD)) == ["here", "there"]
    assert names_in(export("-f", "jsonl", "--build", f"kip-release/{BUILD}")) == ["there"]


def test_a_suite_brings_its_children(export, stored):
    suite, child = stored.add(BUILD, "one"), stored.add(BUILD, "two")
    stored.add(BUILD, "stranger")
    TkoJob.update(afe_parent_job_id=suite).where(TkoJob.afe_job_id == child).execute()

    assert names_in(export("-f", "jsonl", "--suite-job", suite)) == ["one", "two"]


def test_retried_results_are_left_out_unless_asked_for(export, stored):
    original = stored.add(BUILD, status="FAIL")
    stored.add(BUILD, retry_of=original)

    assert len(export("-f", "jsonl", "--build", BUILD).splitlines()) == 1
    assert len(export("-f", "jsonl", "--build", BUILD, "--invalid").splitlines()) == 2
    assert len(export("-f", "jsonl", "--build", BUILD, "--invalid", "-w", "status = FAIL").splitlines()) == 1


def test_many_results_come_in_pages_and_each_once(export, stored, monkeypatch):
    monkeypatch.setattr(reading, "_PAGE", 3)
    monkeypatch.setattr(reading, "_JOBS", 2)
    for number in range(8):
        stored.add(BUILD, f"t{number}")
    first = Result.select().first()
    for number in range(8, 16):
        Result.create(test=f"t{number}", job=first.job, machine=first.machine, kernel=first.kernel, status=first.status)

    assert sorted(names_in(export("-f", "jsonl", "--build", BUILD))) == sorted(f"t{number}" for number in range(16))


@pytest.mark.parametrize("form", ["junit", "jsonl", "csv", "html"])
def test_a_file_is_written_as_a_whole_or_not_at_all(export, stored, tmp_path, monkeypatch, form):
    stored.add(BUILD)
    wanted = tmp_path / "out"

    assert export("-f", form, "--build", BUILD, "-o", wanted) == ""
    assert "ping" in wanted.read_text(encoding="utf-8")

    before = wanted.read_bytes()
    monkeypatch.setattr(reading, "_grouped", lambda *_: 1 / 0)
    export("-f", form, "--build", BUILD, "-o", wanted, code=1)
    assert wanted.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["-f", "jsonl"], 2, "name one of JOB, --suite-job and --build"),
        (["-f", "jsonl", "7", "--build", BUILD], 2, "name one of"),
        (["-f", "yaml", "--build", BUILD], 1, "no 'yaml' in autotest.export; known: csv, html, jsonl, junit"),
        (["-f", "csv", "7"], 1, "no results of a job 7 are stored"),
        (["-f", "csv", "7-ann/h1"], 1, "no results are stored under '7-ann/h1'"),
        (["-f", "csv", "--suite-job", "7"], 1, "there is no suite job 7"),
        (["-f", "csv", "--build", "R9"], 1, "no results of a build 'R9' are stored"),
    ],
)
def test_what_is_not_there_is_said(export, arguments, code, told):
    assert told in export(*arguments, code=code)


def test_a_format_of_somebody_else_enters_by_its_entry_point(export, stored, tmp_path, monkeypatch):
    stored.add(BUILD, "ping", "FAIL")
    plug_in = tmp_path / "mine-1.dist-info"
    plug_in.mkdir()
    (plug_in / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (plug_in / "entry_points.txt").write_text("[autotest.export]\nmine = mine_export:write\n")
    (tmp_path / "mine_export.py").write_text(
        "def write(records, title, out):\n"
        "    out.write(title + ''.join(f' {record.test}={record.status}' for record in records))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert export("-f", "mine", "--build", BUILD) == f"Build {BUILD}: results ping=FAIL"
