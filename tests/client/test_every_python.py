"""The client as one file does the same on every CPython of this machine."""

from __future__ import annotations

import io
import tarfile

CONTROL = """
    def step_init():
        job.next_step(verdicts)
        job.next_step(perf)
        job.next_step(late)
        job.next_step(turn)
        job.next_step(after)
    def verdicts():
        job.run_test('pas')
        job.run_test('bad')
    def perf():
        job.run_test('per', iterations=2, constraints=['tput > 10'])
    def late():
        job.run_test('slow', timeout=0.2)
    def turn():
        job.set_state('seen', ('a', {1}))
        job.reboot()
    def after():
        job.parallel([job.run_test, 'per'], [job.record, 'INFO', None, str(job.get_state('seen'))])
"""


def lines_of(name, code, message, start=""):
    return [f"→START→{name}→{name}→{start}", f"→→{code}→{name}→{name}→{message}", f"→END {code}→{name}→{name}→"]


def test_a_run_with_every_kind_of_step_reboots_and_goes_on(dut):
    dut.test("pas")
    dut.test("bad", "def run_once(self):\n    raise error.TestFail('disk too slow')\n")
    dut.test("per", "def run_once(self):\n    self.write_perf_keyval({'tput': 10 + self.iteration})\n")
    dut.test("slow", "def run_once(self):\n    signal.pause()\n")
    ended = dut.run(CONTROL, "--reboot-command", "true")
    assert (ended.code, ended.lines[-1]) == (5, "→→GOOD→----→reboot.start→")
    dut.reboot()
    (dut.results / "per").rename(dut.results / "per.before")
    ended = dut.resume()
    reboot = [line for line in ended.lines if line.startswith("→END GOOD→----→reboot→kernel=")]
    done = "completed successfully"
    assert ended.lines == [
        "START→----→----→",
        *lines_of("pas", "GOOD", done),
        *lines_of("bad", "FAIL", "disk too slow"),
        *lines_of("per", "GOOD", done),
        *lines_of("slow", "ERROR", "Test timeout expired, rc=15", "timeout=0.2→"),
        "→START→----→reboot→",
        "→→GOOD→----→reboot.start→",
        *reboot,
        *lines_of("per", "GOOD", done),
        "→INFO→----→('a', {1})→",
        "END GOOD→----→----→",
    ]
    assert (ended.code, len(reboot)) == (0, 1)
    assert dut.read("per.before/results/keyval") == "tput{perf}=11\n\ntput{perf}=12\n\n"
    assert "Warning" not in ended.stderr


def test_a_run_in_the_background_is_started_followed_and_collected(dut):
    dut.test("pas")
    (dut.folder / "control").write_text("job.run_test('pas')")
    run, groups = dut.folder / "run", dut.folder / "groups"
    started = dut.call("start", "--run", str(run), "--groups", str(groups), "--", *dut.arguments())
    assert started.stdout.startswith(b"started "), started.stderr
    *lines, ending = dut.call("follow", "--run", str(run), "--offset", "0").stdout.decode().splitlines()
    assert ending == "AUTOTEST_EXIT:0"
    assert lines == dut.read("status").splitlines()
    assert list(groups.iterdir()) == []
    with tarfile.open(fileobj=io.BytesIO(dut.call("collect", "--run", str(run)).stdout)) as tar:
        assert {"status", "pas/keyval", "pas/status", "control"} <= set(tar.getnames())
