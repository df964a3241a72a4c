"""The children of a suite: one job a test, its name, labels and keyvals (control-files-and-suites.md section 4.4)."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from autotest import errors
from autotest.control_file import ControlFile
from autotest.models.afe import Host, Job
from autotest.scheduler import entries, jobs, suite_hosts
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.suite_folder import Skipped
from autotest.scheduler.suite_hosts import Inventory
from autotest.scheduler.wakes import Wake
from autotest.states import ControlType, Outcome
from autotest.suite import arguments
from autotest.suite.spec import SuiteSpec

#: What a child takes over of its suite's own keyvals.
_INHERITED = ("cidb_build_id", "cidb_build_stage_id")
_FIRMWARE = {"fwrw_build": "fwrw-version", "fwro_build": "fwro-version"}
#: reboot_before: Never for a FAST test, else If dirty.
_NEVER, _IF_DIRTY = 0, 1


class Child(NamedTuple):
    """One job that was made."""

    name: str
    job_id: int
    test: ControlFile


class Made(NamedTuple):
    """What became of the members of a suite; *wakes* are the children's."""

    children: list[Child]
    skipped: list[Skipped]
    wakes: list[Wake]


def make(suite: Job, spec: SuiteSpec, members: Iterable[ControlFile], now: datetime.datetime) -> Made:
    """Write a job for each test that the inventory could run. Runs inside the caller's transaction.

    What cannot be a job is told by name: TEST_NA when no host has the labels, ERROR when the test itself does not fit.
    """
    inventory = suite_hosts.inventory()
    skipped: list[Skipped] = []
    tests: list[ControlFile] = []
    specs: list[JobSpec] = []
    for test in members:
        name = test.name or test.path
        needs = spec.needs(test)
        unfit = _unfit(job_name(spec, name), needs)
        if unfit:
            skipped.append(Skipped(name, Outcome.ERROR.value, unfit))
            continue
        reason = unsupported(spec, test, inventory)
        if reason:
            skipped.append(Skipped(name, Outcome.TEST_NA.value, reason))
            continue
        tests.append(test)
        specs.append(_job(suite, spec, test, needs))
    if spec.each_host:
        return _on_each_host(spec, tests, specs, skipped, inventory, now)
    made = jobs.insert_children(suite, specs, now)
    children = [Child(test.name or test.path, job_id, test) for test, (job_id, _) in zip(tests, made, strict=True)]
    return Made(children, skipped, [wake for _, wake in made])


def _on_each_host(
    spec: SuiteSpec,
    tests: Sequence[ControlFile],
    specs: Sequence[JobSpec],
    skipped: list[Skipped],
    inventory: Inventory,
    now: datetime.datetime,
) -> Made:
    """A job for each of the *tests* and each live host, bound to it. What has no live host now is ABORT."""
    made = Made([], skipped, [])
    for test, each in zip(tests, specs, strict=True):
        hostnames = inventory.live(each.dependencies)[: spec.num_max]
        if not hostnames:
            reason = f"every host with {', '.join(sorted(spec.place))} is locked or broken"
            made.skipped.append(Skipped(test.name or test.path, Outcome.ABORT.value, reason))
        for host in Host.select().where(Host.hostname.in_(hostnames)).order_by(Host.id):
            bound = dataclasses.replace(each, meta_hosts=(), hosts=(host.hostname,), synch_count=0)
            job = jobs.insert(bound, now)
            made.wakes.extend(entries.queued_wake(entry) for entry in jobs.insert_entries(job, bound, [host]))
            made.children.append(Child(test.name or test.path, job.id, test))
    return made


def job_name(spec: SuiteSpec, test_name: str) -> str:
    """``<build>/<suite>/<test>``."""
    return f"{spec.build}/{spec.name}/{test_name}"


def keyvals(spec: SuiteSpec, suite_id: int, experimental: bool) -> dict[str, str]:
    """What a child of the suite job *suite_id* knows from its creation."""
    pairs = {
        "build": spec.device_build,
        "suite": spec.name,
        "experimental": str(experimental),
        "builds": json.dumps(dict(spec.builds)),
        "parent_job_id": str(suite_id),
    }
    if spec.offload_failures_only:
        pairs["offload_failures_only"] = "True"
    if spec.test_source_build and (spec.test_source_build != spec.device_build or len(spec.builds) > 1):
        pairs["test_source_build"] = spec.test_source_build
        pairs |= {key: spec.builds[prefix] for key, prefix in _FIRMWARE.items() if prefix in spec.builds}
    if spec.run_prod_code:
        pairs["run_prod_code"] = "True"
    return pairs | {key: str(spec.job_keyvals[key]) for key in _INHERITED if key in spec.job_keyvals}


def _job(suite: Job, spec: SuiteSpec, test: ControlFile, needs: Sequence[str]) -> JobSpec:
    return JobSpec(
        name=job_name(spec, test.name or test.path),
        control_file=test.text,
        control_type=ControlType.SERVER if test.is_server_side else ControlType.CLIENT,
        owner=suite.owner or "",
        priority=spec.priority,
        meta_hosts=[f"board:{spec.board}"] * test.sync_count,
        dependencies=needs,
        keyvals=keyvals(spec, suite.id, test.experimental),
        timeout_mins=spec.timeout_mins,
        max_runtime_mins=spec.max_runtime_mins,
        run_verify=test.run_verify,
        run_reset=not test.fast,
        reboot_before=_NEVER if test.fast else _IF_DIRTY,
        synch_count=test.sync_count if test.sync_count > 1 else 0,
        require_ssp=False if spec.run_prod_code else test.require_ssp,
        parent_job_id=suite.id,
    )


def check_keyvals(spec: SuiteSpec) -> None:
    """Raise ValidationError when the children could not hold their keyvals."""
    problems = jobs.check_keyvals(keyvals(spec, 0, experimental=False))
    if problems:
        raise errors.ValidationError({"builds": next(iter(problems.values()))})


def unsupported(spec: SuiteSpec, test: ControlFile, inventory: Inventory) -> str:
    """Why no hosts could ever run *test* for this suite; '' when some could."""
    if spec.num is not None and test.sync_count > spec.num:
        return f"Skipping: needs {test.sync_count} hosts at once, and the suite may hold {spec.num} (num)"
    return inventory.unsupported(spec.needs(test), spec.place, test.sync_count)


def _unfit(name: str, needs: Iterable[str]) -> str:
    bad = [label for label in needs if not arguments.is_label(label)]
    problems: Mapping[str, str] = jobs.check_name(name)
    return "; ".join([*problems.values(), *(f"{label[:40]!r} is not a label" for label in bad[:1])])
