"""Selection: the database finds the results that a plain loop over them finds, whatever is asked."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import operator
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotest import errors
from autotest.models import tko
from autotest.results.query import conditions, selection, table
from autotest.results.query.questions import Question

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "a*b",
    "a?b",
    "a[b",
    "a%b",
    "a_b",
    "a!b",
    "a\\b",
    "a'b",
    'a"; DROP',
    "\U0001f600",
    "ä ",
    "1",
    "none",
]
LABELS = ["invalidated", "flaky", "Flaky", "keep"]
MOMENTS = [NOW, NOW - datetime.timedelta(days=1), NOW.replace(hour=0), NOW.replace(microsecond=1)]
NUMBERS = [-1, 0, 1, 1.5, 2, 1e20]

texts = st.sampled_from(TEXTS)
optional = st.none() | texts


@st.composite
def _rows(draw):
    """What Results.add takes, and nothing in it twice."""
    return {
        "test": draw(optional),
        "status": draw(st.sampled_from(["GOOD", "FAIL", "TEST_NA", "RUNNING"])),
        "host": draw(texts),
        "kernel": draw(texts),
        "reason": draw(optional),
        "started_time": draw(st.none() | st.sampled_from(MOMENTS)),
        "finished_time": draw(st.none() | st.sampled_from(MOMENTS)),
        "invalid": draw(st.booleans()),
        "labels": draw(st.lists(st.sampled_from(LABELS), unique=True, max_size=2)),
        "keyvals": draw(st.dictionaries(st.sampled_from(["k", "K"]), texts, max_size=2)),
        "attributes": draw(st.dictionaries(st.sampled_from(["k", "version"]), texts, max_size=2)),
        "perf": draw(
            st.dictionaries(
                st.sampled_from(["fps"]), st.lists(st.none() | st.sampled_from(NUMBERS), max_size=3), max_size=1
            )
        ),
        "job": {"suite": draw(optional), "board": draw(optional), "afe_job_id": draw(st.none() | st.integers(1, 3))},
    }


def _values(row, test_idx, name):
    """The values of a field, as a list: none, one, or several."""
    if name.startswith("keyval."):
        found = row["keyvals"].get(name[7:])
    elif name.startswith("attr."):
        found = row["attributes"].get(name[5:])
    elif name.startswith("perf."):
        return [value for value in row["perf"].get(name[5:], []) if value is not None]
    elif name == "label":
        return row["labels"]
    elif name == "id":
        found = test_idx
    elif name in ("suite", "board"):
        found = row["job"][name]
    elif name == "job_id":
        found = row["job"]["afe_job_id"]
    elif name == "day":
        found = row["finished_time"] and row["finished_time"].date().isoformat()
    elif name in ("started", "finished"):
        found = row[f"{name}_time"]
    else:
        found = row[name]
    return [] if found is None else [found]


@dataclasses.dataclass(frozen=True)
class _Leaf:
    name: str
    op: str
    value: object

    def __str__(self):
        if self.op == "in":
            return f"{self.name} in ({', '.join(map(_written, self.value))})"
        return f"{self.name} {self.op} {'none' if self.value is None else _written(self.value)}"

    def holds(self, values):
        if self.value is None:
            return (not values) is (self.op == "=")
        if self.op == "!=":
            return self.value not in values
        if self.op == "in":
            return any(value in self.value for value in values)
        if self.op == "~":
            translated = re.compile(fnmatch.translate(self.value.replace("[", "[[]")))
            return any(translated.match(value) for value in values)
        compare = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[self.op]
        return any(compare(value, self.value) for value in values)


def _written(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.datetime):
        return f"'{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}'"
    return conditions.quoted(str(value))


def _leaves(names, values, ops):
    single = st.builds(_Leaf, names, st.sampled_from(ops), values)
    several = st.builds(_Leaf, names, st.just("in"), st.lists(values, min_size=1, max_size=3).map(tuple))
    return single | several


ORDER = ["=", "!=", "<", "<=", ">", ">="]
FREE = ["test", "host", "kernel", "reason", "suite", "board", "keyval.k", "attr.k", "attr.version"]
PATTERNS = ["*", "a*", "*b", "?", "a?b", "a[b", "A*", "*'*", "", "a%b", "a!b", "a\\b", "*\U0001f600", "**b*"]
ANY = [*FREE, "perf.fps", "job_id", "day", "started", "finished", "label"]
LEAVES = st.one_of(
    _leaves(st.sampled_from(FREE), texts, ["=", "!="]),
    st.builds(_Leaf, st.sampled_from(FREE), st.just("~"), st.sampled_from(PATTERNS)),
    st.builds(_Leaf, st.sampled_from(ANY), st.sampled_from(["=", "!="]), st.none()),
    _leaves(st.sampled_from(["perf.fps", "job_id"]), st.sampled_from(NUMBERS), ORDER),
    _leaves(st.sampled_from(["started", "finished"]), st.sampled_from(MOMENTS), ORDER),
    _leaves(st.just("day"), st.sampled_from(["2026-11-20", "2026-11-21"]), ORDER),
    _leaves(st.just("status"), st.sampled_from(["GOOD", "FAIL", "WARN"]), ["=", "!="]),
    st.builds(_Leaf, st.just("status"), st.just("~"), st.sampled_from(["*A*", "GOOD", "x"])),
    _leaves(st.just("label"), st.sampled_from(LABELS), ["=", "!="]),
    st.builds(_Leaf, st.just("label"), st.just("~"), st.sampled_from(["*laky", "x*"])),
    _leaves(st.just("invalid"), st.booleans(), ["=", "!="]),
)
TREES = st.recursive(
    LEAVES,
    lambda part: (
        st.tuples(st.just("not"), part)
        | st.tuples(st.sampled_from(["and", "or"]), st.lists(part, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


def _text(tree):
    if isinstance(tree, _Leaf):
        return str(tree)
    if tree[0] == "not":
        return f"not ({_text(tree[1])})"
    return "(" + f" {tree[0]} ".join(map(_text, tree[1])) + ")"


def _holds(tree, row, test_idx):
    if isinstance(tree, _Leaf):
        return tree.holds(_values(row, test_idx, tree.name))
    if tree[0] == "not":
        return not _holds(tree[1], row, test_idx)
    return (all if tree[0] == "and" else any)(_holds(part, row, test_idx) for part in tree[1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_rows(), max_size=5), st.lists(TREES, min_size=5, max_size=5))
def test_the_database_finds_what_a_loop_finds(results, rows, trees):
    results.clear()
    for label in LABELS:
        tko.TestLabel.get_or_create(name=label)
    made = {results.add(**row): row for row in rows}

    for tree in trees:
        wanted = sorted(index for index, row in made.items() if _holds(tree, row, index))
        question = Question(_text(tree), with_invalid=True, with_job_records=True)
        assert table.matching(question, NOW) == wanted, _text(tree)


def found(text="", **flags):
    return table.matching(Question(text, **flags), NOW)


def test_what_was_retried_is_left_out_unless_somebody_asks(results):
    valid, invalid = results.add(), results.add(invalid=True)

    assert found() == [valid]
    assert found(with_invalid=True) == [valid, invalid]
    assert found("invalid = yes") == [invalid]
    assert found("not invalid = yes or test = x") == [valid]


def test_what_tells_of_a_job_is_left_out_unless_somebody_asks(results):
    tests = [results.add(name) for name in ("ping", None, "CLIENT_JO", "CLIENTxJOB", "SERVER_JOB2")]
    results.add("SERVER_JOB", subdir="----")
    results.add("CLIENT_JOB.0", subdir=None)
    results.add("CLIENT_JOB", subdir=None)
    results.add("ping", subdir="17-ann/h1/ping")
    results.add("boot.0", subdir="17-ann/h1")
    tests.append(results.add("ping", subdir="parent/1/ping"))

    assert found() == tests
    assert len(found(with_job_records=True)) == len(tests) + 5


def test_a_label_of_the_machine_is_one_of_its_list(results):
    first = results.add(attributes={"host-labels": "model%3Aeve,wifi"})
    second = results.add(attributes={"host-labels": "wifi_ax"})
    third = results.add()

    assert found("host_label = wifi") == [first]
    assert found("host_label = model:eve") == [first]
    assert found("host_label in (wifi, wifi_ax)") == [first, second]
    assert found("host_label = none") == [third]
    assert found("host_label != wifi") == [second, third]
    assert found("host_label = 'wif*'") == []


def test_a_label_that_nobody_made_is_an_error(results):
    with pytest.raises(errors.NotFound, match=r"no test label is called 'flakey'; labels: invalidated"):
        found("label = flakey")


def test_numbers_between_integers_are_no_integers(results):
    """MariaDB looks 1.5 up in an index of integers as 2."""
    one, two, three = (results.add(job={"afe_job_id": number}) for number in (1, 2, 3))

    assert found("job_id = 1.5") == []
    assert found("job_id in (1.5, 2.0, 1e30)") == [two]
    assert found("not job_id = 1.5") == [one, two, three]
    assert found("job_id > 1.5 and job_id < 2.5") == [two]
    assert found("job_id >= 1.5 and job_id <= 2.5") == [two]
    assert found("job_id < 1e30 and job_id > -1e30 and not job_id > 1e30") == [one, two, three]


@pytest.mark.parametrize("hostile", ["'; DROP TABLE tko_tests; --", "x' OR '1'='1", "%s", "?", ":a", "\\'"])
def test_a_value_is_only_ever_a_value(results, hostile):
    results.add()
    mine = results.add(hostile, keyvals={"k": hostile})

    for name in ("test", "keyval.k"):
        assert found(f"{name} = {conditions.quoted(hostile)}") == [mine]
    with pytest.raises(errors.BadCondition):
        found(f"{hostile} = 1")
    assert tko.TestResult.select().count() == 2


def test_the_name_of_a_keyval_is_only_ever_a_name(results):
    results.add(keyvals={"a`--": "1"})

    assert len(found("keyval.a`-- = 1")) == 1
    assert found("keyval.x;DROP = 1") == []


def test_a_pattern_with_many_stars_is_answered(results):
    results.add(reason="a" * 4000)

    assert found(f"reason ~ '{'*a' * 50}b'") == []


def test_patterns_are_those_of_the_shell_without_brackets():
    assert selection.pattern("a*[?").fullmatch("axx[y")
    assert not selection.pattern("a").fullmatch("A")


def test_the_most_results_are_counted_not_read(results):
    results.add()
    results.add("x")

    with results.queries(2):
        assert table.count(Question("test = x"), NOW) == 1


def test_the_longest_condition_is_answered(results):
    mine = results.add()
    text = " or ".join(f"(test=ping and keyval.k = {number})" for number in range(60)) + " or test = ping"

    assert found(text) == [mine]
    assert found("not " * 40 + "test = ping") == [mine]
