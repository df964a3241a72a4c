"""Checks before a suite is created: are its machines there, is their lab open, did it run before (spec section 4.7)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import click

from autotest import api, errors, plurals
from autotest.cli import suite_codes, suite_options
from autotest.cli.failures import Failure
from autotest.states import HostStatus

#: A suite that was created since counts as one that ran before.
RECENT = datetime.timedelta(days=14)

#: Section 4.7: what --minimum-duts does not count, beside locked hosts.
_UNAVAILABLE = frozenset({HostStatus.REPAIR_FAILED.value, HostStatus.REPAIRING.value, HostStatus.VERIFYING.value})


def create(given: dict[str, Any]) -> int:
    """Check the lab, then create the suite job; returns its id.

    Raises Failure with the code of section 4.8 for a lab that cannot run it, ValidationError for options that do not
    fit, and what api.create_suite_job raises.
    """
    given = {**given, "build": _named(given["build"])}
    arguments = suite_options.arguments(given)
    if given["pre_check"]:
        _look_back(given, arguments["suite_name"])
    if not given["skip_check"]:
        _look_at_hosts(given)
    try:
        return api.create_suite_job(**arguments)
    except errors.NoEligibleHost as problem:
        if not api.machines(suite_options.place(given)):
            raise Failure(str(problem), suite_codes.BOARD_NOT_AVAILABLE) from problem
        text = f"{problem}; --skip-duts-check queues the suite all the same"
        raise Failure(text, suite_codes.INFRA_FAILURE) from problem


def _named(build: str) -> str:
    """The build's own name; says on stderr which one the newest is."""
    found = api.newest_build(build)
    if found != build:
        click.echo(f"{build} is {found}", err=True)
    return found


def _look_at_hosts(given: dict[str, Any]) -> None:
    """Refuse when the machines of the suite all lie in drained labs, or fewer are available than are asked for. Where
    nobody carries the labels, the creation says so, with the labels that come nearest."""
    hosts = api.machines(suite_options.place(given))
    wanted = ", ".join(suite_options.place(given))
    closed = _closed(hosts)
    if closed and not given["bypass_labstatus"]:
        code = suite_codes.ERROR if given["pre_check"] else suite_codes.INFRA_FAILURE
        raise Failure(
            f"{closed}, and no other lab has {wanted}; --bypass-labstatus queues the suite all the same", code
        )
    least = given["minimum_duts"]
    live = [host for host in hosts if not host["locked"] and host["status"] not in _UNAVAILABLE]
    if least and hosts and len(live) < least:
        raise Failure(
            f"{len(live)} of the {plurals.counted(len(hosts), 'host')} with {wanted} are available, and --minimum-duts "
            f"asks for {least}; see: autotest host list",
            suite_codes.INFRA_FAILURE,
        )


def _closed(hosts: Sequence[dict[str, Any]]) -> str:
    """Why every one of *hosts* takes no new work for its lab is drained; '' while one does."""
    drained = {
        lab["name"]: f"lab {lab['name']} is drained by {lab['drained_by']} ({lab['drain_reason'] or 'no reason given'})"
        for lab in api.list_labs()
        if lab["drained"]
    }
    if not hosts or any(host["lab"] not in drained for host in hosts):
        return ""
    return "; ".join(drained[name] for name in sorted({host["lab"] for host in hosts}))


def _look_back(given: dict[str, Any], suite_name: str) -> None:
    """Refuse a suite that ran not long ago."""
    asked = set(suite_options.place(given))
    for suite in api.find_suites((suite_name,), (given["build"],), (given["board"],), RECENT):
        if given["model"] == "" or f"model:{given['model']}" in suite["child_dependencies"]:
            raise Failure(
                f"suite {suite_name} of {given['build']} ran for {', '.join(sorted(asked))} as job {suite['job_id']}, "
                f"created {suite['created_on']} UTC; without --pre-check it runs again",
                suite_codes.ERROR,
            )
