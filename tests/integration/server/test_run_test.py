"""run_test against simulated DUTs over real SSH: the whole way, drops, reboots, floods, and what goes wrong."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from nodes.waiting import until

from autotest.client import keyval
from autotest.server.hosts import ssh, wire

GOOD_PAS = [
    "START",
    "»START pas",
    "»»GOOD pas completed successfully",
    "»END GOOD pas",
    "END GOOD",
]


def waiting(dut) -> Path | None:
    return next(iter(dut.root.glob("usr/local/autotest/runs/*/tmp/**/waiting")), None)


def after_waiting(dut, deed: Callable[[], object]) -> threading.Thread:
    """Does *deed* once the test `wait` runs on the DUT."""

    def go() -> None:
        until(lambda: waiting(dut), 20, "the test waits")
        deed()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    return thread


def let_go(dut) -> None:
    place = waiting(dut)
    assert place is not None
    (place.parent / "go").touch()


def test_a_client_test_runs_on_the_dut_and_its_results_come_home(dut, run):
    done = run("run_test", dut.info, control_file="job.run_test('pas')\n", name="pas")

    assert done.exit_status == 0
    assert done.outcome.ok
    assert done.lines == ["INFO", *GOOD_PAS]
    assert (done.folder / "pas/results/seen").read_text() == "yes"
    assert keyval.read(str(done.folder / "pas"))["version"] == 1
    assert keyval.read(str(done.folder))["status_version"] == 1
    assert (done.folder / ".autoserv_execute").read_text().splitlines()[1:] == ["0", "0"]
    assert (done.folder / "host_keyvals" / dut.info.hostname).read_text() == "labels=board%3Asim,pool%3Asuites\n"


def test_a_second_run_sends_nothing_that_is_there_and_leaves_no_run_behind(dut, run):
    run("run_test", dut.info, control_file="job.run_test('pas')\n")
    packages = dut.root / "usr/local/autotest/packages"
    before = {path: path.stat().st_ino for path in packages.iterdir()}

    run("run_test", dut.info, control_file="job.run_test('pas')\n")

    assert {path: path.stat().st_ino for path in packages.iterdir()} == before
    assert list((dut.root / "usr/local/autotest/runs").iterdir()) == []


def test_a_failed_test_is_counted_and_the_step_still_counts_as_done(dut, run):
    done = run("run_test", dut.info, control_file="job.run_test('nosuch')\n")

    assert (done.exit_status, done.outcome.ok, done.outcome.failed_tests) == (0, True, 1)
    assert (done.folder / ".autoserv_execute").read_text().splitlines()[1:] == ["0", "1"]


def test_a_control_file_that_gives_up_fails_the_step_with_its_reason(dut, run):
    done = run("run_test", dut.info, control_file="raise RuntimeError('control is buggy')\n")

    assert done.exit_status == 1
    assert not done.outcome.ok
    assert "control is buggy" in done.outcome.reason
    assert done.lines[1] == "START"
    assert done.lines[2] == "END ABORT Unhandled RuntimeError: control is buggy"
    assert "job_abort_reason=client job was aborted" in (done.folder / "status.log").read_text()


def test_a_reboot_half_way_is_waited_for_and_the_test_after_it_runs(dut, run):
    control = """
def step_init():
    job.next_step('before')
    job.next_step('after')
def before():
    job.run_test('pas', tag='one')
    job.reboot()
def after():
    job.run_test('pas', tag='two')
"""
    before = dut.boot_id

    done = run("run_test", dut.info, control_file=control)

    assert done.outcome.ok, done.outcome
    assert dut.boot_id != before
    shown = [line for line in done.lines if "kernel" not in line]
    assert [line for line in shown if "reboot" in line] == [
        "»START reboot",
        "»»GOOD reboot.start",
        *[line for line in shown if line.startswith(("»END GOOD reboot", "»»GOOD reboot.verify"))],
    ]
    assert shown.index("»END GOOD pas.one") < shown.index("»START reboot") < shown.index("»START pas.two")
    assert shown[-1] == "END GOOD"


def test_a_dropped_connection_is_a_warning_and_no_line_is_lost_or_doubled(dut, run):
    dut.fault("drop", match=" follow ", seconds=0.2, times=1)
    thread = after_waiting(dut, lambda: (until(lambda: dut.commands_met >= 12, 20, "12 commands"), let_go(dut)))

    done = run("run_test", dut.info, control_file="job.run_test('wait')\njob.run_test('pas')\n")
    thread.join()

    assert done.outcome.ok, done.outcome
    warnings = [line for line in done.lines if "Autotest client was disconnected" in line]
    assert len(warnings) == 1
    assert [line for line in done.lines if line not in warnings] == [
        "INFO",
        "START",
        "»START wait",
        "»»GOOD wait completed successfully",
        "»END GOOD wait",
        *GOOD_PAS[1:],
    ]


def test_an_unasked_reboot_fails_the_running_test_and_the_next_step_runs(dut, run):
    control = """
def step_init():
    job.next_step('one')
    job.next_step('two')
def one():
    job.run_test('wait')
def two():
    job.run_test('pas')
"""
    thread = after_waiting(dut, dut.reboot)

    done = run("run_test", dut.info, control_file=control)
    thread.join()

    assert any(line.endswith("FAIL wait unexpected reboot") for line in done.lines), done.lines
    assert "»END GOOD pas" in done.lines
    assert done.lines[-1] == "END GOOD"


def test_a_dut_that_dies_mid_test_ends_in_abort_lines_and_a_reason(dut, run, tmp_path):
    info = dataclasses.replace(dut.info, attributes={**dut.info.attributes, "disconnect_limit": "1"})
    log = tmp_path / "1-run_test" / "status.log"
    thread = after_waiting(
        dut, lambda: (until(lambda: "START\twait" in log.read_text(), 20, "the test is reported"), dut.power_off())
    )

    done = run("run_test", info, control_file="job.run_test('wait')\n")
    thread.join()

    assert done.exit_status == 1
    reason = f"{info.hostname} died during the test and did not come back within 1 s"
    assert done.outcome.reason == reason
    assert f"»END ABORT wait {reason}" in done.lines
    assert f"END ABORT {reason}" in done.lines


@pytest.mark.parametrize(
    ("moment", "warnings"), [(" start ", 1), ("rm -f alive", 1), (" follow ", 1), (" collect ", 0)]
)
def test_a_drop_at_any_moment_costs_a_warning_and_not_the_run(dut, run, moment, warnings):
    dut.fault("drop", match=moment, times=1)

    done = run("run_test", dut.info, control_file="job.run_test('pas')\n")

    assert done.outcome.ok, done.outcome
    assert [line for line in done.lines if not line.lstrip("»").startswith("WARN")] == ["INFO", *GOOD_PAS]
    assert (done.folder / "pas/results/seen").exists()
    assert len([line for line in done.lines if line.lstrip("»").startswith("WARN")]) == warnings


def test_a_dut_that_hangs_mid_test_is_noticed_by_its_silence(dut, run, monkeypatch):
    monkeypatch.setattr(wire, "PING_EVERY_S", 0.5)
    monkeypatch.setattr(ssh, "_PING_LIMIT_S", 0.5)
    info = dataclasses.replace(dut.info, attributes={**dut.info.attributes, "disconnect_limit": "1"})
    thread = after_waiting(dut, lambda: dut.fault("hang"))

    done = run("run_test", info, control_file="job.run_test('wait')\n")
    thread.join()

    assert "silent for" in (done.folder / "status.log").read_text()
    assert done.outcome.reason.startswith(f"{info.hostname} died during the test")


def test_a_dut_that_floods_fails_its_entry_and_is_cut_off(dut, run):
    dut.fault("flood", match=" follow ")

    done = run("run_test", dut.info, control_file="job.run_test('pas')\n")

    assert done.exit_status == 1
    assert dut.info.hostname in done.outcome.reason


def test_a_dut_that_answers_garbage_fails_its_entry(dut, run):
    dut.fault("garbage", match=" start ")

    done = run("run_test", dut.info, control_file="job.run_test('pas')\n")

    assert done.exit_status == 1
    assert f"{dut.info.hostname}: the client did not start" in done.outcome.reason


def test_results_that_cannot_be_collected_are_a_warning(dut, run):
    dut.fault("drop", match=" collect ", bytes=100)

    done = run("run_test", dut.info, control_file="job.run_test('pas')\n")

    assert done.outcome.ok
    assert done.lines[:-1] == ["INFO", *GOOD_PAS]
    assert "were not collected whole" in done.lines[-1]


def test_an_unreachable_dut_fails_its_entry_with_host_and_fact(dut, run):
    dut.power_off()

    done = run("run_test", dut.info, control_file="job.run_test('pas')\n")

    assert done.exit_status == 1
    assert dut.info.hostname in done.outcome.reason
    assert "does not answer SSH" in done.outcome.reason


def test_two_hosts_run_at_once_each_in_a_folder_of_its_own(lab, numbers, run):
    infos = [lab.dut(f"dut{next(numbers)}").info for _ in range(2)]

    done = run("run_test", *infos, control_file="job.run_test('pas')\n")

    assert done.outcome.ok, done.outcome
    for info in infos:
        assert (done.folder / info.hostname / "pas/results/seen").read_text() == "yes"
        assert keyval.read(str(done.folder / info.hostname)) == {"hostname": info.hostname, "status_version": 1}


def test_a_server_control_file_reboots_its_host(dut, run):
    control = "host = hosts.create_host(machines[0])\nhost.reboot()\n"

    done = run("run_test", dut.info, control_file=control, control_type="server")

    assert done.exit_status == 0, done.outcome
    assert done.lines == ["START reboot", "»GOOD reboot.start", "»GOOD reboot.verify", "END GOOD reboot"]
    assert "kernel=" in (done.folder / "status.log").read_text()


def test_a_server_control_file_that_raises_leaves_its_reason(run):
    done = run("run_test", control_file="raise Exception('x\\ty')\n", control_type="server")

    assert done.exit_status == 1
    assert done.lines == ["INFO x        y"]
    assert "job_abort_reason=x y" in (done.folder / "status.log").read_text()
