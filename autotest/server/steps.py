"""Steps: what one autoserv child does to its hosts - verify, repair, provision, or run a test."""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from autotest import errors, host_info, plugins
from autotest.client import error
from autotest.host_info import HostInfo
from autotest.job_file import StepOutcome
from autotest.server import client_run, hosts, job, parallel
from autotest.server.hosts.remote import RemoteHost
from autotest.server.provision import base as provision
from autotest.server.repair.strategy import RepairStrategy
from autotest.states import Protection, Step

_REPAIR_GROUP = "autotest.repair"
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def run(server_job: job.ServerJob) -> StepOutcome:
    """Do the step of the job file. Raises what made it fail; the status log is closed either way."""
    return _STEPS[server_job.job_file.step](server_job)


def _verify(server_job: job.ServerJob) -> StepOutcome:
    host = _only_host(server_job)
    with server_job.group("verify", success=f"{host.hostname} verified successfully", say_why=False):
        _strategy(host).on(host).verify()
    return StepOutcome(True)


def _repair(server_job: job.ServerJob) -> StepOutcome:
    host = _only_host(server_job)
    with server_job.group("repair", success=f"{host.hostname} repaired successfully", say_why=False):
        _strategy(host).on(host).repair(Protection(host.info.protection))
    return StepOutcome(True)


def _provision(server_job: job.ServerJob) -> StepOutcome:
    host = _only_host(server_job)
    with server_job.group("provision", success=f"{host.hostname} provisioned successfully", say_why=False):
        host.take()
        wanted = []
        for label in server_job.job_file.job_labels:
            if host_info.is_version(label):
                wanted.append(label)
            elif label != provision.SKIP:
                server_job.record("INFO", "", "provision", f"Can't provision label '{label}'.")
        found = provision.of(host).provision(wanted) if wanted else ()
        # A new system may have come without our lease.
        host.take()
    return StepOutcome(True, found_labels=tuple(found))


def _run_test(server_job: job.ServerJob) -> StepOutcome:
    try:
        if server_job.job_file.control_type == "server":
            _run_on_server(server_job)
        elif len(server_job.job_file.hosts) == 1:
            _run_on_dut(server_job, server_job.job_file.hosts[0])
        else:
            parallel.on_each_host(server_job, _run_on_dut)
    except Exception as problem:
        text = _CONTROL_CHARACTERS.sub(" ", job.first_line(problem))
        server_job.record("INFO", "", "", str(problem), {"job_abort_reason": text})
        raise
    return StepOutcome(True, failed_tests=server_job.failed_tests)


def _run_on_dut(server_job: job.ServerJob, info: HostInfo) -> None:
    host = _connect(server_job, info)
    host.take()
    client_run.ClientRun(host, server_job, server_job.folder).execute()


def _run_on_server(server_job: job.ServerJob) -> None:
    """Execute control.srv: it gets job, machines, args, args_dict, job_labels, hosts.create_host, parallel_simple and
    the errors of the client."""
    job_file = server_job.job_file
    known = {info.hostname: info for info in job_file.hosts}

    def create_host(hostname: str) -> RemoteHost:
        host = _connect(server_job, known[hostname])
        host.take()
        return host

    names: dict[str, Any] = dict(job_file.args_dict)
    names.update((name, value) for name, value in vars(error).items() if not name.startswith("_"))
    names.update(
        __name__="__main__",
        job=server_job,
        machines=list(known),
        args=list(job_file.arguments),
        args_dict=dict(job_file.args_dict),
        job_labels=list(job_file.job_labels),
        hosts=types.SimpleNamespace(create_host=create_host),
        parallel_simple=functools.partial(parallel.simple, server_job),
        error=error,
        **{module.__name__: module for module in (os, sys, time, re, logging)},
    )
    exec(compile(job_file.control_file, str(server_job.folder / "control.srv"), "exec"), names)


def _only_host(server_job: job.ServerJob) -> RemoteHost:
    infos = server_job.job_file.hosts
    if len(infos) != 1:
        raise errors.BadResultsFolder(f"step {server_job.job_file.step.value} takes one host, not {len(infos)}")
    return _connect(server_job, infos[0])


def _connect(server_job: job.ServerJob, info: HostInfo) -> RemoteHost:
    return hosts.connect(info, server_job.job_file.token_of(info.hostname), server_job.record)


def _strategy(host: RemoteHost) -> RepairStrategy:
    strategy: RepairStrategy = plugins.one_of(_REPAIR_GROUP, host.info.get("repair", "generic"))
    return strategy


_STEPS: dict[Step, Callable[[job.ServerJob], StepOutcome]] = {
    Step.VERIFY: _verify,
    Step.REPAIR: _repair,
    Step.PROVISION: _provision,
    Step.RUN_TEST: _run_test,
}
