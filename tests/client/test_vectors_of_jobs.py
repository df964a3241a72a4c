"""Vectors V31 to V46 and V52: what a control file does (test-api-and-hosts.md section 10)."""

from __future__ import annotations

import json
import subprocess

import pytest

DONE = "completed successfully"
START, END = "START→----→----→", "END GOOD→----→----→"


def good(name, depth=1):
    """The three lines of a test that went well."""
    tabs = "→" * depth
    return [f"{tabs}START→{name}→{name}→", f"{tabs}→GOOD→{name}→{name}→{DONE}", f"{tabs}END GOOD→{name}→{name}→"]


def bad(name, code, message):
    """The three lines of a test that did not."""
    return [f"→START→{name}→{name}→", f"→→{code}→{name}→{name}→{message}", f"→END {code}→{name}→{name}→"]


def aborted(reason):
    return f"END ABORT→----→----→{reason}"


@pytest.fixture(autouse=True)
def two_tests(client):
    client.test("pas")
    client.test("slp")


def test_v31_a_group_is_one_level_deeper_and_gives_its_value_back(client):
    ended = client.run("""
        def g(x=1):
            job.run_test('pas', tag='in%d' % x)
            return 5
        job.set_state('value', job.run_group(g, tag='grp', x=7))
        job.record('INFO', None, 'value', job.get_state('value'))
    """)
    group = ["→START→----→grp→", *good("pas.in7", 2), "→END GOOD→----→grp→"]
    assert ended.lines == [START, *group, "→INFO→----→value→5", END]


def test_v32_a_group_that_fails_ends_the_job(client):
    ended = client.run("def g():\n    raise ValueError('inside')\njob.run_group(g)")
    reason = "Unhandled UnhandledTestError: Unhandled ValueError: inside"
    assert ended.lines == [START, "→START→----→g→", "→END ERROR→----→g→inside", aborted(reason)]
    assert ended.code == 1
    ended = client.run("def g():\n    raise error.TestFail('grp fail')\njob.run_group(g)")
    assert ended.lines == [START, "→START→----→g→", "→END FAIL→----→g→", aborted("Unhandled TestFail: grp fail")]


def test_v33_parallel_tasks_are_logged_one_after_the_other(client):
    ended = client.run("job.parallel([job.run_test, 'pas'], [job.run_test, 'slp'])")
    assert ended.lines == [START, *good("pas"), *good("slp"), END]
    assert not list(client.results.glob("status.*"))
    assert client.read("pas/status").count("\n") == 3


def test_v34_a_failed_test_does_not_fail_its_task_and_quit_does(client):
    ended = client.run("job.parallel([job.run_test, 'nosuch'], [job.quit])")
    lost = bad("nosuch", "ERROR", "nosuch: test does not exist")
    assert ended.lines == [START, *lost, aborted("1 task(s) failed in job.parallel")]
    assert ended.code == 1


def test_a_task_that_raises_or_dies_is_counted_and_its_groups_are_closed(client):
    client.test("kil", "def run_once(self):\n    os.kill(os.getppid(), signal.SIGKILL)\n")
    ended = client.run("""
        def wrong():
            raise ValueError
        job.parallel([job.run_test, 'pas'], [job.run_test, 'kil'], [wrong])
    """)
    dead = bad("kil", "FAIL", "task of job.parallel died")
    assert ended.lines == [START, *good("pas"), *dead, aborted("2 task(s) failed in job.parallel")]
    assert ended.code == 1


def test_tasks_within_tasks_stay_in_order(client):
    ended = client.run("""
        def inner():
            job.parallel([job.run_test, 'pas'], [job.run_test, 'slp'])
        job.parallel([inner], [job.record, 'INFO', None, 'two'])
    """)
    assert ended.lines == [START, *good("pas"), *good("slp"), "→INFO→----→two→", END]


def test_v35_steps_run_in_the_order_of_the_rules(client):
    ended = client.run("""
        def step_init():
            job.next_step(one)
            job.next_step('two', 3)
            job.next_step_append('four')
        def one():
            job.run_test('pas', tag='one')
            job.next_step('oneb')
        def oneb():
            job.run_test('pas', tag='oneb')
        def two(number):
            job.run_test('pas', tag='two%d' % number)
        def four():
            job.run_test('pas', tag='four')
    """)
    names = ("pas.one", "pas.oneb", "pas.two3", "pas.four")
    assert ended.lines == [START, *(line for name in names for line in good(name)), END]


def test_steps_inside_a_step_are_found_again(client):
    ended = client.run("""
        def step_init():
            job.next_step(outer)
            job.next_step(last)
        def outer():
            def step_init():
                job.next_step(inner)
                job.quit()
            def inner():
                job.record('INFO', None, 'inner')
            return locals()
        def last():
            job.record('INFO', None, 'last')
    """)
    assert (ended.code, ended.lines) == (5, [START])
    assert client.resume().lines == [START, "→INFO→----→inner→", "→INFO→----→last→", END]


def test_v36_a_step_that_does_not_apply_is_skipped(client):
    ended = client.run("""
        def step_init():
            job.next_step(a)
            job.next_step(b)
        def a():
            raise error.TestNAError('not here')
        def b():
            job.run_test('pas')
    """)
    assert ended.lines == [START, "→TEST_NA→----→a→not here", *good("pas"), END]
    assert ended.code == 0


def test_v37_a_control_file_that_does_not_apply_ends_well(client):
    ended = client.run("raise error.TestNAError('whole job NA')")
    assert ended.lines == [START, f"→TEST_NA→----→{client.folder / 'control'}→whole job NA", END]
    assert ended.code == 0


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        ("raise RuntimeError('control is buggy')", "Unhandled RuntimeError: control is buggy"),
        ("raise error.TestFail('tf')", "Unhandled TestFail: tf"),
        ("raise TestFail('star')", "Unhandled TestFail: star"),
        ("job.record('PASS', None, 'x', 'y')", "Unhandled ValueError: status code 'PASS' is not valid"),
        ("raise KeyboardInterrupt('k')", "Unhandled KeyboardInterrupt: k"),
        (
            "job.next_step(len)",
            "Unhandled StepError: step 'len' cannot be found again after a restart; define it at the top level",
        ),
        (
            "job.run_test('../../x')",
            "Unhandled TestError: '../../x' is outside the results folder; choose another name or tag",
        ),
        ("job.reboot()", "job.reboot() needs a client started with --reboot-command; nothing is rebooted"),
    ],
    ids=["V39a", "V39b", "star", "V42", "interrupt", "step", "outside", "reboot"],
)
def test_an_exception_of_the_control_file_aborts_the_job(client, control, reason):
    ended = client.run(control)
    assert ended.lines == [START, aborted(reason)]
    assert ended.code == 1


def test_v38_a_syntax_error_aborts_the_job(client):
    ended = client.run("def (")
    assert ended.lines[0] == START
    assert ended.lines[1].startswith(aborted("Unhandled SyntaxError: "))
    assert (len(ended.lines), ended.code) == (2, 1)


def test_v40_the_second_argument_of_a_job_error_names_the_operation(client):
    ended = client.run("raise error.JobError('msg', 'mycmd')")
    text = "('msg', 'mycmd')"
    assert ended.lines == [START, f"→ABORT→----→mycmd→{text}", aborted(text)]
    assert ended.code == 1


def test_v41_a_record_has_its_fields(client):
    ended = client.run("job.record('WARN', None, 'disk', 'getting full', {'pct': '91'})")
    assert ended.lines == [START, "→WARN→----→disk→pct=91→getting full", END]


def test_v43_run_test_says_how_it_went(client):
    client.test("bad", "def run_once(self):\n    raise error.TestFail('x')\n")
    client.test("odd", "def run_once(self):\n    raise error.TestWarn('x')\n")
    client.run("""
        values = [job.run_test('pas'), job.run_test('bad'), job.run_test_detail('odd')]
        print(values + [job.run_test_detail('pas', tag=2)])
    """)
    assert "[True, False, 'WARN', 'GOOD']" in client.run().stdout


PAUSE = """
    def step_init():
        job.next_step(a)
        job.next_step(b)
    def a():
        job.run_test('pas', tag='a')
        job.quit()
    def b():
        job.run_test('pas', tag='b')
"""


def test_v44_a_run_pauses_and_goes_on(client):
    ended = client.run(PAUSE)
    assert (ended.code, ended.lines) == (5, [START, *good("pas.a")])
    ended = client.resume()
    assert (ended.code, ended.lines) == (0, [START, *good("pas.a"), *good("pas.b"), END])
    ended = client.resume()
    assert ended.code == 1
    assert "all done" in ended.stderr


def test_v45_a_reboot_recorded_by_hand(client):
    control = """
        def step_init():
            job.next_step(before)
            job.next_step(after)
        def before():
            job.run_test('pas')
            job.start_reboot()
            job.reboot()
        def after():
            job.end_reboot(None, 'kver', [])
            job.run_test('slp')
    """
    ended = client.run(control, "--reboot-command", "true")
    begun = [START, *good("pas"), "→START→----→reboot→", "→→GOOD→----→reboot.start→"]
    assert (ended.code, ended.lines) == (5, begun)
    client.reboot()
    ended = client.resume()
    assert (ended.code, ended.lines) == (0, [*begun, "→END GOOD→----→reboot→kernel=kver→", *good("slp"), END])
    assert (client.results / "sysinfo" / "boot.0").is_dir()


REBOOT = """
    def step_init():
        job.next_step(before)
        job.next_step(after)
    def before():
        job.set_state('kept', (1, {2}))
        job.reboot()
    def after():
        job.record('INFO', None, 'kept', job.get_state('kept'))
"""
BEGUN = [START, "→START→----→reboot→", "→→GOOD→----→reboot.start→"]


def test_a_reboot_records_itself_and_the_boot_id_is_checked(client):
    marker = client.folder / "rebooted"
    ended = client.run(REBOOT, "--reboot-command", f"mkfifo {marker}")
    assert (ended.code, ended.lines) == (5, BEGUN)
    client.reboot()
    lines = client.resume().lines
    assert lines[3].startswith("→END GOOD→----→reboot→kernel=")
    assert lines[4:] == ["→INFO→----→kept→(1, {2})", END]


def test_a_machine_that_did_not_reboot_aborts_the_job(client):
    client.run(REBOOT, "--reboot-command", "true")
    ended = client.resume()
    problem = "boot id is still boot-1: the machine did not reboot"
    assert ended.lines == [
        *BEGUN, f"→→ABORT→----→reboot.verify→{problem}", f"→END ABORT→----→reboot→{problem}",
        aborted(f"Reboot failed: {problem}"),
    ]  # fmt: skip
    assert ended.code == 1


@pytest.mark.parametrize(
    ("call", "code"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('x')", 1), ("os._exit(7)", 7)]
)
def test_v46_an_exit_in_the_control_file_is_the_exit_of_the_client(client, call, code):
    ended = client.run(call)
    assert (ended.code, ended.lines) == (code, [START])


def test_v52_state_is_copied_both_ways(client):
    ended = client.run("""
        job.set_state('k', [1])
        job.get_state('k').append(2)
        try:
            job.get_state('zz')
        except KeyError:
            job.record('INFO', None, 'state', str((job.get_state('k'), job.get_state('zz', 7))))
    """)
    assert "→INFO→----→state→([1], 7)" in ended.lines


def test_a_run_that_died_between_two_tests_closes_its_groups(client):
    control = """
        def step_init():
            job.next_step(a)
            job.next_step(b)
        def a():
            job.run_group(inner)
        def inner():
            job.parallel([job.record, 'INFO', None, 'task'], [os.kill, os.getpid(), 9])
        def b():
            job.run_test('pas')
    """
    client.run(control)
    with (client.results / "status").open("a") as log:
        log.write("\thalf a li")
    ended = client.resume()
    closed = ["→→ABORT→----→inner→unexpected reboot", "→END ABORT→----→inner→"]
    assert [line for line in ended.lines if "task" not in line] == [
        START,
        "→START→----→inner→",
        *closed,
        *good("pas"),
        END,
    ]


def test_the_control_file_sees_its_arguments_and_names(client):
    control = """
        assert args == job.args == ['a', {'b': 1}]
        assert args_dict == job.args_dict == {'seconds': 3, 'job': 'no', 'deep': [None]}
        assert (seconds, deep) == (3, [None]) and job != 'no'
        assert (job.user, job.hostname, job.tag, job.machines) == ('me', 'rack1-host3', 'default', ['rack1-host3'])
        assert process.system_output('echo hi') == 'hi'
        assert all([os, sys, time, re, logging, error, TestFail, CmdError])
        job.tag = 'other'
        job.push_execution_context('deep')
        job.run_test('pas')
        job.pop_execution_context()
    """
    args = json.dumps(["a", {"b": 1}])
    named = json.dumps({"seconds": 3, "job": "no", "deep": [None]})
    given = ("--args-json", args, "--args-dict-json", named)
    ended = client.run(control, *given, "--user", "me", "--hostname", "rack1-host3")
    assert ended.lines == [START, *good("pas"), END]
    assert (client.results / "deep" / "pas" / "keyval").exists()


def test_a_fresh_run_empties_its_own_results_and_nobody_elses(client):
    client.run("job.run_test('pas')")
    assert client.run("job.run_test('slp')").lines == [START, *good("slp"), END]
    assert not (client.results / "pas").exists()
    for name in ("status", "debug"):
        subprocess.run(["rm", "-r", str(client.results / name)], check=True)
    ended = client.run("job.run_test('pas')")
    assert ended.code == 1
    assert "choose an empty one" in ended.stderr
    assert (client.results / "slp").exists()


def test_a_missing_control_file_is_named(client):
    ended = client.run(None)
    assert (ended.code, ended.lines) == (1, [])
    assert f"control file {client.folder / 'control'} does not exist" in ended.stderr


def test_a_state_that_is_torn_is_named(client):
    client.run(PAUSE)
    (client.folder / "state").write_text('{"client": {"steps"')
    ended = client.resume()
    assert ended.code == 1
    assert "start the run afresh" in ended.text + ended.stderr


def test_tests_beside_the_control_file_are_found_without_being_told(client):
    client.test("pas")
    control = client.folder / "tests" / "pas" / "control"
    control.write_text("job.run_test('pas')")
    results = client.folder / "own"
    done = client.call(
        "run", "--results", str(results), "--control", str(control), "--state", str(client.folder / "st")
    )
    assert done.returncode == 0
    assert "GOOD\tpas\tpas" in (results / "status").read_text()


def test_the_command_line_needs_a_list_of_arguments(client):
    ended = client.run("pass", "--args-json", '{"a": 1}')
    assert ended.code == 1
    assert "give a JSON list" in ended.stderr


def test_the_command_line_needs_an_object_of_arguments_by_name(client):
    for given, hint in {"[1]": "give a JSON object", "{": "give a JSON object"}.items():
        ended = client.run("pass", "--args-dict-json", given)
        assert ended.code == 1
        assert hint in ended.stderr
