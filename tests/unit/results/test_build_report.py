"""The report on builds: every test that could be scheduled, by build and board, the latest suite of each deciding."""

from __future__ import annotations

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.models import afe, database
from autotest.results import build_report, parser, store
from autotest.results.build_report import Run
from autotest.results.suite_rows import Row
from autotest.results.verdict import View
from autotest.states import EntryStatus, Outcome

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)


def row(name, status="GOOD", reason="", job_id=7, retry=0, experimental=False, suite=False, entry="Completed"):
    """One result."""
    view = View(name, Outcome(status), is_suite=suite, is_experimental=experimental)
    return Row(name, status, reason, job_id, "h1", entry, f"{job_id}-ann/h1/{name}", retry, None, None, view)


def run(job_id, *rows, build="b1", board="pi4", suite="smoke"):
    """A suite job with these results; each test was scheduled under its own name."""
    return Run(job_id, suite, build, board, "", "ann", NOW, True, [(each.name, each) for each in rows])


def states(table):
    """Test -> the states in its columns."""
    return {line.test: [cell and cell.state for cell in line.cells] for line in table.lines}


def test_builds_stand_side_by_side_the_newest_first():
    (table,) = build_report.of([run(1, row("a")), run(2, row("a", "FAIL"), build="b2"), run(3, row("a"), board="pi5")])
    assert table.columns == [("b1", "pi4"), ("b1", "pi5"), ("b2", "pi4")]
    assert states(table) == {"a": ["GOOD", "GOOD", "FAIL"]}


def test_the_latest_suite_of_a_build_decides_and_the_others_are_counted():
    (table,) = build_report.of([run(2, row("a", job_id=12)), run(1, row("a", "FAIL", job_id=11), row("b"))])
    assert states(table) == {"a": ["GOOD"], "b": ["GOOD"]}
    (cell,) = table.lines[0].cells
    assert (cell.job_id, cell.suite_job_id, cell.runs) == (12, 2, 2)


def test_the_worst_result_stands_for_a_test_that_left_several():
    rows = [row("file.small"), row("file.large", "FAIL", "full"), row("file.tiny", "WARN")]
    (table,) = build_report.of([run(1)._replace(rows=[("file", each) for each in rows])])
    assert states(table) == {"file": ["FAIL"]}
    assert table.lines[0].cells[0].reason == "full"


def test_what_no_host_could_run_is_left_out_unless_asked_for():
    runs = [
        run(1, row("wifi", "TEST_NA", "no label"), row("cam", "TEST_NA"), row("a")),
        run(2, row("cam"), board="pi5"),
    ]
    (short,), (full,) = build_report.of(runs), build_report.of(runs, test_na=True)
    assert states(short) == {"a": ["GOOD", None], "cam": [None, "GOOD"]}
    assert (short.hidden, full.hidden) == (1, 0)
    assert states(full) == {"a": ["GOOD", None], "cam": ["TEST_NA", "GOOD"], "wifi": ["TEST_NA", None]}


def test_what_waits_runs_or_never_ran_is_shown_too():
    rows = (row("a", "NOSTATUS", entry="Queued"), row("b", "RUNNING", entry="Verifying"), row("c", "ABORT", entry=""))
    (table,) = build_report.of([run(1, *rows)])
    assert states(table) == {"a": ["Queued"], "b": ["Verifying"], "c": ["ABORT"]}


def test_a_pass_on_retry_is_a_state_of_its_own():
    (table,) = build_report.of([run(1, row("a", retry=1), row("b"))])
    assert states(table) == {"a": ["RETRIED"], "b": ["GOOD"]}
    assert table.counts == [{"RETRIED": 1, "GOOD": 1}]


def test_experimental_tests_are_marked_and_not_counted():
    (table,) = build_report.of([run(1, row("a"), row("new", "FAIL", experimental=True))])
    assert [(line.test, line.experimental) for line in table.lines] == [("a", False), ("new", True)]
    assert table.counts == [{"GOOD": 1}]


def test_a_build_is_compared_with_the_one_before_on_its_board():
    runs = [
        run(1, row("bad"), row("good", "FAIL"), row("same")),
        run(2, row("bad", "FAIL"), row("good"), row("same"), build="b2"),
        run(3, row("bad", "FAIL"), build="b2", board="pi5"),
    ]
    (table,) = build_report.of(runs)
    assert table.columns[0] == ("b2", "pi4")
    assert {line.test: [cell and cell.change for cell in line.cells] for line in table.lines} == {
        "bad": ["regression", "", ""],
        "good": ["fix", None, ""],
        "same": ["", None, ""],
    }


def test_a_build_without_a_result_is_skipped_in_the_comparison():
    older = [run(1, row("a")), run(2, row("a", "NOSTATUS", entry="Queued"), build="b2")]
    (table,) = build_report.of([*older, run(3, row("a", "ABORT"), build="b3")])
    assert [cell.change for cell in table.lines[0].cells] == ["regression", "", ""]


def test_the_suite_job_is_a_line_only_when_it_went_wrong():
    (good,) = build_report.of([run(1, row("Suite job", suite=True), row("a"))])
    (bad,) = build_report.of([run(1, row("Suite job", "FAIL", suite=True), row("a"))])
    assert (list(states(good)), list(states(bad))) == (["a"], ["Suite job", "a"])


def test_each_suite_has_a_table():
    tables = build_report.of([run(1, row("a"), suite="smoke"), run(2, row("b"), suite="bvt")])
    assert [(table.suite, list(states(table))) for table in tables] == [("bvt", ["b"]), ("smoke", ["a"])]
    assert build_report.of([]) == []


RUNS = st.lists(
    st.builds(
        lambda build, board, results: (build, board, results),
        st.sampled_from(["b1", "b2", "b3"]),
        st.sampled_from(["pi4", "pi5"]),
        st.dictionaries(st.sampled_from("abc"), st.sampled_from([each.value for each in Outcome])),
    ),
    max_size=6,
)


@given(RUNS, st.booleans())
def test_every_test_that_could_be_scheduled_is_there_once(drawn, test_na):
    runs = [
        run(number, *(row(test, status) for test, status in results.items()), build=build, board=board)
        for number, (build, board, results) in enumerate(drawn, 1)
    ]
    (table,) = build_report.of(runs, test_na) or [build_report.SuiteTable("", [], [], [], 0)]
    latest = {(build, board, test): status for build, board, results in drawn for test, status in results.items()}
    possible = {test for (_, _, test), status in latest.items() if test_na or status != "TEST_NA"}
    assert [line.test for line in table.lines] == sorted(possible)
    assert all(len(line.cells) == len(table.columns) for line in table.lines)
    assert table.hidden == len({test for _, _, test in latest}) - len(possible)
    json.dumps(build_report.as_dict(table))


class Shelf:
    """Inserts suites of one test."""

    def __init__(self, folder):
        self._folder = folder
        self._label = afe.Label.create(name="board:pi4")

    def suite(self, suite="smoke", build="b1", board="pi4", status="GOOD", **columns):
        """A suite job, ended, whose child sleep left one result."""
        job = afe.Job.create(name=f"{build}-test_suites/control.{suite}", owner="ann", **columns)
        for key, value in {"suite": suite, "build": build, "board": board, "pool": "suites"}.items():
            afe.JobKeyval.create(job=job, key=key, value=value)
        self._ended(job)
        child = afe.Job.create(name=f"{build}/{suite}/sleep", owner="ann", parent_job=job)
        afe.JobKeyval.create(job=child, key="suite", value=suite)
        self._ended(child, meta_host=self._label, queue_key="k", execution_subdir="h1")
        path = self._folder(f"{status}|sleeptest|sleeptest|timestamp=1|")
        store.save(parser.read(path), f"{child.id}-ann/h1")
        return job.id

    @staticmethod
    def _ended(job, **columns):
        afe.HostQueueEntry.create(job=job, status=EntryStatus.COMPLETED.value, complete=True, **columns)


@pytest.fixture
def shelf(db, folder):
    return Shelf(folder)


def test_suites_are_found_by_name_build_board_and_age(shelf):
    old = shelf.suite(created_on=NOW)
    bvt = shelf.suite(suite="bvt")
    second = shelf.suite(build="b2")
    other = shelf.suite(board="pi5")

    def found(**wanted):
        return [each.job_id for each in build_report.read(10, **wanted)]

    assert found() == [other, second, bvt, old]
    assert found(suites=["bvt"]) == [bvt]
    assert found(builds=["b2", "b3"]) == [second]
    assert found(boards=["pi5"], suites=["smoke"]) == [other]
    assert found(since=NOW + datetime.timedelta(days=1)) == [other, second, bvt]
    assert found(suites=["smo%"]) == []
    assert [each["job_id"] for each in build_report.find(1, suites=["smoke"])] == [other]


def test_a_test_is_called_what_it_was_scheduled_as(shelf):
    shelf.suite(status="FAIL")
    report = build_report.report(10)
    (table,) = report["tables"]
    assert [(line["test"], line["cells"][0]["state"]) for line in table["tests"]] == [("sleep", "FAIL")]
    assert table["columns"] == [{"build": "b1", "board": "pi4"}]
    assert report["suites"][0].items() >= {"suite": "smoke", "pool": "suites", "owner": "ann", "finished": True}.items()
    json.dumps(report)


def test_the_report_says_that_there_is_more(shelf):
    shelf.suite()
    newest = shelf.suite(build="b2")
    report = build_report.report(1)
    assert ([each["job_id"] for each in report["suites"]], report["more"]) == ([newest], True)
    assert build_report.report(2)["more"] is False


def test_more_suites_cost_no_more_queries(shelf, monkeypatch):
    def queries():
        asked = []
        execute = database.db.obj.execute_sql
        with monkeypatch.context() as patch:
            patch.setattr(
                database.db.obj, "execute_sql", lambda *args, **named: asked.append(1) or execute(*args, **named)
            )
            build_report.report(50)
        return len(asked)

    shelf.suite()
    few = queries()
    for number in range(4):
        shelf.suite(build=f"b{number}")
    assert queries() == few
