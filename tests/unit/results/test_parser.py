"""The parser: what upstream loses is read, the hostile stays harmless, the same folder gives the same result."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autotest import errors
from autotest.results import parser
from autotest.results.parsing import parse_log, vector_form, version1

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
BOTH_MODES = pytest.mark.parametrize("strict", [False, True])


def told(path, strict=False):
    """Name, subdir, status, reason, start, finish (epoch seconds) of every test but SERVER_JOB."""
    return [
        (test.name, test.subdir, test.status.value, test.reason, epoch(test.started_time), epoch(test.finished_time))
        for test in parser.read(path, strict).tests[1:]
    ]


def epoch(moment: datetime.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


@BOTH_MODES
def test_a_crash_log_that_ends_in_a_traceback_is_read(folder, strict):  # D1
    path = folder("START|t1|t1|timestamp=1100|\n>FAIL|t1|t1|timestamp=1110|bad\n  Traceback")
    assert told(path, strict) == [("t1", "t1", "ABORT", "bad", 1100, 1110)]


def test_text_with_tabs_between_tests_is_ignored(folder):  # D2
    result = parser.read(
        folder(
            """START|a|a|timestamp=1|
            END GOOD|a|a|timestamp=2|
            some text|with|three|tabs
            START|b|b|timestamp=3|
            END GOOD|b|b|timestamp=4|"""
        )
    )
    assert [(test.name, test.status.value) for test in result.tests[1:]] == [("a", "GOOD"), ("b", "GOOD")]
    assert result.oddities == ("status log line 3: 'some text' is no status; line ignored",)
    assert result.job.keyvals["parser"] == "version 1: 1 odd, see parse.log"


@pytest.mark.parametrize("stamp", ["12a", "1_000", "9" * 30, "99999999999999", "-99999999999999", "\u0661"])
def test_a_timestamp_that_is_no_time_is_left_out(folder, stamp):  # D3
    assert told(folder(f"GOOD|t1|t1|timestamp={stamp}|x")) == [("t1", "t1", "GOOD", "x", None, None)]


def test_a_bad_line_in_a_keyval_is_skipped(folder):  # D4
    result = parser.read(folder("GOOD|t1|t1|timestamp=1100|", {"t1/keyval": "a=1\nbroken line\nb=2\n"}))
    assert result.tests[1].attributes == {"a": 1, "b": 2}
    assert result.oddities == ("'t1/keyval': line 2 is not key=value; skipped",)


def test_an_abort_without_a_date_names_who_aborted(folder):  # D5
    path = folder("START|t1|t1|timestamp=1100|", {"keyval": "status_version=1\naborted_by=ann\n"})
    assert told(path) == [("t1", "t1", "ABORT", "Job aborted by ann", 1100, 1100)]


def test_a_machine_without_model_and_board_is_grouped_by_platform(folder):  # D6
    assert parser.read(folder("", {"host_keyvals/h1": "labels=usb,wifi\nplatform=eve\n"})).job.machine_group == "eve"


def test_an_end_without_a_name_ends_the_test_that_runs(folder):  # D7
    path = folder("START|----|foo|timestamp=1|\nEND GOOD|----|----|timestamp=2|r")
    assert told(path) == [("foo", None, "GOOD", "r", 1, 2)]


def test_a_hostname_of_digits_is_a_machine(folder):  # D8
    assert parser.read(folder("", {"keyval": "status_version=1\nhostname=1234\n"})).job.machine == "1234"


@BOTH_MODES
@pytest.mark.parametrize(
    ("exit_file", "status"),
    [
        ("1\n0\n0\n", "GOOD"),
        ("1\n256\n", "FAIL"),
        ("1\n271\n", "ABORT"),
        ("1\n9\n", "ABORT"),
        ("1\n", "ABORT"),
        ("1\nx\n", "ABORT"),
    ],
)
def test_an_empty_log_tells_what_the_exit_file_tells(folder, exit_file, status, strict):  # D9
    result = parser.read(folder(b"", {".autoserv_execute": exit_file}), strict)
    assert [(test.name, test.subdir, test.status.value) for test in result.tests] == [("SERVER_JOB", "----", status)]


def test_a_status_line_at_job_level_speaks_only_for_itself(folder):  # Q1
    path = folder("FAIL|----|install|timestamp=1100|no ssh\nGOOD|----|verify|timestamp=1101|fine")
    assert told(path) == [
        ("install", None, "FAIL", "no ssh", None, 1100),
        ("verify", None, "GOOD", "fine", None, 1101),
    ]
    assert told(path, strict=True)[1] == ("verify", None, "FAIL", "fine", None, 1101)


CLIENT_MESSAGE = """START|----|----|timestamp=1100|
    >FAIL|----|----|timestamp=1101|package problem
    >START|t1|t1|timestamp=1102|
    >END GOOD|t1|t1|timestamp=1103|
    END GOOD|----|----|timestamp=1104|"""


def test_a_message_of_the_client_job_does_not_become_the_next_tests_reason(folder):  # Q2
    path = folder(CLIENT_MESSAGE)
    assert told(path)[1] == ("t1", "t1", "GOOD", "", 1102, 1103)
    assert told(path, strict=True)[1][3] == "package problem"


def test_a_client_job_that_is_cut_off_is_aborted(folder):  # Q3
    path = folder(
        """START|----|----|timestamp=1100|
        >START|t1|t1|timestamp=1101|
        >END GOOD|t1|t1|timestamp=1103|
        >START|t2|t2|timestamp=1104|"""
    )
    assert told(path) == [
        ("CLIENT_JOB.0", None, "ABORT", "Job aborted unexpectedly", 1100, 1104),
        ("t1", "t1", "GOOD", "", 1101, 1103),
        ("t2", "t2", "ABORT", "Job aborted unexpectedly", 1104, 1104),
    ]


def test_after_a_client_job_that_nobody_closed_server_tests_are_whole(folder):  # Q4
    path = folder(
        """START|----|----|timestamp=1|
        >START|t1|t1|timestamp=2|
        START|t2|t2|timestamp=3|
        >GOOD|t2|t2|timestamp=4|fine
        END GOOD|t2|t2|timestamp=5|
        START|----|----|timestamp=6|
        END GOOD|----|----|timestamp=7|"""
    )
    assert told(path) == [
        ("CLIENT_JOB.0", None, "ABORT", "", 1, 3),
        ("t1", "t1", "ABORT", "", 2, 3),
        ("t2", "t2", "GOOD", "fine", 3, 5),
        ("CLIENT_JOB.1", None, "GOOD", "", 6, 7),
    ]
    assert len(told(path, strict=True)) == 6


def test_the_schedulers_abort_comment_closes_nothing(folder):  # Q5
    aborted = "status_version=1\naborted_by=ann\naborted_on=1200\n"
    log = "START|t1|t1|timestamp=1101|\nINFO|----|----|Job aborted by ann on 2013-01-01 00:00:00"
    path = folder(log, {"keyval": aborted})
    assert told(path) == [("t1", "t1", "ABORT", "Job aborted by ann at Jan 01 00:20:00", 1101, 1101)]
    assert told(path, strict=True) == [("t1", "t1", "ABORT", "None", 1101, None)]


def test_a_patch_that_is_not_three_words_is_skipped(folder):  # Q8
    log = "INFO|----|----|timestamp=1|kernel=5.4.0|patch0=one two|patch1=a b/c.gz d|\nGOOD|t1|t1|timestamp=2|"
    kernel = parser.read(folder(log)).tests[1].kernel
    assert (kernel.base, kernel.patches) == ("5.4.0", (("a", "b/c.gz", "d"),))


@pytest.mark.parametrize("strict", [False, True])
def test_only_a_newline_ends_a_line(folder, strict):  # Q6
    odd = "a\rb\x0bc\x0cd\x1ce\x85f\u2028g"
    log = f"GOOD\tt1\tt1\ttimestamp=1\t{odd}\nGOOD\tt2\tt2\ttimestamp=2\t\n".encode()
    assert [(test[0], test[3]) for test in told(folder(log), strict)] == [("t1", odd), ("t2", "")]


@pytest.mark.parametrize("strict", [False, True])
def test_of_control_bytes_only_the_pair_cr_nul_is_dropped(folder, strict):  # Q7
    assert told(folder(b"GOOD\tt1\tt1\ttimestamp=1\ta\r\0b\rc\0d\n"), strict)[0][3] == "ab\rc\0d"


def test_times_are_utc_wherever_the_parser_runs(folder, monkeypatch):  # Q12
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        (record, test) = parser.read(folder("GOOD|t1|t1|timestamp=1100|localtime=Jan 01 05:48:20|")).tests
    finally:
        monkeypatch.undo()
        time.tzset()
    assert test.finished_time == datetime.datetime(1970, 1, 1, 0, 18, 20, tzinfo=datetime.timezone.utc)
    assert record.started_time == datetime.datetime(1970, 1, 1, 0, 16, 40, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize("strict", [False, True])
def test_a_reason_that_looks_like_a_field_is_one(folder, strict):  # Q13
    path = folder("FAIL|t1|t1|timestamp=1|rc=1\nFAIL|t2|t2|timestamp=2|x rc=1")
    assert [test[3] for test in told(path, strict)] == ["", "x rc=1"]


@pytest.mark.parametrize("end", [b"\n", b"\r\0\n"])
@pytest.mark.parametrize("extra", [0, 1, 1 << 20, (5 << 20) + 7])
def test_a_line_of_many_megabytes_is_cut_and_costs_none_of_the_lines_after_it(folder, extra, end):
    start = b"GOOD\ta\ta\ttimestamp=1\t"
    log = start + b"x" * ((1 << 20) - len(start) + extra) + end + b"GOOD\tb\tb\ttimestamp=2\tfine\n"
    result = parser.read(folder(log))
    assert [test.name for test in result.tests[1:]] == ["a", "b"]
    assert len(result.tests[1].reason) == (1 << 20) - len(start)
    assert ("status log: lines of more than 1048576 bytes are cut there" in result.oddities) is (extra > 0)


def test_memory_is_that_of_the_open_groups_and_not_of_the_log(folder):  # Q11
    path = folder("START|t|t|timestamp=1|")
    with (path / "status.log").open("ab") as log:
        for _ in range(8):
            log.write(b"\tGOOD\tt\tt\ttimestamp=2\tthe same as ever, and no group that stays open\n" * 20_000)
        log.write(b"x" * (30 << 20))
    tracemalloc.start()
    try:
        result = parser.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [test.status.value for test in result.tests] == ["GOOD", "ABORT"]
    assert peak < 12 << 20


def test_a_test_of_endless_reasons_keeps_what_anybody_can_read(folder, monkeypatch):
    monkeypatch.setattr(version1, "_MOST_REASONS", 100)
    log = "\n".join(["START|t|t|timestamp=1|", *(f">WARN|t|t|timestamp=2|reason {number}" for number in range(100))])
    result = parser.read(folder(log))
    assert "reason 0" in result.tests[1].reason
    assert len(result.tests[1].reason) < 150
    assert "this one is left out" in result.oddities[0]


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (b"GOOD\ta\ta\ttimestamp=1\tx\0y\n", "status log: the log holds NUL bytes"),
        (b"GOOD\ta\ta\ttimestamp=1\tx\r\n", "status log: the log holds carriage returns"),
        (b"GOOD\ta\ta\ttimestamp=1\tx", "status log: the log ends in the middle of a line"),
        (b"END GOOD\ta\ta\ttimestamp=1\tx\n", "status log line 1: deeper than the groups that are open; line ignored"),
        (b"START\ta\ta\ttimestamp=1\t\n", "status log: groups that it leaves open are closed as aborted: 1"),
        (
            b"START\ta\ta\ttimestamp=9\t\nEND GOOD\ta\ta\ttimestamp=2\t\n",
            "status log line 2: 'a' ends 7 s before it starts",
        ),
    ],
)
def test_what_is_odd_is_told(folder, log, told):
    assert told in parser.read(folder(log)).oddities


def test_a_log_twice_in_one_file_gives_every_test_twice(folder):
    log = "START|t|t|timestamp=1|\nEND GOOD|t|t|timestamp=2|\n"
    assert told(folder(log + log)) == [("t", "t", "GOOD", "", 1, 2)] * 2


@pytest.mark.parametrize("name", ["a/b", "..", "'; DROP TABLE tko_tests; --", '"', "\U0001f600", "${HOME}", "%s"])
def test_a_name_is_only_a_name(folder, name):
    result = parser.read(folder(f"GOOD|{name}|{name}|timestamp=1|{name}"))
    assert [(test.name, test.subdir, test.reason) for test in result.tests[1:]] == [(name, name, name)]


def test_a_keyval_that_looks_like_code_stays_text(folder):
    code = "__import__('os').system('reboot')"
    result = parser.read(folder("GOOD|t1|t1|timestamp=1|", {"t1/keyval": f"param-a={code}\nn=[1]\n"}))
    assert result.tests[1].attributes == {"param-a": code, "n": "[1]"}


def test_a_job_of_more_machines_than_there_are_is_read(folder):
    hosts = ",".join(f"h{number}" for number in range(3000))
    result = parser.read(folder("", {"keyval": f"status_version=1\nhostname={hosts}\n"}))
    assert result.job.machine == hosts
    assert result.oddities == ("the job names more than 1000 machines; the others are not looked at",)


def test_nothing_odd_leaves_the_job_keyvals_alone(folder):
    assert "parser" not in parser.read(folder("GOOD|t1|t1|timestamp=1|")).job.keyvals


def test_many_distinct_warnings_of_one_test_cost_linear_time(folder):  # Q10
    lines = [f"\tWARN\tt\tt\ttimestamp=2\tsector {number} is slow\n" for number in range(20_000)]
    log = "".join(["START\tt\tt\ttimestamp=1\t\n", *lines, "END WARN\tt\tt\ttimestamp=3\t\n"]).encode()
    assert parser.read(folder(log)).tests[1].reason.count(", ") == 19_999


@pytest.mark.parametrize("subdir", ["../outside", "/etc", "t1/../../outside", "link"])
def test_nothing_outside_the_folder_is_read(folder, subdir):
    path = folder(f"GOOD|{subdir}|t1|timestamp=1|")
    outside = path.parent / "outside"
    outside.mkdir()
    (outside / "keyval").write_text("secret=1\n")
    (path / "link").symlink_to(outside)
    (path / "t1").mkdir()

    assert parser.read(path).tests[1].attributes == {}


def test_a_link_inside_the_folder_is_followed(folder):
    path = folder("GOOD|link|t1|timestamp=1|", {"t1/keyval": "version=1\n"})
    (path / "link").symlink_to("t1")
    assert parser.read(path).tests[1].attributes == {"version": 1}


def test_a_status_log_that_leads_outside_is_not_read(folder):
    path = folder("")
    stolen = path.parent / "stolen"
    stolen.write_text("GOOD\tt1\tt1\ttimestamp=1\t\n")
    (path / "status.log").unlink()
    (path / "status.log").symlink_to(stolen)

    result = parser.read(path)

    assert [test.name for test in result.tests] == ["SERVER_JOB"]
    assert "leads outside the results folder; not followed" in result.oddities[0]


def test_a_fifo_named_keyval_does_not_make_the_parser_wait(folder):
    path = folder("GOOD|t1|t1|timestamp=1|")
    (path / "t1").mkdir()
    os.mkfifo(path / "t1" / "keyval")
    result = parser.read(path)
    assert result.tests[1].attributes == {}
    assert result.oddities[0].endswith("t1/keyval is no regular file; not read")


def test_the_copy_of_the_client_is_read_when_the_servers_log_is_missing(files):
    path = files({"keyval": "status_version=1\n", "status": "GOOD\tt1\tt1\ttimestamp=1\t\n"})
    assert [test.name for test in parser.read(path).tests] == ["SERVER_JOB", "t1"]


@pytest.mark.parametrize("keyval", ["status_version=2\n", "status_version=x\n"])
def test_another_version_is_refused_by_name(files, keyval):
    path = files({"keyval": keyval, "status.log": ""})
    with pytest.raises(errors.BadResultsFolder, match=r"status_version .* only 0, 1 can be read"):
        parser.read(path)


def test_a_folder_without_a_log_is_refused(files):
    with pytest.raises(errors.BadResultsFolder, match=r"neither status\.log nor status"):
        parser.read(files({"keyval": "status_version=1\n"}))


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(errors.BadResultsFolder, match="not a readable results folder"):
        parser.read(tmp_path / "missing")


WORDS = st.sampled_from(
    ["START", "INFO", "GOOD", "FAIL", "TEST_NA", "ALERT", "END GOOD", "END ABORT", "END X", "text", ""]
)
NAMES = st.sampled_from(
    ["----", "t1", "t2", "t1.sub", "reboot", "tast.x", "CLIENT_JOB.0", "boot.0", "../x", "\0", " x"]
)
LAST = st.sampled_from(
    [
        "",
        "timestamp=12",
        "timestamp=1e9",
        "kernel=4.4-autotest",
        "patch0=x",
        "job_abort_reason=gone",
        "rc=1",
        "why\tnot",
    ]
)
LINES = st.tuples(st.integers(0, 4), WORDS, NAMES, NAMES, LAST, LAST).map(
    lambda parts: "\t" * parts[0] + "\t".join(parts[1:]) + "\n"
)
LOGS = st.one_of(st.lists(LINES, max_size=40).map(lambda lines: "".join(lines).encode()), st.binary(max_size=300))
PAIRS = st.one_of(
    st.binary(max_size=120),
    st.lists(
        st.tuples(
            st.sampled_from(
                ["hostname", "user", "label", "job_started", "aborted_by", "aborted_on", "host_group_name"]
            ),
            st.sampled_from(["", "1", "a,b", "1.5", "-3", "x/y/z/w", "\udcff", "9" * 40, "../..", "9" * 5000]),
        ).map("=".join),
        max_size=6,
    ).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogateescape")),
)


@given(LOGS, PAIRS, st.binary(max_size=80), st.binary(max_size=80), st.booleans(), st.sampled_from([0, 1]))
@example(b"START\t\0\tt1\ttimestamp=1\t\n", b"hostname=\0", b"\0", b"\n\n{attr}=\n", True, 1)
@example(b"END GOOD\t----\t----\t\nGOOD\t----\treboot.verify\t\n", b"", b"", b"=\n", False, 0)
def test_no_content_makes_the_parser_raise_and_it_repeats_itself(log, pairs, host, samples, strict, version):
    with tempfile.TemporaryDirectory() as root:
        path = Path(root)
        for name in ("host_keyvals", "host_info_store", "t1/results"):
            (path / name).mkdir(parents=True)
        (path / "status.log").write_bytes(log)
        (path / "keyval").write_bytes(pairs + b"\nstatus_version=%d\n" % version)
        (path / ".autoserv_execute").write_bytes(host)
        (path / "host_keyvals" / "1").write_bytes(host)
        (path / "host_info_store" / "a,b.store").write_bytes(host)
        (path / "t1" / "keyval").write_bytes(pairs)
        for name in ("keyval", "perf_measurements", "results-chart.json"):
            (path / "t1" / "results" / name).write_bytes(samples)

        first = parser.read(path, strict)

        assert repr(parser.read(path, strict)) == repr(first)
        json.dumps(vector_form.full(first), allow_nan=False)
        assert parse_log.parse(parse_log.render(first, NOW)) == first.oddities
        if not strict:
            assert all(test.status.value != "RUNNING" for test in first.tests if test.name.startswith("CLIENT_JOB"))
