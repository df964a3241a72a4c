"""Answers: spreadsheet, table, history, builds, metrics and qualification, each with a bounded number of queries."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.models.tko import IterationPerfValue
from autotest.results.query import (
    answers,
    builds,
    counts,
    history,
    metrics,
    qualification,
    questions,
    spreadsheet,
    table,
)
from autotest.results.query.counts import Counts
from autotest.results.query.questions import Builds, History, Matrix, Perf, Qualification, Question, Table


def ask(question, results):
    return answers.to(question, results.now)


def shown(sheet):
    """The cells of a spreadsheet with plain headers, as text."""
    return {(row[0], column[0]): str(cell) for (row, column), cell in sheet.cells.items()}


@pytest.fixture
def two_builds(results):
    """Two tests on two builds; one of them fails, is retried, and skipped once."""
    old, new = results.build("R9-1.0.0", age_h=2), results.build("R10-1.0.0", age_h=1)
    results.add("ping", job=old)
    results.add("ping", "FAIL", job=new, invalid=True)
    results.add("ping", job=new)
    results.add("boot", "ERROR", job=old)
    results.add("boot", "WARN", job=new)
    results.add("boot", "TEST_NA", job=new)
    results.add("boot", "RUNNING", job=new)
    results.add("wifi", "TEST_NA", job=new)
    results.add("SERVER_JOB", subdir="----", job=new)
    return results


def test_cells_are_passed_of_complete(two_builds):
    sheet = ask(Matrix(), two_builds)

    assert sheet.rows == (("boot",), ("ping",), ("wifi",))
    assert sheet.columns == (("R9-1.0.0",), ("R10-1.0.0",))
    assert shown(sheet) == {
        ("ping", "R9-1.0.0"): "1/1",
        ("ping", "R10-1.0.0"): "1/1",
        ("boot", "R9-1.0.0"): "0/1",
        ("boot", "R10-1.0.0"): "0/1 (1 running)",
        ("wifi", "R10-1.0.0"): "TEST_NA",
    }


def test_a_spreadsheet_as_json_points_at_its_headers(two_builds):
    data = ask(Matrix(where="test = boot", columns=("build",)), two_builds).to_json()

    assert (data["rows"], data["columns"]) == ((("boot",),), (("R9-1.0.0",), ("R10-1.0.0",)))
    assert data["cells"][1] == {
        "row": 0,
        "column": 1,
        "passed": 0,
        "total": 1,
        "incomplete": 1,
        "statuses": {"RUNNING": 1, "TEST_NA": 1, "WARN": 1},
    }


def test_headers_may_have_several_fields_and_no_value(results):
    results.add(job=results.build("1", board="eve"))
    results.add(host="h2")

    sheet = ask(Matrix(rows=("test", "board"), columns=("host",)), results)

    assert sheet.rows == (("ping", "eve"), ("ping", None))
    assert sheet.columns == (("h1",), ("h2",))


@pytest.mark.parametrize(
    "field",
    ["status", "day", "finished", "invalid", "kernel", "label", "keyval.k", "attr.k", "tag", "id"],
)
@pytest.mark.parametrize("latest", [False, True])
def test_any_field_is_an_axis(results, field, latest):
    results.add(keyvals={"k": "x"}, attributes={"k": "x"}, labels=["x"], invalid=True)

    sheet = ask(Matrix(rows=(field,), columns=("test",), latest=latest, with_invalid=True), results)

    value = {
        "status": "GOOD",
        "day": "2026-11-17",
        "finished": "2026-11-17 09:00:00",
        "invalid": "yes",
        "kernel": "UNKNOWN",
        "tag": "1-ann/h1",
        "id": str(table.matching(Question(with_invalid=True), results.now)[0]),
    }.get(field, "x")
    assert sheet.rows == ((value,),)
    assert shown(sheet) == {(value, "ping"): "1/1"}


def test_two_keyvals_are_two_axes(results):
    results.add(keyvals={"a": "1", "b": "2"})
    results.add(keyvals={"a": "1"})

    sheet = ask(Matrix(rows=("keyval.a",), columns=("keyval.b",)), results)

    assert shown(sheet) == {("1", "2"): "1/1", ("1", None): "1/1"}


def test_a_result_with_two_labels_counts_under_both(results):
    results.add(labels=["a", "b"])

    assert shown(ask(Matrix(rows=("label",), columns=("test",)), results)) == {
        ("a", "ping"): "1/1",
        ("b", "ping"): "1/1",
    }


def test_the_latest_of_a_cell_is_the_last_that_says_something(results):
    build = results.build("1")
    for status in ("FAIL", "GOOD", "TEST_NA"):
        results.add(status=status, job=build)

    assert shown(ask(Matrix(latest=True), results)) == {("ping", "1"): "1/1"}


def test_the_last_builds_are_those_whose_jobs_began_last(results):
    for version, age in (("3", 30), ("1", 20), ("2", 10)):
        results.add(job=results.build(version, age_h=age))
    results.add(job=results.build("4", suite="other"))

    sheet = ask(Matrix(where="suite = bvt", last=2), results)

    assert sheet.columns == (("1",), ("2",))
    assert [build.build for build in ask(Builds(where="test = ping", last=2), results).builds] == ["4", "2"]


def test_a_spreadsheet_takes_as_many_queries_for_many_results(two_builds):
    for number in range(30):
        two_builds.add(f"t{number}", job=two_builds.build(f"R{number}-1"))
    two_builds.add(labels=["flaky"])

    with two_builds.queries(3):
        spreadsheet.ask(Matrix(where="suite = bvt", last=20), two_builds.now)
    with two_builds.queries(3):
        spreadsheet.ask(Matrix(where="label != flaky", latest=True), two_builds.now)


@pytest.mark.parametrize("names", [(), ("",)])
def test_a_spreadsheet_without_rows_is_refused(results, names):
    with pytest.raises(errors.ValidationError, match="rows: name at least one field"):
        ask(Matrix(rows=names), results)


@pytest.mark.parametrize("field", ["perf.fps", "host_label"])
def test_what_cannot_be_an_axis_is_named(results, field):
    with pytest.raises(errors.ValidationError, match=rf"{field}: results cannot be arranged by it"):
        ask(Matrix(rows=(field,)), results)


def test_more_cells_than_anybody_reads_are_refused(two_builds, monkeypatch):
    monkeypatch.setattr(spreadsheet, "MOST_CELLS", 3)
    with pytest.raises(errors.TooManyRows, match="more than 3 cells; narrow them"):
        ask(Matrix(), two_builds)


def test_a_table_has_the_columns_that_were_asked_for(results):
    columns = ("test", "status", "finished", "label", "keyval.k", "attr.k", "perf.fps", "invalid")
    results.add("a", keyvals={"k": "1"}, attributes={"k": "2"}, perf={"fps": [1.5, None, 2]}, labels=["y", "x"])
    results.add("b", "FAIL", finished_time=None)

    rows = ask(Table(columns=columns), results)

    assert rows.columns == columns
    assert rows.rows[0][:2] == ("a", "GOOD")
    assert rows.rows[0][3:] == (("x", "y"), ("1",), ("2",), (1.5, None, 2.0), False)
    assert rows.rows[1] == ("b", "FAIL", None, (), (), (), (), False)
    assert rows.to_json()["rows"][0]["finished"] == "2026-11-17 09:00:00"


def test_pages_follow_each_other(results):
    made = [results.add() for _ in range(5)]

    first = ask(Table(limit=3), results)
    second = ask(Table(limit=3, offset=3), results)

    assert (first.ids, first.more) == (tuple(made[:1:-1]), True)
    assert (second.ids, second.more) == ((made[1], made[0]), False)


@pytest.mark.parametrize("sort", ["finished", "-finished"])
def test_no_date_sorts_last_either_way(results, sort):
    without, dated = results.add(finished_time=None), results.add()

    assert ask(Table(sort=sort), results).ids == (dated, without)


def test_results_sort_by_a_field_that_is_not_shown(results):
    second, first = results.add(host="b"), results.add(host="a")

    assert ask(Table(columns=("test",), sort="host"), results).ids == (first, second)
    with pytest.raises(errors.ValidationError, match="cannot be sorted by 'label'"):
        ask(Table(sort="label"), results)


def test_a_table_takes_as_many_queries_for_many_results(results):
    for _ in range(30):
        results.add(keyvals={"k": "1"}, labels=["x"])

    with results.queries(5):
        table.ask(Table(columns=("test", "keyval.k", "keyval.j", "label")), results.now)


def test_groups_are_counted_most_first(two_builds):
    groups = ask(Table(columns=("test",), grouped=True), two_builds)

    assert [(row[0], str(cell)) for row, cell in groups.rows] == [
        ("boot", "0/2 (1 running)"),
        ("ping", "2/2"),
        ("wifi", "TEST_NA"),
    ]
    assert groups.to_json()["rows"][1] == {
        "test": "ping",
        "passed": 2,
        "total": 2,
        "incomplete": 0,
        "statuses": {"GOOD": 2},
    }
    assert ask(Table(columns=("test",), grouped=True, limit=1), two_builds).more


def test_a_history_is_newest_first_and_knows_since_when_it_fails(results):
    for status in ("FAIL", "GOOD", "ERROR", "TEST_NA", "FAIL"):
        results.add(status=status, job=results.build("1"))
    results.add("other")

    with results.queries(2):
        found = history.ask(History(test="ping"), results.now)

    assert [run.status for run in found.runs] == ["FAIL", "TEST_NA", "ERROR", "GOOD", "FAIL"]
    assert found.failing_since == found.runs[2]
    assert str(found.counts) == "1/4"
    data = found.to_json()
    assert (data["failing_since"], data["more"], data["runs"][0]["build"]) == (found.runs[2].id, False, "1")


def test_a_test_that_passes_fails_since_never(results):
    results.add(status="FAIL")
    results.add()

    found = ask(History(test="ping", limit=1), results)

    assert (found.failing_since, found.more) == (None, True)


def test_an_unknown_test_is_named_with_its_neighbours(results):
    results.add("pina")
    results.add("pinz")

    with pytest.raises(errors.NotFound, match="no result is of a test 'ping'; next to it by name: pina, pinz"):
        ask(History(test="ping"), results)


def test_a_test_whose_results_are_left_out_is_not_unknown(results):
    results.add(invalid=True)

    assert ask(History(test="ping"), results).runs == ()


def test_the_last_build_by_suite_and_board(two_builds):
    two_builds.add("x", job=two_builds.build("R10-1.0.0", suite="smoke", board="pi4", age_h=3))

    with two_builds.queries(3):
        found = builds.ask(Builds(), two_builds.now)

    (build,) = found.builds
    assert (build.build, str(build.counts)) == ("R10-1.0.0", "2/3 (1 running)")
    assert [(suite, board, str(cell)) for suite, board, cell in build.by_suite] == [
        ("bvt", "eve", "1/2 (1 running)"),
        ("smoke", "pi4", "1/1"),
    ]
    assert found.to_json()["builds"][0]["began"] == "2026-11-21 11:00:00"


def test_values_are_summed_up_at_each_point(results):
    for version, samples in (("R10", [1, 2, 6]), ("R9", [5.0, None])):
        results.add(perf={"fps": samples, "other": [9]}, job=results.build(version))

    with results.queries(3):
        drawn = metrics.plot(Perf(metric="fps"), results.now)

    (series,) = drawn.series
    assert [point.x for point in series.points] == ["R9", "R10"]
    one, three = series.points
    assert (one.count, one.mean, one.median, one.low, one.high, one.deviation) == (1, 5, 5, 5, 5, None)
    assert (three.count, three.mean, three.median, three.low, three.high) == (3, 3, 2, 1, 6)
    assert three.deviation == pytest.approx(7**0.5)


def test_a_series_for_each_value(results):
    for board, value in (("eve", 10), ("pi4", 5)):
        results.add(perf={"fps": [value]}, job=results.build("1", board=board))
        results.add(perf={"fps": [2 * value]}, job=results.build("2", board=board))

    drawn = ask(Perf(metric="fps", by="board"), results)
    to_first = ask(Perf(metric="fps", by="board", relative="first"), results)
    to_eve = ask(Perf(metric="fps", by="board", relative="eve"), results)

    def means(plot):
        return {series.name: [point.mean for point in series.points] for series in plot.series}

    assert means(drawn) == {"eve": [10, 20], "pi4": [5, 10]}
    assert means(to_first) == {"eve": [100, 200], "pi4": [100, 200]}
    assert means(to_eve) == {"eve": [100, 100], "pi4": [50, 50]}
    with pytest.raises(errors.NotFound, match="no series is called 'link'; series: eve, pi4"):
        ask(Perf(metric="fps", by="board", relative="link"), results)


def test_the_places_of_all_series_are_in_order(results):
    for version, board in ((10, "eve"), (9, "pi4"), (11, "pi4")):
        results.add(job=results.build(f"R{version}-1.0.0", board=board), perf={"fps": [1.0]})

    assert ask(Perf(metric="fps", by="board"), results).places == ("R9-1.0.0", "R10-1.0.0", "R11-1.0.0")


@pytest.fixture
def charted(results):
    """Two builds; a test with a chart of its own on each, and on the newer one also an iteration of the same name."""
    for version, value in ((1, 2.0), (2, 3.0)):
        perf = {"boot": [5.0]} if version == 2 else {}
        index = results.add(job=results.build(f"R{version}-1.0.0"), perf=perf)
        for graph, name, number in ((None, "boot", value), ("times", "login", value), (None, "lost", None)):
            row = {"test": index, "iteration": 1, "graph": graph, "description": name, "value": number}
            IterationPerfValue.insert(higher_is_better=False, **row).execute()
    return results


def test_metrics_of_charts_are_asked_for_like_others(charted):
    assert ask(Perf(), charted).metrics == ("boot", "times/login")
    (one,) = ask(Perf(metric="times/login"), charted).series
    assert [(point.x, point.mean) for point in one.points] == [("R1-1.0.0", 2.0), ("R2-1.0.0", 3.0)]


def test_a_chart_that_says_what_iterations_said_does_not_count_twice(charted):
    (one,) = ask(Perf(metric="boot"), charted).series
    assert [(point.count, point.mean) for point in one.points] == [(1, 2.0), (1, 5.0)]


def test_a_histogram_holds_every_value(results):
    results.add(perf={"fps": [0, 1, 2, 3, 4]})

    (series,) = ask(Perf(metric="fps", bins=2), results).series

    assert [(each.low, each.high, each.count) for each in series.bins] == [(0, 2, 2), (2, 4, 3)]


def test_a_histogram_of_one_value_is_one_bin_full(results):
    results.add(perf={"fps": [7, 7]})

    (series,) = ask(Perf(metric="fps", bins=3), results).series

    assert [each.count for each in series.bins] == [2, 0, 0]


def test_metrics_are_listed_and_an_unknown_one_is_told(results):
    results.add(perf={"fps": [1], "load": [2]})

    assert ask(Perf(), results).metrics == ("fps", "load")
    with pytest.raises(errors.NotFound, match="none of these results measured 'fsp'"):
        ask(Perf(metric="fsp"), results)


def test_machines_are_sorted_by_how_often_they_pass(results):
    for host, statuses in (
        ("good", ["GOOD"]),
        ("bad", ["FAIL", "ABORT"]),
        ("half", ["GOOD", "FAIL", "TEST_NA"]),
        ("most", ["GOOD"] * 19 + ["FAIL"]),
        ("idle", ["RUNNING"]),
    ):
        for status in statuses:
            results.add(status=status, host=host)
    results.add("other", "FAIL", host="good")

    with results.queries(4):
        found = qualification.ask(Qualification(tests="test = ping", interval=50), results.now)

    assert {each.name: each.hosts for each in found.bins} == {
        "N/A": ("idle",),
        "0 %": ("bad",),
        "0-50 %": (),
        "50-100 %": ("half", "most"),
        "100 %": ("good",),
    }
    assert found.to_json()["hosts"]["most"]["rate"] == 95


def test_the_machines_of_a_condition_count_without_results(results):
    results.add(host="eve1", platform="eve")
    results.add(host="pi1", platform="pi4")

    found = ask(Qualification(where="platform = eve", tests="test = boot or status = FAIL"), results)

    assert {each.name: each.hosts for each in found.bins if each.hosts} == {"N/A": ("eve1",)}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Table(limit=0), "limit: 0 is not between"),
        (Builds(last=5000), "last: 5000 is not between"),
        (Qualification(interval=0), "interval"),
        (Perf(metric="x", bins=1000), "bins"),
    ],
)
def test_numbers_have_bounds(results, question, message):
    with pytest.raises(errors.ValidationError, match=message):
        ask(question, results)


def test_a_question_is_kept_as_text():
    question = Matrix(where="test = 'ä & b'", rows=("test", "board"), last=20, latest=True)

    assert question.token().startswith("view=matrix&where=test+%3D")
    assert questions.from_token(question.token()) == question
    for view in questions.VIEWS.values():
        assert questions.from_token(view().token()) == view()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "has no view"),
        ("x", "cannot be read"),
        ("rows=test", "has no view; views: matrix, query"),
        ("view=matrix&last=x", "last: 'x' is no whole number"),
        ("view=matrix&last=-1", "last"),
        ("view=matrix&latest=1", "neither True nor False"),
        ("view=matrix&colour=red", "colour: a matrix has no such argument; it has: where,"),
        ("view=matrix&last=1&last=2", "names something twice"),
        ("view=matrix&where=%ff", "cannot be read"),
    ],
)
def test_text_that_is_no_question_is_refused(token, message):
    with pytest.raises(errors.ValidationError, match=message):
        questions.from_token(token)


def test_versions_sort_by_value_and_candidates_before_releases():
    versions = ["5.10", None, "5.4-rc2", "5.4.1", "5.4", "5.4-rc10", "a"]

    assert sorted(versions, key=counts.natural) == ["5.4-rc2", "5.4-rc10", "5.4", "5.4.1", "5.10", "a", None]


def test_good_passes_and_what_was_not_run_does_not_count():
    every = Counts(dict.fromkeys(("GOOD", "FAIL", "ERROR", "ABORT", "WARN", "ALERT", "TEST_NA", "NOSTATUS"), 1))

    assert (every.passed, every.total, every.incomplete) == (1, 6, 0)
    assert Counts({}).rate is None
