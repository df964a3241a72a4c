"""Vectors V1 to V30, V47 to V51 and V53: what one test leaves behind (test-api-and-hosts.md section 10)."""

from __future__ import annotations

import json

import pytest

from autotest.client import process_tree

PAS = "def run_once(self, **kw):\n    pass\n"
DONE = "completed successfully"


def verdict(code, message=DONE, name="t", subdir=None, start=""):
    """The three lines of one test."""
    where = f"{subdir or name}→{name}"
    return [f"→START→{where}→{start}", f"→→{code}→{where}→{message}", f"→END {code}→{where}→"]


def job(*groups):
    """The lines of a run that ended well."""
    return ["START→----→----→", *(line for group in groups for line in group), "END GOOD→----→----→"]


def raising(method, what):
    return f"def {method}(self, **kw):\n    raise {what}\n"


# (vector, class body, arguments of run_test, code, message)
ONE_TEST = [
    ("V1", PAS, "", "GOOD", DONE),
    ("V2", raising("run_once", "error.TestFail('disk too slow')"), "", "FAIL", "disk too slow"),
    ("V3", raising("run_once", "error.TestError('no tool')"), "", "ERROR", "no tool"),
    ("V4", raising("run_once", "error.TestNAError('no such hw')"), "", "TEST_NA", "no such hw"),
    ("V5", raising("run_once", "error.TestWarn('odd')"), "", "WARN", "odd"),
    ("V6", raising("run_once", "error.TestBug('known')"), "", "BUG", "known"),
    ("V7", raising("run_once", "ValueError('boom')"), "", "FAIL", "Unhandled ValueError: boom"),
    ("V8", PAS + raising("initialize", "ValueError('i')"), "", "ERROR", "Unhandled ValueError: i"),
    ("V9", PAS + raising("setup", "ValueError('s')"), "", "ERROR", "Unhandled ValueError: s"),
    ("V10", PAS + raising("warmup", "ValueError('w')"), "", "FAIL", "Unhandled ValueError: w"),
    ("V11a", PAS + raising("cleanup", "ValueError('c')"), "", "ERROR", "Unhandled ValueError: c"),
    (
        "V11b",
        raising("run_once", "error.TestFail('first')") + raising("cleanup", "ValueError('c')"),
        "",
        "FAIL",
        "first",
    ),
    ("V11c", PAS + raising("cleanup", "ValueError('c')"), "run_cleanup=False", "GOOD", DONE),
    (
        "V14",
        PAS,
        "'red'",
        "ERROR",
        "Unnamed arguments not accepted. Please call job.run_test with named args only",
    ),
    ("V15", PAS, "colour='red'", "GOOD", DONE),
    (
        "V16",
        "def initialize(self):\n    pass\ndef execute(self, a=1):\n    pass\ndef cleanup(self):\n    pass\n",
        "b=2",
        "ERROR",
        "Unhandled AutotestError: Unknown parameter: b",
    ),
    (
        "V21",
        "def run_once(self, **kw):\n    self.write_perf_keyval({'bad key': 1})\n",
        "",
        "FAIL",
        "Unhandled ValueError: Invalid key: bad key{perf}",
    ),
    (
        "V24",
        "def run_once(self, **kw):\n    process.system('exit 3')\n",
        "",
        "ERROR",
        "Command <exit 3> failed, rc=3, Command returned non-zero exit status",
    ),
    (
        "V27",
        "def run_once(self, **kw):\n    os.kill(os.getpid(), signal.SIGSEGV)\n",
        "",
        "ERROR",
        "Test subprocess failed rc=11",
    ),
    (
        "V29",
        "@error.context_aware\ndef run_once(self, **kw):\n    error.context('talking to disk')\n"
        "    raise error.TestFail('no answer')\n",
        "",
        "FAIL",
        "no answer    [context: talking to disk]",
    ),
    (
        "V48",
        "def initialize(self):\n    self.register_after_iteration_hook(self.hook)\n"
        "def hook(self, test):\n    raise error.TestFail('hook says no')\n" + PAS,
        "",
        "FAIL",
        "hook says no",
    ),
    ("V49", "def run_once(self, **kw):\n    self.assert_(1 == 2, 'one is not two')\n", "", "ERROR", "one is not two"),
    ("V50", raising("run_once", "error.TestFail('line1\\ta\\nline2\\nline3')"), "", "FAIL", "line1        a"),
    (
        "V53",
        PAS + "def __init__(self, job, bindir, outputdir):\n    raise ValueError('ctor')\n",
        "",
        "ERROR",
        "Unhandled ValueError: ctor",
    ),
    # What no vector names, and a hostile test does.
    ("exit0", "def run_once(self):\n    os._exit(0)\n", "", "ERROR", "Test subprocess failed rc=0"),
    ("exit3", "def run_once(self):\n    os._exit(3)\n", "", "ERROR", "Test subprocess failed rc=768"),
    ("sys.exit", "def run_once(self):\n    sys.exit(3)\n", "", "FAIL", "Unhandled SystemExit: 3"),
    ("interrupt", raising("run_once", "KeyboardInterrupt('k')"), "", "FAIL", "Unhandled KeyboardInterrupt: k"),
    ("quit", "def run_once(self):\n    self.job.quit()\n", "", "ERROR",
     "job.quit() works in the control file, not inside a test; make it a step"),
    ("mute", "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\n"
     "def run_once(self):\n    raise self.Mute()\n", "", "FAIL",
     "Unhandled Mute: <no text: __str__ of the exception failed>"),
    ("subclass", "class Odd(error.TestWarn):\n    exit_status = 'ODD'\n"
     "def run_once(self):\n    raise self.Odd('x')\n", "", "WARN", "x"),
    ("surrogate", raising("run_once", "error.TestFail('\\ud800')"), "", "FAIL", "\N{REPLACEMENT CHARACTER}"),
    ("fork", "def run_once(self):\n    os.fork()\n", "", "GOOD", DONE),
    ("import", "raise ImportError('gone')\n", "", "ERROR", "Unhandled ImportError: gone"),
    ("no version", "del version\n" + PAS, "", "ERROR",
     "Unhandled AttributeError: 't' object has no attribute 'version'"),
    ("rmtree", "def run_once(self):\n    import shutil\n    shutil.rmtree(self.outputdir)\n", "", "GOOD", DONE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "arguments", "code", "message"), [pytest.param(*row[1:], id=row[0]) for row in ONE_TEST]
)
def test_one_test_leaves_its_verdict(client, body, arguments, code, message):
    client.test("t", body)
    ended = client.run(f"job.run_test('t', {arguments})")
    assert ended.lines == job(verdict(code, message))
    assert ended.code == 0


def test_v1_writes_a_keyval_that_starts_with_the_version_and_no_results_keyval(client):
    client.test("pas")
    client.run("job.run_test('pas')")
    assert client.read("pas/keyval").startswith("version=1\n")
    assert not (client.results / "pas/results/keyval").exists()
    assert client.read("pas/status") == "".join(client.read("status").splitlines(keepends=True)[1:4])


def test_v7_the_traceback_follows_in_two_space_lines(client):
    client.test("t", "def run_once(self):\n    raise ValueError('boom')\n")
    text = client.run("job.run_test('t')").text
    assert "  Traceback (most recent call last):\n" in text
    assert "  ValueError: boom\n" in text


def test_v8_cleanup_is_called_after_a_failed_initialize(client):
    client.test("t", "def initialize(self):\n    raise ValueError('i')\ndef cleanup(self):\n    open('cleaned', 'w')\n")
    client.run(f"import os; os.chdir({str(client.folder)!r}); job.run_test('t')")
    assert (client.folder / "cleaned").exists()


def test_v9_a_failed_setup_is_called_again(client):
    client.test(
        "t",
        "def setup(self):\n    with open(self.bindir + '/log', 'a') as log:\n        log.write('s')\n"
        "    raise ValueError('s')\n",
    )
    client.run("job.run_test('t', tag=1); job.run_test('t', tag=2)")
    assert (client.folder / "tests/t/log").read_text() == "ss"


def test_v12_a_subdir_that_exists_aborts_the_job(client):
    client.test("pas")
    ended = client.run("job.run_test('pas'); job.run_test('pas')")
    reason = "Unhandled TestError: pas already exists; multiple tests cannot run with the same subdirectory"
    assert ended.lines == [*job(verdict("GOOD", name="pas"))[:-1], f"END ABORT→----→----→{reason}"]
    assert ended.code == 1


def test_v13_a_test_that_does_not_exist_is_an_error(client):
    ended = client.run("job.run_test('nosuch')")
    assert ended.lines == job(verdict("ERROR", "nosuch: test does not exist", "nosuch"))


def test_v15_parameters_go_into_the_keyval_and_the_ignored_one_into_the_log(client):
    client.test("t", "def run_once(self):\n    pass\n")
    client.run("job.run_test('t', colour='red')")
    assert "param-colour='red'\n" in client.read("t/keyval")
    assert "parameter colour of t is ignored" in client.read("t/debug/t.WARNING")


def test_v17_tags_make_the_name_and_the_subdir(client):
    client.test("pas")
    ended = client.run("""
        job.run_test('pas', tag='a')
        job.run_test('pas', tag='b', subdir_tag='s')
        job.use_sequence_number = True
        job.run_test('pas')
        job.run_test('pas', tag='z')
    """)
    assert ended.lines == job(
        verdict("GOOD", name="pas.a"),
        verdict("GOOD", name="pas.b", subdir="pas.b.s"),
        verdict("GOOD", name="pas._01_"),
        verdict("GOOD", name="pas.z._02_"),
    )


PER = "def run_once(self, **kw):\n    self.write_perf_keyval({'tput': 10 + self.iteration, 'lat.ms': 1.5})\n"


def test_v18_iterations_count_from_1_and_each_ends_with_an_empty_line(client):
    client.test("per", PER)
    client.run("job.run_test('per', iterations=3)")
    blocks = "".join(f"lat.ms{{perf}}=1.5\ntput{{perf}}={10 + n}\n\n" for n in (1, 2, 3))
    assert client.read("per/results/keyval") == blocks
    assert "param-iterations=3\n" in client.read("per/keyval")


@pytest.mark.parametrize(
    ("constraints", "lines"),
    [
        (
            ["tput > 11", "nosuch > 1"],
            verdict(
                "FAIL",
                "iteration 0:tput > 11: constraint was not met,could not evaluate constraint: nosuch > 1  "
                "iteration 1:could not evaluate constraint: nosuch > 1  ",
                "per",
            ),
        ),
        (["tput > 10", "lat.ms < 2"], verdict("GOOD", name="per")),
    ],
)
def test_v19_constraints_are_checked_in_every_iteration(client, constraints, lines):
    client.test("per", PER)
    assert client.run(f"job.run_test('per', iterations=2, constraints={constraints})").lines == job(lines)


def test_v20_each_level_has_its_keyval(client):
    client.test(
        "t",
        """\
        def run_once(self):
            self.write_test_keyval({'flavor': 'vanilla'})
            self.write_attr_keyval({'mode': 'fast'})
            self.write_perf_keyval({'x': 3})
            self.write_iteration_keyval({'a': 'b'}, {'c': 4})
    """,
    )
    client.run("job.run_test('t', test_attributes={'owner': 'me'})")
    lines = client.read("t/keyval").splitlines()
    assert lines[:3] == ["owner=me", "version=1", "flavor=vanilla"]
    assert [line.split("=")[0] for line in lines[3:]] == [
        "sysinfo-cmdline", "sysinfo-memtotal-in-kb", "sysinfo-phys-mbytes", "sysinfo-uname",
    ]  # fmt: skip
    assert client.read("t/results/keyval") == "mode{attr}=fast\n\nx{perf}=3\n\na{attr}=b\nc{perf}=4\n\n"


def test_v21_an_illegal_key_leaves_an_empty_file(client):
    client.test("t", "def run_once(self):\n    self.write_perf_keyval({'bad key': 1})\n")
    client.run("job.run_test('t')")
    assert (client.results / "t/results/keyval").read_bytes() == b""


def test_v22_hooks_are_called_in_order(client):
    once = ["before_run_once", "run_once", "after_run_once", "postprocess_iteration"]
    first, last = ["initialize", "setup", "warmup"], ["postprocess", "process_failed_constraints", "cleanup"]
    hooks = [*first, "drop_caches_between_iterations", *once, *last]
    body = "".join(f"def {hook}(self):\n    self.log({hook!r})\n" for hook in hooks)
    body += """\
def log(self, text):
    with open(self.outputdir + '/log', 'a') as log:
        log.write(text + ' ')
def __init__(self, *args):
    test.test.__init__(self, *args)
    self.register_before_iteration_hook(lambda me: me.log('before(%d)' % me.iteration))
    self.register_after_iteration_hook(lambda me: me.log('after(%d)' % me.iteration))
"""
    client.test("t", body)
    client.run("job.run_test('t', iterations=2)")
    rounds = [["drop_caches_between_iterations", f"before({n})", *once, f"after({n})"] for n in (1, 2)]
    assert client.read("t/log").split() == [*first, *rounds[0], *rounds[1], *last]


def test_v23_an_execute_of_the_test_receives_the_iterations(client):
    client.test("t", "def execute(self, iterations=1):\n    self.write_perf_keyval({'n': iterations})\n")
    assert client.run("job.run_test('t', iterations=5)").lines == job(verdict("GOOD"))
    assert client.read("t/results/keyval") == "n{perf}=5\n\n"


def test_v24_the_result_of_the_command_follows(client):
    client.test("t", "def run_once(self):\n    process.system('echo out; echo err >&2; exit 3')\n")
    text = client.run("job.run_test('t')").text
    assert "\n  * Command: echo out; echo err >&2; exit 3\n  Exit status: 3\n  Duration: " in text
    assert "\n  stdout:\n  out\n" in text
    assert "\n  stderr:\n  err\n" in text


def test_v25_a_client_that_died_goes_on_with_the_next_step(client):
    client.test("pas")
    client.test("kil", "def run_once(self):\n    os.kill(os.getppid(), signal.SIGKILL)\n")
    control = """
        def step_init():
            job.next_step(a)
            job.next_step(b)
        def a():
            job.run_test('kil')
        def b():
            job.run_test('pas', tag='b')
    """
    assert client.run(control).lines == ["START→----→----→", "→START→kil→kil→"]
    ended = client.resume()
    dead = ["→START→kil→kil→", "→→FAIL→kil→kil→unexpected reboot", "→END FAIL→kil→kil→"]
    assert ended.lines == job(dead, verdict("GOOD", name="pas.b"))
    assert ended.code == 0


def test_v26_a_test_that_outlives_its_timeout_is_ended_with_all_it_started(client):
    client.test("t", "def run_once(self):\n    process.system('echo $$ > %s/pid; exec sleep 30' % self.outputdir)\n")
    ended = client.run("job.run_test('t', timeout=0.4)")
    assert ended.lines == job(verdict("ERROR", "Test timeout expired, rc=15", start="timeout=0.4→"))
    assert int(client.read("t/pid")) not in {one.pid for one in process_tree.processes() if not one.is_dead}


def test_v26_a_test_that_ignores_sigterm_is_killed(client):
    body = "def run_once(self):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    signal.pause()\n"
    client.test("t", body)
    assert "→→ERROR→t→t→Test timeout expired, rc=9" in client.run("job.run_test('t', timeout=0.3)").lines


def test_v28_profile_only_without_profilers_runs_nothing(client):
    client.test("t", "def run_once(self):\n    raise error.TestFail('was run')\n")
    ended = client.run("job.run_test('t', profile_only=True)")
    warning = "→→WARN→----→----→No profilers have been added but profile_only is set - nothing will be run"
    good = verdict("GOOD")
    assert ended.lines == job([good[0], warning, *good[1:]])


def test_v30_a_job_error_ends_everything(client):
    client.test("t", "def run_once(self):\n    raise error.JobError('stop the world')\n")
    ended = client.run("job.run_test('t'); job.run_test('t', tag='second')")
    assert ended.lines == ["START→----→----→", "→START→t→t→", "→END ABORT→t→t→", "END ABORT→----→----→stop the world"]
    assert ended.code == 1


def test_v47_test_length_wins_over_iterations(client):
    client.test(
        "t",
        """\
        ticks = iter(range(100))
        def clock(self):
            return next(self.ticks)
        def run_once(self):
            self.write_perf_keyval({'iteration': self.iteration})
    """,
    )
    assert client.run("job.run_test('t', test_length=3, iterations=9)").lines == job(verdict("GOOD"))
    assert client.read("t/results/keyval") == "iteration{perf}=0\n\n" * 3
    assert "param-test_length=3\n" in client.read("t/keyval")


def test_v50_the_other_lines_of_a_message_follow(client):
    client.test("t", "def run_once(self):\n    raise error.TestFail('line1\\ta\\nline2\\nline3')\n")
    assert "line1        a\n  line2\n  line3\n" in client.run("job.run_test('t')").text


def test_v51_setup_is_called_once_a_version(client):
    body = "def setup(self):\n    with open(self.bindir + '/log', 'a') as log:\n        log.write(str(self.version))\n"
    client.test("t", body)
    client.run("job.run_test('t', tag=1); job.run_test('t', tag=2)")
    assert (client.folder / "tests/t/log").read_text() == "1"
    client.test("t", "version = 2\n" + body)
    client.run()
    assert (client.folder / "tests/t/log").read_text() == "12"


def test_v55_perf_values_make_a_chart(client):
    client.test(
        "t",
        """\
        def run_once(self):
            self.output_perf_value('page load', 5, 'ms', False)
            self.output_perf_value('page load', 7, 'ms', False)
            self.output_perf_value('d', [1, 2], graph='g')
    """,
    )
    client.run("job.run_test('t')")
    chart = json.loads(client.read("t/results/results-chart.json"))
    many = {"type": "list_of_scalar_values", "improvement_direction": "down"}
    assert chart == {
        "page_load": {"summary": {**many, "values": [5.0, 7.0], "units": "ms"}},
        "g": {"d": {**many, "values": [1.0, 2.0], "units": None}},
    }


def test_nothing_of_a_test_stays_in_the_temporary_folder(client):
    client.test("t", "def run_once(self):\n    open(self.tmpdir + '/x', 'w')\n    os._exit(1)\n")
    client.run("job.run_test('t')")
    assert sorted(path.name for path in (client.folder / "tmp").iterdir()) == [".testlock", "t"]
    assert not list((client.results / "debug").glob("error-*"))
