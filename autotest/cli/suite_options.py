"""Options of `suite create` and `suite run`, and what they are as arguments of api.create_suite_job."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from autotest import errors
from autotest.cli.job import words_to_dict

Command = TypeVar("Command", bound=Callable[..., Any])

#: The suite that chooses its tests by an expression over their attributes, and the argument that holds it.
ATTRIBUTE_SUITE, ATTRIBUTE_FILTER = "suite_attr_wrapper", "attr_filter"

_BUILDS = {"cheets_build": "cheets-version", "firmware_rw_build": "fwrw-version", "firmware_ro_build": "fwro-version"}
_DATA = "KEY=VALUE|JSON"


def _number(*names: str, help: str, least: int = 0, **more: Any) -> Any:
    return click.option(*names, type=click.IntRange(least), help=help, **more)


_WHAT = (
    click.argument("suite_name", metavar="SUITE"),
    click.option("-b", "--board", required=True, help="Run on hosts with the label board:BOARD."),
    click.option("--model", default="", help="Run on hosts with the label model:MODEL."),
    click.option("-p", "--pool", default="", help="Run on hosts with the label pool:POOL; default: any pool."),
    click.option("--label", "labels", multiple=True, help="Every test needs this label too; may be repeated."),
    click.option("-i", "--build", required=True, help="The build to test; TARGET/LATEST: its newest."),
    click.option("--cheets-build", default="", metavar="BUILD", help="Android build, label cheets-version."),
    click.option("--firmware-rw-build", default="", metavar="BUILD", help="Firmware build, label fwrw-version."),
    click.option("--firmware-ro-build", default="", metavar="BUILD", help="Firmware build, label fwro-version."),
    click.option("--builds", multiple=True, metavar="PREFIX=BUILD", help="Any other build, by its label's prefix."),
    click.option("--test-source-build", default="", metavar="BUILD", help="Take the tests from this build."),
    click.option("--run-prod-code", is_flag=True, help="Take the suite file from the server's own tree."),
    click.option("--use-suite-attr", is_flag=True, help="Choose the tests by their attribute suite:SUITE."),
    click.option("--suite-args", multiple=True, metavar=_DATA, help="Data for the suite file; may be repeated."),
    click.option("--test-args", multiple=True, metavar=_DATA, help="Data for every test; may be repeated."),
    click.option("--job-keyval", "--keyval", "keyvals", multiple=True, metavar=_DATA, help="Kept with the suite."),
)
_HOW = (
    click.option("-r", "--priority", default="Default", show_default=True, help="A name of the ladder, or a number."),
    _number("-t", "--timeout-mins", help="In all.", least=1, default=1440, show_default=True),
    _number("-x", "--max-runtime-mins", help="A test.", least=1, default=1440, show_default=True),
    _number("--delay-minutes", help="Wait before the tests; both limits grow by it.", default=0, show_default=True),
    click.option("--retry", is_flag=True, help="Run failed tests again, as often as their JOB_RETRIES say."),
    _number("--max-retries", help="With --retry: at most so often in the whole suite."),
    click.option("-f", "--file-bugs", is_flag=True, help="Report failures to the bug tracker."),
    _number("-u", "--num", help="Hosts that the suite may hold at a time.", least=1),
    _number("--suite-min-duts", help="Hosts that it gets before others get more.", default=0, show_default=True),
    _number("--minimum-duts", help="Refuse unless so many hosts are available now.", default=0, show_default=True),
    click.option("--skip-duts-check", "--skip-check", "skip_check", is_flag=True, help="Create it whatever the hosts."),
    click.option("-l", "--bypass-labstatus", is_flag=True, help="Create it even if its lab is drained."),
    click.option("--pre-check", is_flag=True, help="Not again: exit 1 if it was created in the last 14 days."),
    click.option("--offload-failures-only", is_flag=True, help="Keep the logs of failures only."),
    click.option("--no-wait", is_flag=True, help="The suite ends as soon as its jobs are created."),
    click.option("--owner", help="Whose suite it is; default: your login name."),
)


def creation(command: Command) -> Command:
    """Put every option of a new suite onto *command*."""
    for option in reversed((*_WHAT, *_HOW)):
        command = option(command)
    return command


def place(given: dict[str, Any]) -> list[str]:
    """The labels that every test of the suite needs, as far as the options say."""
    pool = [f"pool:{given['pool']}"] if given["pool"] else []
    return [f"board:{given['board']}", *pool, *_child_labels(given)]


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The options as arguments of api.create_suite_job. Raises ValidationError, naming the option."""
    if given["max_retries"] is not None and not given["retry"]:
        raise errors.ValidationError({"--max-retries": "goes with --retry"})
    name, suite_args = given["suite_name"], data(given["suite_args"], "--suite-args")
    if given["use_suite_attr"]:
        if suite_args:
            raise errors.ValidationError({"--use-suite-attr": "does not go with --suite-args"})
        name, suite_args = ATTRIBUTE_SUITE, {ATTRIBUTE_FILTER: f"suite:{name}"}
    delay = given["delay_minutes"]
    return {
        "suite_name": name,
        "board": given["board"],
        "build": given["build"],
        "pool": given["pool"],
        "check_hosts": not given["skip_check"],
        "num": given["num"],
        "file_bugs": given["file_bugs"],
        "timeout_mins": given["timeout_mins"] + delay,
        "max_runtime_mins": given["max_runtime_mins"] + delay,
        "priority": given["priority"],
        "suite_args": suite_args,
        "wait_for_results": not given["no_wait"],
        "job_retry": given["retry"],
        "max_retries": given["max_retries"],
        "suite_min_duts": given["suite_min_duts"],
        "offload_failures_only": given["offload_failures_only"],
        "builds": _builds(given),
        "test_source_build": given["test_source_build"] or None,
        "run_prod_code": given["run_prod_code"],
        "delay_minutes": delay,
        "child_dependencies": _child_labels(given),
        "job_keyvals": {key: str(value) for key, value in data(given["keyvals"], "--job-keyval").items()},
        "test_args": data(given["test_args"], "--test-args") or None,
        "owner": given["owner"],
    }


def data(words: Sequence[str], option: str) -> dict[str, Any]:
    """What ``KEY=VALUE`` words (the value is text) and JSON objects say together, later ones last. Raises
    ValidationError, naming *option*."""
    found: dict[str, Any] = {}
    for word in words:
        if not word.lstrip().startswith(("{", "[")):
            found |= words_to_dict([word], option)
            continue
        try:
            value = json.loads(word)
        except (ValueError, RecursionError) as problem:
            raise errors.ValidationError({option: f"not JSON: {problem}"}) from problem
        if not isinstance(value, dict):
            raise errors.ValidationError({option: f"must be KEY=VALUE or a JSON object, not {word}"})
        found |= value
    return found


def _child_labels(given: dict[str, Any]) -> list[str]:
    return [*([f"model:{given['model']}"] if given["model"] else []), *given["labels"]]


def _builds(given: dict[str, Any]) -> dict[str, str] | None:
    """The builds beside --build by prefix, that one first; None when there is no other."""
    others = words_to_dict(given["builds"], "--builds")
    others |= {prefix: given[name] for name, prefix in _BUILDS.items() if given[name]}
    return {"version": given["build"], **others} if others else None
