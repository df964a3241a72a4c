"""Arguments of API calls: checked, and brought into the shape that the scheduler takes; no database."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autotest import errors, states
from autotest.host_info import HostInfo
from autotest.scheduler.suites import SuiteSpec
from autotest.states import Priority, Protection

#: Entry statuses after which nothing follows.
FINAL = frozenset(status.value for status in states.FINAL)

_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}")
_NAME_LENGTH, _ATTRIBUTE_LENGTH, _VALUE_LENGTH = 255, 90, 1024
_LATER = "is not honoured by this version; it comes with a later one"
#: Keyvals that a suite writes itself.
_OWN = frozenset(
    {
        "build",
        "suite",
        "board",
        "pool",
        "child_dependencies",
        "wait_for_results",
        "file_bugs",
        "num",
        "suite_args",
        "suite_min_duts",
        "offload_failures_only",
        "builds",
        "test_source_build",
    }
)

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SuiteRequest:
    """The arguments of create_suite_job as they were given (control-files-and-suites.md section 4.1)."""

    suite_name: str
    board: str
    build: str
    owner: str
    pool: str = ""
    check_hosts: bool = True
    num: int | None = None
    file_bugs: bool = False
    timeout: int = 24
    timeout_mins: int | None = None
    priority: int | str = Priority.DEFAULT
    suite_args: Mapping[str, Any] | None = None
    wait_for_results: bool = True
    job_retry: bool = False
    max_retries: int | None = None
    max_runtime_mins: int | None = None
    suite_min_duts: int = 0
    offload_failures_only: bool = False
    builds: Mapping[str, str] | None = None
    test_source_build: str | None = None
    child_dependencies: Sequence[str] = ()
    job_keyvals: Mapping[str, str] | None = None
    test_args: Mapping[str, str] | None = None


def suite_spec(request: SuiteRequest) -> SuiteSpec:
    """*request* as the scheduler takes it. Raises ValidationError with one message for each argument that does not
    fit, or that this version would have to ignore."""
    problems = _problems(request)
    if problems:
        raise errors.ValidationError(problems)
    if request.num is not None:
        _log.warning("num is deprecated: a suite runs each test once, on as many hosts as are free")
    limit = request.timeout * 60
    return SuiteSpec(
        name=request.suite_name,
        board=request.board,
        build=request.build,
        owner=request.owner,
        priority=priority_number(request.priority),
        pool=request.pool or "",
        check_hosts=request.check_hosts,
        num=request.num,
        file_bugs=request.file_bugs,
        timeout_mins=request.timeout_mins or limit,
        max_runtime_mins=request.max_runtime_mins or limit,
        wait_for_results=request.wait_for_results,
        child_dependencies=tuple(request.child_dependencies),
        keyvals=_keyvals(request),
    )


def priority_number(priority: int | str) -> int:
    """A priority by name or number. Raises ValidationError."""
    try:
        return states.priority_of(priority)
    except (ValueError, AttributeError) as problem:
        raise errors.ValidationError({"priority": str(problem)}) from problem


def job_name(name: str) -> str:
    """*name* if a job can be called so. Raises ValidationError."""
    if not name.strip() or len(name) > _NAME_LENGTH or not name.isprintable():
        raise errors.ValidationError(
            {"name": f"{name[:40]!r} is not a name of 1 to {_NAME_LENGTH} printable characters"}
        )
    return name


def host_info(
    hostname: str, labels: Iterable[str], attributes: Mapping[str, str], platform: str | None, protection: int
) -> HostInfo:
    """A host on paper. Raises ValidationError with one message for each argument that does not fit."""
    names = list(labels)
    problems = {}
    if not _HOSTNAME.fullmatch(hostname):
        problems["hostname"] = f"{hostname!r} is not a host name"
    bad = [name for name in [*names, *([platform] if platform is not None else [])] if not _is_label(name)]
    if bad:
        problems["labels"] = f"{bad[0]!r} is not a label of 1 to {_NAME_LENGTH} printable characters without comma"
    for key, value in attributes.items():
        if not key or len(key) > _ATTRIBUTE_LENGTH or len(value) > _VALUE_LENGTH:
            problems["attributes"] = (
                f"{key[:40]!r} must fit {_ATTRIBUTE_LENGTH} and its value {_VALUE_LENGTH} characters"
            )
    if protection not in list(Protection):
        problems["protection"] = f"must be 0 to {max(Protection)}, not {protection!r}"
    if problems:
        raise errors.ValidationError(problems)
    return HostInfo(hostname, frozenset(names), dict(attributes), platform, int(protection))


def _problems(request: SuiteRequest) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("suite_name", "board", "build"):
        if not getattr(request, name).strip():
            found[name] = "must be given"
    if not found:
        job = f"{request.build}-test_suites/control.{request.suite_name}"
        if len(job) > _NAME_LENGTH or not job.isprintable():
            found["suite_name"] = f"the job's name {job[:60]!r} must be at most {_NAME_LENGTH} printable characters"
    for name, least in {"timeout": 1, "timeout_mins": 0, "max_runtime_mins": 0, "num": 1, "suite_min_duts": 0}.items():
        value = getattr(request, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            found[name] = f"must be a number of at least {least}, not {value!r}"
    try:
        states.priority_of(request.priority)
    except (ValueError, AttributeError) as problem:
        found["priority"] = str(problem)
    bad = [label for label in request.child_dependencies if not _is_label(label)]
    if isinstance(request.child_dependencies, str):
        found["child_dependencies"] = "must be a list of labels, not one text"
    elif bad:
        found["child_dependencies"] = f"{bad[0]!r} is not a label"
    reserved = sorted(_OWN & set(request.job_keyvals or {}))
    if reserved:
        found["job_keyvals"] = f"{', '.join(reserved)} is written by the suite itself"
    try:
        json.dumps(dict(request.suite_args or {}))
    except (TypeError, ValueError) as problem:
        found["suite_args"] = f"must be a dict that JSON can hold: {problem}"
    return {**found, **_not_yet(request)}


def _not_yet(request: SuiteRequest) -> dict[str, str]:
    """Arguments that would change what runs, and that nothing reads yet."""
    found = {name: _LATER for name in ("job_retry", "max_retries", "test_args") if getattr(request, name)}
    others = {value for value in (request.builds or {}).values() if value != request.build}
    if others or len(request.builds or {}) > 1:
        found["builds"] = f"anything beside build {request.build} {_LATER}"
    if request.test_source_build not in (None, "", request.build):
        found["test_source_build"] = f"any other than build {request.build} {_LATER}"
    return found


def _keyvals(request: SuiteRequest) -> dict[str, str]:
    pairs = {key: str(value) for key, value in (request.job_keyvals or {}).items()}
    pairs["suite_min_duts"] = str(request.suite_min_duts)
    if request.suite_args:
        pairs["suite_args"] = json.dumps(dict(request.suite_args), sort_keys=True)
    if request.offload_failures_only:
        pairs["offload_failures_only"] = "True"
    if request.builds:
        pairs["builds"] = json.dumps(dict(request.builds), sort_keys=True)
    if request.test_source_build:
        pairs["test_source_build"] = request.test_source_build
    return pairs


def _is_label(name: object) -> bool:
    return (
        isinstance(name, str)
        and bool(name.strip())
        and len(name) <= _NAME_LENGTH
        and name.isprintable()
        and "," not in name
    )
