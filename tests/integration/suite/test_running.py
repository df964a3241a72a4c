"""Suite control files that do as they should: what they see, what they change, and which tests they mean."""

from __future__ import annotations

import dataclasses

import pytest

from autotest.control_file import ControlFile
from autotest.suite import runner
from autotest.suite.predicates import FieldIn, Listed, NameMatches

CALL = "from autotest.suite import dynamic_suite, library\n"


def names(decision) -> list[str]:
    return [test.name for test in decision.members]


def test_a_file_that_only_assigns_means_the_tests_that_carry_its_name(decide):
    decision = decide('NAME = "kernel"\nDOC = """\nSays what it is.\n"""\n')
    assert names(decision) == ["ping", "quick", "try"]
    assert (decision.spec.name, decision.spec.pool, decision.spec.owner, decision.spec.num) == (
        "kernel",
        "suites",
        "alice",
        4,
    )
    assert decision.notes == []


def test_a_call_with_a_name_means_the_same(decide):
    decision = decide(
        f"{CALL}args_dict['name'] = 'bvt'\nargs_dict['job'] = job\ndynamic_suite.reimage_and_run(**args_dict)\n"
    )
    assert names(decision) == ["ping"]
    assert (decision.spec.name, decision.spec.predicate) == ("bvt", None)


def test_a_suite_is_one_line(decide):
    decision = decide(
        f"{CALL}library.run(args_dict, library.every(test_class='kernel', time=('SHORT', 'MEDIUM', 'LONG')))\n"
    )
    assert names(decision) == ["long"]
    assert decision.spec.predicate is not None
    assert FieldIn("test_class", ("kernel",)).to_json() in decision.spec.predicate.to_json()["all"]


def test_what_the_file_says_goes_before_what_the_caller_asked(decide):
    decision = decide(
        f"{CALL}args_dict['pool'] = 'mine'\nlibrary.run(args_dict, max_runtime_mins=7, suite_dependencies='servo')\n"
    )
    assert (decision.spec.pool, decision.spec.max_runtime_mins, decision.spec.num) == ("mine", 7, 4)
    assert decision.spec.place == ["board:pi4", "pool:mine", "servo"]


def test_the_file_sees_each_argument_as_a_variable_of_its_own(decide):
    decision = decide(
        f"{CALL}"
        "assert (board, build, builds, pool, num, timeout) == ('pi4', 'R7-1', {'version': 'R7-1'}, 'suites', 4, 24)\n"
        "assert (job.user, job.tag, job.resultdir) == ('alice', '', None)\n"
        "assert flavour == ['sweet'] and flavour is not args_dict['flavour']\n"
        "assert 'args_dict' not in args_dict and 'owner' not in args_dict\n"
        "library.run(args_dict)\n",
        suite_args={"flavour": ["sweet"]},
    )
    assert decision.notes == ["Ignored key flavour was passed to suite kernel"]


def test_the_file_knows_the_tag_of_its_job(decide):
    arguments = {"board": "pi4", "builds": {"version": "R1"}, "owner": "bob", "job_tag": "17-bob"}
    text = f"{CALL}assert (job.user, job.tag) == ('bob', '17-bob')\nlibrary.run(args_dict)\n"
    assert runner.decide(text, "test_suites/control.x", arguments, []).spec.owner == "bob"


def test_nobody_becomes_somebody_else(decide):
    assert decide(f"{CALL}library.run({{**args_dict, 'owner': 'root'}})\n").spec.owner == "alice"


def test_a_predicate_may_be_python_code(decide):
    decision = decide(
        f"{CALL}library.run(args_dict, lambda test: test.time_rank < 2 and 'kernel' in test.suite_tag_parts)\n"
    )
    assert names(decision) == ["ping", "quick", "try"]
    assert decision.spec.predicate == Listed(frozenset(test.path for test in decision.members))


def test_a_function_may_answer_with_anything_that_is_true(decide):
    assert names(decide(f"{CALL}library.run(args_dict, lambda test: test.suite)\n")) == ["ping", "quick", "try"]


def test_a_regular_expression_is_asked_in_the_child_and_stays_what_it_is(decide):
    decision = decide(f"{CALL}library.run(args_dict, library.name_matches('.*n'))\n")
    assert names(decision) == ["long", "ping"]
    assert decision.spec.predicate == NameMatches(".*n")


def test_a_predicate_in_json_will_do(decide):
    text = (
        f"{CALL}args_dict.update(name='x', predicate={{'name': 'long'}})\ndynamic_suite.reimage_and_run(**args_dict)\n"
    )
    assert names(decide(text)) == ["long"]


def test_experimental_tests_run_beside_the_others_unless_the_suite_says_no(decide):
    assert [test.experimental for test in decide(f"{CALL}library.run(args_dict)\n").members] == [False, False, True]
    decision = decide(f"{CALL}library.run(args_dict, add_experimental=False)\n")
    assert names(decision) == ["ping", "quick"]
    assert decision.notes == ["add_experimental=False leaves out try"]


def test_what_the_file_prints_is_a_note(decide):
    [note] = decide(f"{CALL}print('chosen by moonlight')\nlibrary.run(args_dict)\n").notes
    assert note == "test_suites/control.kernel printed: chosen by moonlight"


def test_a_suite_without_members_says_why(decide):
    [note] = decide(f"{CALL}library.run(args_dict, name='kernal')\n").notes
    assert note == "no control file is in suite kernal; did you mean kernel?"
    [note] = decide(f"{CALL}library.run(args_dict, library.every(needs='servo'))\n").notes
    assert "that needs servo" in note


def test_members_keep_the_order_in_which_the_tests_were_given(decide):
    many = [ControlFile(path=f"control/{number}/control", name=str(number), suite="kernel") for number in range(500)]
    assert decide(f"{CALL}library.run(args_dict, lambda test: int(test.name) % 2)\n", tests=many).members == many[1::2]


def test_a_spec_that_was_decided_can_be_kept(decide):
    spec = decide(f"{CALL}library.run(args_dict, lambda test: True, job_retry=True)\n").spec
    assert type(spec).from_json(spec.to_json()) == spec
    assert dataclasses.replace(spec, predicate=None, job_retry=False).to_json()["pool"] == "suites"


@pytest.mark.parametrize("name", ["AUTOTEST_CONFIG", "HOME", "SECRET"])
def test_the_environment_of_the_caller_stays_with_the_caller(decide, monkeypatch, name):
    monkeypatch.setenv(name, "secret")
    assert decide(f"{CALL}import os\nassert {name!r} not in os.environ\nlibrary.run(args_dict)\n").members


def test_standard_input_is_empty(decide):
    assert decide(f"{CALL}import sys\nassert sys.stdin.read() == ''\nlibrary.run(args_dict)\n").members
