"""parallel_simple of control files: one process a machine, a folder each, and what each call returned or why not."""

from __future__ import annotations

import dataclasses
import os
import time

import pytest

from autotest import errors
from autotest.client import keyval
from autotest.host_info import HostInfo
from autotest.server import parallel
from autotest.server.job import ServerJob


@pytest.fixture
def pair(server_job):
    """A job on the machines m1 and m2, whose leases are 11 and 12."""
    hosts = (HostInfo("m1"), HostInfo("m2"))
    told = dataclasses.replace(server_job.job_file, hosts=hosts, token=11, tokens=(11, 12))
    return ServerJob(server_job.folder, told)


def log_of(job, name):
    return (job.folder / name / "status.log").read_text()


def test_each_machine_has_a_process_and_a_folder_of_its_own(pair):
    def work(machine):
        pair.record("GOOD", "", "hello", f"from {machine}")
        return [machine, os.getpid(), pair.job_file.token, pair.resultdir]

    first, second = parallel.simple(pair, work, ["m1", "m2"], return_results=True)

    assert [first[0], second[0]] == ["m1", "m2"]
    assert len({first[1], second[1], os.getpid()}) == 3
    assert [first[2], second[2]] == [11, 12]
    assert [first[3], second[3]] == [str(pair.folder / name) for name in ("m1", "m2")]
    for name in ("m1", "m2"):
        assert f"from {name}" in log_of(pair, name)
        assert (pair.folder / name / "debug" / "autoserv.DEBUG").is_file()
        assert keyval.read(str(pair.folder / name)) == {"hostname": name, "status_version": 1}
    assert pair.job_file.token == 11


def test_a_second_call_goes_on_in_the_same_folders(pair):
    for word in ("one", "two"):
        parallel.simple(pair, lambda machine, word=word: pair.record("GOOD", "", word), ["m1", "m2"])
    assert [line.split("\t")[2] for line in log_of(pair, "m1").splitlines()] == ["one", "two"]


def test_a_call_that_raises_is_named(pair):
    # Vector S8.
    def work(machine):
        if machine == "m2":
            raise RuntimeError("broken")
        return 7

    with pytest.raises(errors.JobAborted, match="One or more subcommands failed:\nm2: broken"):
        parallel.simple(pair, work, ["m1", "m2"])
    value, problem = parallel.simple(pair, work, ["m1", "m2"], return_results=True)
    assert value == 7
    assert isinstance(problem, errors.JobAborted)
    assert "m2: broken" in str(problem)


def test_tests_that_fail_in_a_process_are_counted(pair):
    parallel.simple(pair, lambda machine: pair.run_test("sleep", lambda: 1 / 0), ["m1", "m2"])
    assert pair.failed_tests == 2


def test_a_single_machine_is_served_in_this_process(pair):
    seen = []
    assert parallel.simple(pair, seen.append, ["m1"]) is None
    assert seen == ["m1"]
    assert not (pair.folder / "m1").exists()
    with pytest.raises(ZeroDivisionError):
        parallel.simple(pair, lambda machine: 1 / 0, ["m1"])
    (problem,) = parallel.simple(pair, lambda machine: 1 / 0, ["m1"], return_results=True)
    assert isinstance(problem, ZeroDivisionError)


def test_without_machines_nothing_happens(pair):
    assert parallel.simple(pair, print, []) is None
    assert parallel.simple(pair, print, [], return_results=True) == []


def test_without_a_log_the_folder_is_the_jobs_own(pair):
    parallel.simple(pair, lambda machine: pair.record("GOOD", "", machine), ["m1", "m2"], log=False)
    assert sorted(line.split("\t")[2] for line in (pair.folder / "status.log").read_text().splitlines()) == ["m1", "m2"]
    assert not (pair.folder / "m1").exists()


def test_who_is_not_done_in_time_is_ended(pair):
    def work(machine):
        if machine == "m2":
            time.sleep(60)

    with pytest.raises(errors.JobAborted, match=r"m2: not done after 0\.1 s"):
        parallel.simple(pair, work, ["m1", "m2"], timeout=0.1)


def test_what_no_process_can_hand_over_is_a_failure(pair):
    _, problem = parallel.simple(
        pair, lambda machine: 1 if machine == "m1" else object(), ["m1", "m2"], True, None, True
    )
    assert "cannot be handed over" in str(problem)


@pytest.mark.parametrize("name", ["../evil", "/etc", "..", "a/b", ".hidden"])
def test_a_machine_that_would_name_another_folder_is_refused(pair, name):
    with pytest.raises(ValueError, match="is no hostname"):
        parallel.simple(pair, print, ["m1", name])
