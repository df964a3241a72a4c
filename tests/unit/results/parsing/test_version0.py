"""Version 0: what classic Autotest logged, cut off as well as whole."""

from __future__ import annotations

import pytest

from autotest.results import parser

KEYVAL = {"keyval": "user=ann\nhostname=h1\n"}
LOG = """START|----|----|timestamp=1|
    >START|t1|t1|timestamp=2|
    >>WARN|t1|t1|timestamp=3|slow
    >END GOOD|t1|t1|timestamp=4|"""


def told(path, strict=False):
    """Name, subdir, status, reason, start, finish (epoch seconds) of every test."""
    return [
        (
            test.name,
            test.subdir,
            test.status.value,
            test.reason,
            *(
                None if moment is None else int(moment.timestamp())
                for moment in (test.started_time, test.finished_time)
            ),
        )
        for test in parser.read(path, strict).tests
    ]


def test_the_worst_of_a_group_is_its_status_and_there_is_no_record_of_the_job(folder):
    assert told(folder(LOG, KEYVAL)) == [("t1", "t1", "WARN", "", 2, 4)]


def test_a_test_that_a_cut_log_leaves_open_is_aborted(folder):
    path = folder(LOG + "\n>START|t2.x|t2|timestamp=5|\n>>GOOD|t2.x|t2|timestamp=6|half", KEYVAL)
    assert told(path)[1:] == [("t2.x", "t2.x", "ABORT", "Job aborted unexpectedly", 5, 6)]
    assert told(path, strict=True) == told(path)[:1]


def test_who_aborted_the_job_is_named(folder):
    path = folder("START|t1|t1|timestamp=1|", {"keyval": "aborted_by=ann\n"})
    assert told(path) == [("t1", "t1", "ABORT", "Job aborted by ann", 1, 1)]


def test_half_a_line_at_the_end_is_not_read(folder):
    path = folder(b"GOOD\tt1\tt1\ttimestamp=1\tfine\nFAIL\tt2\tt2\ttimestamp=1", KEYVAL)
    assert told(path) == [("t1", "t1", "GOOD", "fine", None, 1)]
    assert parser.read(path).oddities == ("status log: the log ends in the middle of a line",)


@pytest.mark.parametrize(("strict", "base"), [(True, "did not return"), (False, "UNKNOWN")])
def test_a_reboot_that_failed_names_no_kernel(folder, strict, base):
    path = folder("GOOD|----|reboot.start|timestamp=1|\nFAIL|----|reboot.verify|timestamp=2|did not return", KEYVAL)
    (test,) = parser.read(path, strict).tests
    assert (test.name, test.status.value, test.kernel.base) == ("boot.0", "FAIL", base)


def test_what_no_group_opened_ends_none(folder):
    path = folder("END GOOD|t1|t1|timestamp=1|\nGOOD|t2|t2|timestamp=2|", KEYVAL)
    assert [name for name, *_ in told(path)] == ["t1", "t2"]
    assert parser.read(path).oddities == ("status log line 1: closes a group that nobody opened",)


def test_a_client_job_that_died_is_a_test(folder):
    path = folder("START|----|----|timestamp=1|\n>ABORT|----|----|timestamp=2|gone", KEYVAL)
    assert told(path) == [("CLIENT_JOB", None, "ABORT", "gone", None, 2)]


@pytest.mark.parametrize(
    ("files", "base", "patches"),
    [
        ({"build/debug/build_log": "BASE: 4.4\nPATCH: p http://k/p.gz aa\nPATCH: two words\n"}, "4.4", 1),
        ({"build.2/debug/build_log": "BASE: 4.5-autotest\n", "build.10/debug/build_log": "BASE: 9\n"}, "4.5", 0),
        ({"build/debug/build_log": "nothing\n", "sysinfo/uname_-a": "Linux h1 4.6-autotest #1\n"}, "4.6", 0),
        ({"sysinfo/reboot1/uname_-a": "Linux h1 4.7 #1\n", "sysinfo/uname_-a": "Linux h1 4.6 #1\n"}, "4.7", 0),
        ({"sysinfo/uname_-a": "Linux\n"}, "UNKNOWN", 0),
    ],
)
def test_the_first_kernel_comes_from_build_logs_or_sysinfo(folder, files, base, patches):
    kernel = parser.read(folder(LOG, {**KEYVAL, **files})).tests[0].kernel
    assert (kernel.base, len(kernel.patches)) == (base, patches)


def test_numbers_of_iterations_are_numbers_for_the_store(folder):
    test = parser.read(folder(LOG, {**KEYVAL, "t1/results/keyval": "fps=7e3\nmode=fast\n\n"})).tests[0]
    assert (test.iterations[0].perf, test.iterations[0].attr) == ({"fps": 7000.0}, {"mode": "fast"})
    assert test.attributes == {"version": None}
