"""SuiteSpec: required and defaulted arguments, builds, labels, and the way to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import errors
from autotest.control_file import ControlFile
from autotest.scheduler.labels import deciding
from autotest.suite.predicates import InSuite, Named
from autotest.suite.spec import SuiteSpec, source_build

CALL: dict[str, Any] = {"name": "bvt", "board": "lumpy", "builds": {"cros-version": "lumpy-release/R50-1.0.0"}}
INVENTORY = {
    "h1": {"board:lumpy", "pool:suites", "servo"},
    "h2": {"board:lumpy", "pool:suites", "bluetooth"},
    "h3": {"board:lumpy", "pool:bvt", "bluetooth", "servo"},
    "h4": {"board:link", "pool:suites", "modem:gobi3k"},
}


def called(**changes: Any) -> SuiteSpec:
    spec, _ = SuiteSpec.from_call({**CALL, **changes})
    return spec


def test_what_is_not_said_has_the_default_of_the_original_interface():
    spec, notes = SuiteSpec.from_call(CALL)
    assert notes == []
    assert dataclasses.asdict(spec) == {
        **CALL,
        "owner": "", "pool": "", "check_hosts": True, "num": None, "file_bugs": False, "priority": 40,
        "max_runtime_mins": 1440, "timeout_mins": 1440, "suite_dependencies": (), "child_dependencies": (),
        "bug_template": {}, "predicate": None, "wait_for_results": True, "job_retry": False, "max_retries": None,
        "suite_min_duts": 0, "each_host": False, "num_max": None, "offload_failures_only": False,
        "test_source_build": "lumpy-release/R50-1.0.0", "run_prod_code": False,
        "delay_minutes": 0, "job_keyvals": {}, "test_args": {}, "add_experimental": True,
        "devserver_url": "",
    }  # fmt: skip
    assert spec.wanted == InSuite("bvt")


@pytest.mark.parametrize("value", ["missing", None, "", {}, [], 7, ["lumpy"]])
@pytest.mark.parametrize(("key", "kind"), [("board", "str"), ("builds", "dict"), ("name", "str")])
def test_a_required_argument_that_is_missing_empty_or_of_another_type_is_named(key, kind, value):
    call = {**CALL, key: value}
    if value == "missing":
        del call[key]
    with pytest.raises(errors.SuiteArgumentException, match=rf"^reimage_and_run\(\) needs {key}={kind}$"):
        SuiteSpec.from_call(call)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("pool", 3, "needs pool=str, not 3"),
        ("pool", "a\nb", "needs pool=str"),
        ("board", "a,b", "needs board=str, not 'a,b'"),
        ("name", "../bvt", "needs name=str"),
        ("check_hosts", "yes", "needs check_hosts=bool, not 'yes'"),
        ("wait_for_results", 1, "needs wait_for_results=bool, not 1"),
        ("num", 0, "needs num of at least 1, not 0"),
        ("num", True, "needs num=int, not True"),
        ("timeout_mins", 0, "needs timeout_mins of at least 1"),
        ("max_runtime_mins", "60", "needs max_runtime_mins=int, not '60'"),
        ("max_retries", -1, "needs max_retries of at least 0"),
        ("delay_minutes", 2**40, "needs delay_minutes of at most 2147483647"),
        ("priority", "Often", "priority 'Often' is neither a number nor one of WEEKLY"),
        ("priority", 1.5, "needs priority=int, not 1.5"),
        ("suite_dependencies", 5, "needs suite_dependencies=list, not 5"),
        ("child_dependencies", ["a", ""], "needs child_dependencies=list of labels, not ''"),
        ("bug_template", "x", "needs bug_template=dict, not 'x'"),
        ("job_keyvals", {"a": object()}, "needs job_keyvals=dict that JSON can hold"),
        ("job_keyvals", {"a": float("nan")}, "needs job_keyvals=dict that JSON can hold"),
        ("job_keyvals", {1: "a"}, "needs job_keyvals=dict"),
        ("test_args", {"a-b": 1}, "test_args: 'a-b' cannot be the name of a test argument"),
        ("test_args", {"Fast": True}, "test_args: 'Fast' cannot be"),
        ("test_args", {"class": 1}, "test_args: 'class' cannot be"),
        ("builds", {"firmware": "x"}, "needs builds=dict of builds by version or <what>-version, not 'firmware': 'x'"),
        ("builds", {"version": 7}, "needs builds=dict; version must be text"),
        ("builds", {"a:version": "x"}, "needs builds=dict"),
        ("predicate", {"planet": "mars"}, "predicate: 'planet' is not one of"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(key, value, text):
    with pytest.raises(errors.SuiteArgumentException) as caught:
        called(**{key: value})
    assert text in str(caught.value)


def test_none_stands_for_the_default():
    assert called(pool=None, max_retries=None, suite_dependencies=None, test_args=None, priority=None) == called()


def test_a_keyword_without_effect_is_noted_and_what_we_gave_is_not():
    _, notes = SuiteSpec.from_call({**CALL, "sharding_factor": 2, "job": object(), "build": "x", "timeout": 24})
    assert notes == ["Ignored key sharding_factor was passed to suite bvt"]


@pytest.mark.parametrize(("value", "number"), [("CQ", 70), ("weekly", 10), ("PostBuild", 30), ("90", 90), (-5, -5)])
def test_a_priority_is_a_name_of_the_ladder_in_any_case_or_any_integer(value, number):
    assert called(priority=value).priority == number


@pytest.mark.parametrize(
    "value", ["carrier:att, modem_repair", ["carrier:att", "modem_repair"], "carrier:att,,modem_repair,"]
)
def test_suite_dependencies_are_one_text_or_a_list(value):
    assert called(suite_dependencies=value).suite_dependencies == ("carrier:att", "modem_repair")


def test_a_list_of_dependencies_stays_the_callers_own():
    mine = ["servo"]
    assert called(suite_dependencies=mine).suite_dependencies == ("servo",)
    assert mine == ["servo"]


@pytest.mark.parametrize(
    ("builds", "explicit", "expected"),
    [
        ({"cros-version": "lumpy-release/R50-1.0.0"}, None, "lumpy-release/R50-1.0.0"),
        ({"cros-version": "lumpy-release/R50-1.0.0-cheetsth"}, None, "lumpy-release/R50-1.0.0"),
        ({"cros-version": "lumpy-release/R50-1.0.0"}, "other/R51-2", "other/R51-2"),
        ({"fwrw-version": "fw/1", "cros-version": "a/R1"}, None, "a/R1"),
        ({"version": "R7-1"}, None, "R7-1"),
        ({"fwrw-version": "fw/1"}, "a/R1", "a/R1"),
    ],
)
def test_control_files_come_from_the_explicit_build_or_that_of_the_device(builds, explicit, expected):
    assert source_build(builds, explicit) == expected
    assert called(builds=builds, test_source_build=explicit).build == expected


@pytest.mark.parametrize("builds", [{"fwrw-version": "fw/1"}, {"cros-version": ""}])
def test_without_a_device_build_the_source_must_be_named(builds):
    text = r"^test_source_build must be specified if CrOS build is not specified\.$"
    with pytest.raises(errors.SuiteArgumentException, match=text):
        called(builds=builds)


def test_production_code_needs_no_source_build():
    spec = called(builds={"fwrw-version": "fw/1"}, run_prod_code=True)
    assert (spec.test_source_build, spec.build, spec.device_build) == ("", "fw/1", "fw/1")


def test_each_build_is_a_version_label_and_a_plain_one_keeps_its_plain_label():
    builds = {"cros-version": "a/R1", "fwrw-version": "fw/1"}
    assert called(builds=builds).version_labels == ["cros-version:a/R1", "fwrw-version:fw/1"]
    assert called(builds={"version": "R7-1"}).version_labels == ["version:R7-1"]


def test_a_child_needs_what_test_suite_caller_place_and_builds_ask_for():
    spec = called(pool="suites", suite_dependencies="wificell", child_dependencies=["model:lumpy"])
    assert spec.place == ["board:lumpy", "pool:suites", "wificell", "model:lumpy"]
    assert spec.needs(ControlFile(dependencies=frozenset({"servo", "wificell"}))) == [
        "board:lumpy", "cros-version:lumpy-release/R50-1.0.0", "model:lumpy", "pool:suites", "servo", "wificell",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("board", "pool", "suite", "test", "eligible"),
    [
        ("lumpy", "suites", "", "", ["h1", "h2"]),
        ("lumpy", "suites", "", "servo", ["h1"]),
        ("lumpy", "suites", "", "servo,bluetooth", []),
        ("lumpy", "bvt", "", "servo,bluetooth", ["h3"]),
        ("lumpy", None, "", "servo,bluetooth", ["h3"]),
        ("lumpy", "suites", "", "Servo", []),
        ("link", "suites", "", "modem:gobi3k,rpm,cleanup-reboot", ["h4"]),
        ("nosuch", "suites", "", "", []),
        ("lumpy", "suites", "bluetooth", "servo", []),
        ("lumpy", "suites", "", "skip_provision,never_heard_of", []),
        ("lumpy", "suites", "carrier:att,modem_repair", "", []),
        ("lumpy", "suites", "modem_repair", "", ["h1", "h2"]),
    ],
)
def test_the_labels_of_a_child_choose_the_hosts_of_section_9_2(board, pool, suite, test, eligible):
    spec = called(board=board, pool=pool, suite_dependencies=suite)
    needed = deciding(spec.needs(ControlFile(dependencies=frozenset(filter(None, test.split(","))))))
    assert [name for name, carried in INVENTORY.items() if needed <= carried] == eligible


def test_a_suite_file_finds_what_the_caller_asked_for():
    spec = called(pool="suites", timeout_mins=90, owner="alice", num=3)
    found = spec.arguments()
    assert found.keys() >= {
        "board", "build", "builds", "check_hosts", "pool", "child_dependencies", "file_bugs", "timeout", "timeout_mins",
        "devserver_url", "priority", "wait_for_results", "job_retry", "max_retries", "max_runtime_mins",
        "offload_failures_only", "test_source_build", "run_prod_code", "delay_minutes", "job_keyvals", "test_args",
    }  # fmt: skip
    assert (found["build"], found["timeout"], found["num"], found["owner"]) == (spec.build, 1.5, 3, "alice")
    assert "name" not in found
    assert "predicate" not in found
    again, notes = SuiteSpec.from_call({**found, "name": "bvt"})
    assert (dataclasses.replace(again, owner="alice"), notes) == (spec, [])


def test_suite_args_go_over_all_else():
    found = called(pool="suites").arguments({"pool": "bvt", "tests": ["a"]})
    assert (found["pool"], found["tests"]) == ("bvt", ["a"])


@pytest.mark.parametrize("key", ["a-b", "class", "__builtins__", "job", "owner", "args_dict", "build", "job_tag", ""])
def test_suite_args_are_names_that_are_the_callers_to_set(key):
    with pytest.raises(errors.SuiteArgumentException, match="cannot be the name of an argument"):
        called().arguments({key: 1})


def test_suite_args_are_json():
    with pytest.raises(errors.SuiteArgumentException, match="needs suite_args=dict that JSON can hold"):
        called().arguments({"tests": {"a", "b"}})


label = st.text(st.characters(categories=["L", "Nd", "P", "S"], exclude_characters=","), min_size=1, max_size=30)
spec_changes = st.fixed_dictionaries(
    {},
    optional={
        "pool": st.text("abc_-:0", max_size=20),
        "owner": st.text("abc_-:0", max_size=20),
        "num": st.integers(1, 1000),
        "priority": st.integers(-100, 200),
        "timeout_mins": st.integers(1, 10**6),
        "suite_dependencies": st.lists(label),
        "child_dependencies": st.lists(label),
        "job_retry": st.booleans(),
        "max_retries": st.integers(0, 9),
        "bug_template": st.dictionaries(st.text(), st.lists(st.text())),
        "job_keyvals": st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
        "test_args": st.dictionaries(st.from_regex(r"arg_[a-z]{1,5}", fullmatch=True), st.integers()),
        "predicate": st.builds(lambda name: Named(name).to_json(), st.text()),
    },
)


@given(spec_changes)
def test_a_spec_survives_json(changes):
    spec = called(**{key: value for key, value in changes.items() if key != "owner"})
    spec = dataclasses.replace(spec, owner=changes.get("owner", ""))
    assert SuiteSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from([field.name for field in dataclasses.fields(SuiteSpec)]), json_value))
def test_hostile_json_is_refused_by_one_kind_of_error(data):
    try:
        spec = SuiteSpec.from_json({**CALL, **data})
    except errors.SuiteArgumentException:
        return
    assert SuiteSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("data", [None, [], "x", {**CALL, "planet": "mars"}])
def test_what_is_no_spec_is_refused(data):
    with pytest.raises(errors.SuiteArgumentException):
        SuiteSpec.from_json(data)
