"""Tests of autotest.server.autoserv, parallel and the command: what a results folder holds before and after."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from autotest.client import keyval
from autotest.client.exit_file import ExitFile
from autotest.host_info import HostInfo
from autotest.job_file import JobFile, StepOutcome
from autotest.server import autoserv, parallel
from autotest.server.command import autoserv as command
from autotest.states import Step


def write(folder, control="pass\n", *hosts, **rest):
    JobFile(Step.RUN_TEST, hosts, control_file=control, control_type="server", user="bob", **rest).write(folder)
    return folder


def test_a_run_leaves_what_the_ledger_reads(tmp_path):
    host = HostInfo("h1", frozenset({"board:pi 4", "b,c"}), platform="pi4")

    assert autoserv.run_folder(write(tmp_path, "pass\n", host, name="nightly")) == 0

    assert StepOutcome.read(tmp_path) == StepOutcome(True)
    assert (tmp_path / "status.log").read_text() == ""
    assert (tmp_path / "control.srv").read_text() == "pass\n"
    assert (tmp_path / "host_keyvals/h1").read_text() == "labels=b%2Cc,board%3Api%204\nplatform=pi4\n"
    pairs = keyval.read(str(tmp_path))
    assert set(pairs) == {"job_started", "hostname", "status_version", "user", "label", "drone"}
    assert (pairs["hostname"], pairs["status_version"], pairs["user"], pairs["label"]) == ("h1", 1, "bob", "nightly")
    assert ExitFile.parse((tmp_path / ".autoserv_execute").read_bytes()) == ExitFile(os.getpid(), 0, 0)
    assert (tmp_path / "debug/autoserv.DEBUG").exists()


def test_the_keyvals_of_the_ledger_are_kept(tmp_path):
    (tmp_path / "keyval").write_text("job_queued=5\nuser=alice\n")
    autoserv.run_folder(write(tmp_path))

    pairs = keyval.read(str(tmp_path))
    assert (pairs["job_queued"], pairs["user"], pairs["status_version"]) == (5, "alice", 1)


def test_s6_an_exception_leaves_its_reason_without_control_characters(tmp_path):
    assert autoserv.run_folder(write(tmp_path, "raise Exception('x\\ty')\n")) == 1

    assert "\tjob_abort_reason=x y\tx        y\n" in (tmp_path / "status.log").read_text()
    assert StepOutcome.read(tmp_path).reason == "Exception: x\ty"
    assert (tmp_path / ".autoserv_execute").read_text().splitlines()[1:] == ["256", "0"]


@pytest.mark.parametrize("trace", ["status.log", ".autoserv_execute", "control.srv"])
def test_a_folder_that_was_used_is_refused_and_stays_as_it_is(tmp_path, trace, capsys):
    (write(tmp_path) / trace).write_text("old")
    before = sorted(path.name for path in tmp_path.iterdir())

    assert autoserv.run_folder(tmp_path) == 1

    assert f"already holds {trace}" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("hostname", ["../up", "a/b", ".hidden", ""])
def test_a_hostname_that_cannot_name_a_file_is_refused(tmp_path, hostname, capsys):
    assert autoserv.run_folder(write(tmp_path, "pass\n", HostInfo(hostname))) == 1
    assert "is no hostname" in capsys.readouterr().err


def test_a_server_control_file_gets_its_names(tmp_path):
    control = """
assert machines == ['h1'] and args == ['one'] and job_labels == ['board:x']
assert issubclass(TestFail, Exception) and error.TestFail is TestFail
assert os.path.isdir(job.resultdir) and hosts.create_host and re and sys and time and logging
assert args_dict == {'seconds': 3, 'job': 'no'} and seconds == 3 and job != 'no'
job.run_test('mine', lambda: None)
"""
    given = {"arguments": ("one",), "args_dict": {"seconds": 3, "job": "no"}}
    folder = write(tmp_path, control, HostInfo("h1"), job_labels=("board:x",), **given)

    assert autoserv.run_folder(folder) == 0, StepOutcome.read(folder)
    assert "END GOOD\tmine\tmine" in (folder / "status.log").read_text()


def test_a_control_file_that_does_not_parse_fails_with_its_line(tmp_path):
    autoserv.run_folder(write(tmp_path, "x = 1\nif:\n"))

    reason = StepOutcome.read(tmp_path).reason
    assert "SyntaxError" in reason
    assert "line 2" in reason


@pytest.mark.parametrize("step", [Step.VERIFY, Step.REPAIR, Step.PROVISION])
def test_a_step_of_one_host_refuses_another_number(tmp_path, step):
    JobFile(step, (HostInfo("h1"), HostInfo("h2"))).write(tmp_path)

    assert autoserv.run_folder(tmp_path) == 1
    assert StepOutcome.read(tmp_path).reason == f"step {step.value} takes one host, not 2"


def test_hosts_in_parallel_have_folders_of_their_own_and_failures_are_named(server_job):
    hosts = (HostInfo("m1"), HostInfo("m2"))
    object.__setattr__(server_job.job_file, "hosts", hosts)

    def work(job, info):
        job.record("INFO", "", "", f"on {info.hostname}")
        if info.hostname == "m2":
            raise RuntimeError("m2 is broken")

    with pytest.raises(Exception, match="One or more subcommands failed:\nm2: m2 is broken"):
        parallel.on_each_host(server_job, work)

    for name in ("m1", "m2"):
        assert f"on {name}" in (server_job.folder / name / "status.log").read_text()
        assert keyval.read(str(server_job.folder / name)) == {"hostname": name, "status_version": 1}
    assert StepOutcome.read(server_job.folder / "m1") == StepOutcome(True)


def invoke(*words):
    return CliRunner().invoke(command, list(map(str, words)))


def test_by_hand_a_server_control_file_runs_and_its_status_is_shown(tmp_path):
    (tmp_path / "control.mine").write_text("job.record('INFO', '', '', 'hello')\n")

    result = invoke("-s", "-r", tmp_path / "out", "-l", "mine", "-a", "one two", tmp_path / "control.mine")

    assert result.exit_code == 0, result.output
    assert "hello" in result.output
    data = json.loads((tmp_path / "out/job.json").read_text())
    assert (data["name"], data["control_type"], data["arguments"]) == ("mine", "server", ["one", "two"])


def test_by_hand_a_failure_is_told_and_a_used_folder_refused(tmp_path):
    (tmp_path / "control").write_text("raise error.TestFail('no way')\n")

    first, second = (invoke("-s", "-r", tmp_path / "out", tmp_path / "control") for _ in range(2))

    assert (first.exit_code, second.exit_code) == (1, 1)
    assert "autoserv: TestFail: no way" in first.output
    assert "already holds a job; choose another results folder" in second.output


def test_by_hand_a_folder_with_a_job_file_runs_as_it_is(tmp_path):
    assert invoke("-q", write(tmp_path)).exit_code == 0
    assert StepOutcome.read(tmp_path).ok


def test_by_hand_the_connection_goes_into_the_host(tmp_path):
    known, key = tmp_path / "known", tmp_path / "key"
    known.touch()
    key.touch()

    words = "--verify -m h2,h1,h1 --ssh-user me --ssh-port 2222 --attribute address=127.0.0.1"
    files = ["--ssh-key", key, "--known-hosts", known, "-r", tmp_path / "out"]
    invoke(*words.split(), "--host-protection", "do_not_repair", *files)

    hosts = json.loads((tmp_path / "out/job.json").read_text())["hosts"]
    assert [host["hostname"] for host in hosts] == ["h1", "h2"]
    attributes = {"user": "me", "port": "2222", "key": str(key), "known_hosts": str(known), "address": "127.0.0.1"}
    assert (hosts[0]["attributes"], hosts[0]["protection"]) == (attributes, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "h1"], "a control file is needed"),
        (["control"], "no machine"),
        (["-m", "h 1", "--verify"], "contains white space"),
        (["-m", "h1", "--verify", "--attribute", "x"], "is not NAME=VALUE"),
        (["-m", "h1", "/no/such/control"], "cannot be read"),
        (["-m", "h1", "--ssh-port", "70000"], "70000"),
    ],
)
def test_by_hand_a_mistake_is_a_usage_error(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = invoke(*words)

    assert result.exit_code == 2
    assert message in result.output
    assert list(tmp_path.iterdir()) == []
