"""Suite control files that misbehave: each costs one error that names the file, the line and what it did."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from autotest import errors
from autotest.control_file import ControlFile
from autotest.suite import child, runner

from .conftest import PATH, TESTS

CALL = "from autotest.suite import dynamic_suite, library\n"
RUN = "library.run(args_dict)\n"


def failure(decide, body: str, **limits) -> errors.SuiteFileFailed:
    with pytest.raises(errors.SuiteFileFailed) as caught:
        decide(CALL + body, **limits)
    assert caught.value.path == PATH
    assert str(caught.value).startswith(PATH)
    return caught.value


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("args_dict['name'] = 'x'\n", 0, "ends without a call of reimage_and_run"),
        (RUN + RUN, 3, "SuiteArgumentException: reimage_and_run() is called a second time"),
        (RUN + f"try:\n    {RUN}except Exception: pass\n", 2, "calls reimage_and_run() 2 times"),
        ("try:\n    dynamic_suite.reimage_and_run()\nexcept Exception: pass\n", 0, "ends without a call"),
        ("x = 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def fail():\n    raise KeyError('x')\nfail()\n", 3, "KeyError: 'x'"),
        ("import json\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("def (:\n", 2, "SyntaxError: invalid syntax"),
        ("print 'x'\n", 2, "SyntaxError: Missing parentheses"),
        ("x = '\0'\n", 0, "source code string cannot contain null bytes"),
        ("((((" * 10000, 2, "SyntaxError: too many nested parentheses"),
        ("def f(): f()\nf()\n", 2, "RecursionError"),
        ("import sys\nsys.exit(0)\n", 3, "exits (0) instead of coming to its end"),
        ("raise KeyboardInterrupt\n", 2, "KeyboardInterrupt"),
        ("import os\nos._exit(3)\n", 0, "its process ended without an answer: exit code 3"),
        ("import os, signal\nsignal.raise_signal(signal.SIGKILL)\n", 0, "ended without an answer: SIGKILL"),
        ("import faulthandler\nfaulthandler._sigsegv()\n", 3, "its process ended without an answer: SIGSEGV"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n", 4, "E: (it has no text)"),
        ("del args_dict['board']\n" + RUN, 3, "SuiteArgumentException: reimage_and_run() needs board=str"),
        ("library.run(args_dict, library.every(time='soon'))\n", 2, "predicate: time 'soon' is not one of fast"),
        ("library.run(args_dict, library.attributes('a and'))\n", 2, "character 6 of 'a and'"),
        ("library.run(args_dict, 7)\n", 2, "predicate: 7 is not a JSON object"),
        ("library.run(args_dict, lambda test: test.planet)\n", 2, "AttributeError"),
        ("library.run(args_dict, job_keyvals={'a': {1}})\n", 2, "dict that JSON can hold"),
        ("import missing_module\n", 2, "ModuleNotFoundError: No module named 'missing_module'"),
    ],
)
def test_a_file_that_does_not_ask_for_one_suite_is_named_with_its_line(decide, body, line, what):
    failed = failure(decide, body)
    assert what in failed.what
    assert failed.line == line


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("while True: pass\n", 2),
        ("import time\ntime.sleep(1000)\n", 3),
        ("import re\nre.match('(a*)*b', 'a' * 60)\n", 3),
        ("library.run(args_dict, library.name_matches('(l*)*b'))\n", 2),
        ("library.run(args_dict, lambda test: [0 for _ in iter(int, 1)])\n", 2),
        ("import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0)\ntime.sleep(1000)\n", 4),
    ],
    ids=["loop", "sleep", "regex", "predicate of regex", "predicate of code", "alarm switched off"],
)
def test_a_file_that_does_not_end_is_ended(decide, body, line):
    tests = [ControlFile(path="control/l/control", name="l" * 60)]
    failed = failure(decide, body, tests=tests, time_limit_s=0.5)
    assert (failed.line, failed.what) == (line, "did not end within 0.5 s")


def test_a_file_that_switches_off_every_alarm_is_ended_all_the_same(decide, monkeypatch):
    monkeypatch.setattr(runner, "_OVERTIME_S", 0.5)
    body = "import faulthandler, signal, time\nfaulthandler.cancel_dump_traceback_later()\n"
    body += "signal.setitimer(signal.ITIMER_REAL, 0)\ntime.sleep(1000)\n"
    assert failure(decide, body, time_limit_s=0.5).what == "did not end within 0.5 s"


def test_a_file_that_eats_memory_is_stopped(decide):
    failed = failure(decide, "hoard = []\nwhile True:\n    hoard.append(bytearray(10_000_000))\n", memory_mb=200)
    assert (failed.line, failed.what) == (4, "needs more memory than it may have")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("while True:\n    print('x' * 1000)\n", 3),
        ("print('x' * 10_000_000)\n", 2),
        ("import os\nos.write(1, b'x' * 10_000_000)\n" + RUN, 0),
        (
            "import tempfile\nwith tempfile.TemporaryFile(buffering=0) as file:\n"
            "    while True: file.write(b'x' * 99999)\n",
            4,
        ),
    ],
    ids=["lines", "one line", "past print", "a file"],
)
def test_a_file_that_writes_megabytes_is_stopped(decide, body, line):
    failed = failure(decide, body)
    assert re.fullmatch(r"prints (or writes )?more than 1 MB", failed.what)
    assert failed.line == line


@pytest.mark.parametrize(
    "body",
    [
        "import os\nos.fork()\n",
        "import os\nos.system('true')\n",
        "import os\nos.execv('/bin/true', ['true'])\n",
        "import os\nos.posix_spawn('/bin/true', ['true'], {})\n",
        "import subprocess\nsubprocess.run(['true'])\n",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()\n",
        "import os\nos.kill(os.getppid(), 15)\n",
        "import ctypes\nctypes.CDLL(None).fork()\n",
    ],
)
def test_a_file_starts_and_stops_no_process(decide, body):
    failed = failure(decide, body)
    assert failed.line == 3
    assert "PermissionError: a suite control file starts and stops no process" in failed.what


def test_what_a_file_left_behind_is_gone_with_it(decide, tmp_path):
    note = tmp_path / "pid"
    body = f"import os, threading, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\n"
    body += "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
    assert decide(CALL + body + RUN).members
    assert not Path("/proc", note.read_text()).exists()


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"garbage\\n", "not an answer"),
        (b"[]\\n", "not an answer"),
        (b"[" * 100_000 + b"\\n", "not an answer"),
        (b'{"spec": 7}\\n', "a SuiteSpec is a JSON object"),
        (b'{"spec": {"name": "x", "board": "b", "builds": {"version": "1"}}, "notes": 7}\\n', "not an answer"),
        (
            b'{"spec": {"name": "x", "board": "b", "builds": {"version": "1"}}, "notes": [], "chosen": [99]}\\n',
            "not an answer",
        ),
        (
            b'{"spec": {"name": "x", "board": "b", "builds": {"version": "1"}, "predicate": {"name_matches": "a"}}, '
            b'"notes": []}\\n',
            "not an answer",
        ),
    ],
)
def test_a_forged_answer_is_not_believed(decide, answer, what):
    body = f"import os\nfor number in range(3, 4096):\n    try: os.write(number, b'{answer.decode()}')\n"
    body += "    except OSError: pass\nos._exit(0)\n"
    assert what in failure(decide, body).what


def test_an_answer_without_end_is_not_waited_for(decide):
    body = "import os\nwhile True:\n    for number in range(3, 4096):\n        try: os.write(number, b'x' * 65536)\n"
    body += "        except OSError: pass\n"
    assert "not an answer" in failure(decide, body).what


def test_no_child_outlives_its_parent_call(decide):
    before = set(os.listdir("/proc"))
    failure(decide, "while True: pass\n", time_limit_s=0.3)
    mine = [pid for pid in set(os.listdir("/proc")) - before if pid.isdigit() and _parent_of(pid) == os.getpid()]
    assert mine == []


def _parent_of(pid: str) -> int:
    try:
        return int(Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_the_limits_hold_for_the_child_alone(decide):
    assert child.LARGEST_OUTPUT == 1 << 20
    assert decide(CALL + RUN).members == [test for test in TESTS if "kernel" in test.suite_tag_parts]
