"""Client run: one client control file on one DUT, from install to collected results, over drops and reboots."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shlex
import time
from pathlib import Path, PurePosixPath

from autotest import errors
from autotest.server import client_install, client_package, interruption, job, untar
from autotest.server.client_stream import ClientStream
from autotest.server.hosts import remote

DISCONNECT_LIMIT_S = 1800.0
_RUN_LIMIT_S = 30 * 24 * 3600.0
_COLLECT_LIMIT_S = 600.0
_RESULTS_LIMIT = 1024 * 1024 * 1024
_KILL_LIMIT_S = 0.8
_MOST_UNEXPECTED_REBOOTS = 10
_LOST = "lost"
_PAUSED = "5"
_REBOOTED = "rebooted"
# What int takes, and no more: a DUT may answer anything.
_NUMBER = re.compile(r"[0-9]{1,18}")
# Written by us or by the ledger; a DUT has no say in them.
_OURS = frozenset(
    {
        "control",
        "control.srv",
        "host_keyvals",
        "job.json",
        "job_failure",
        "keyval",
        "outcome.json",
        "status",
        "status.log",
        "uncollected_logs",
    }
)

logger = logging.getLogger(__name__)


class ClientRun:
    """One client control file on one DUT; its status entries go into *server_job*, its files into *folder*."""

    def __init__(self, host: remote.RemoteHost, server_job: job.ServerJob, folder: Path):
        self._host = host
        self._job = server_job
        self._folder = folder
        self._base = server_job.depth
        self._stream = ClientStream(host.hostname, server_job)
        self._name = f"{host.fence.token}-{os.getpid()}-{secrets.token_hex(4)}"
        self._run = f"{host.client_dir}/runs/{self._name}"
        self._client = ""
        self._group: int | None = None
        self._boot_id: str | None = None

    def execute(self) -> None:
        """Run the control file of the job to its end and bring the results home.

        Raises JobAborted when the control file gave up, HostError when the DUT did. The log is closed either way.
        """
        kernel = self._host.kernel()
        self._job.record("INFO", "", "", fields={"kernel": kernel} if kernel else {})
        self._boot_id = self._host.boot_id()
        try:
            self._install()
            code = self._go_on_until_end()
        except interruption.Interrupted as stop:
            self._kill()
            self._job.abort_open(f"Autotest client was stopped: {stop}", self._base)
            raise
        except errors.StaleLease as problem:
            self._job.abort_open(str(problem), self._base)
            raise
        except errors.HostError as problem:
            self._job.abort_open(str(problem), self._base)
            if not isinstance(problem, (errors.HostUnreachable, errors.RebootFailed)):
                self._collect()
            raise
        self._collect()
        self._judge(code)

    def _install(self) -> None:
        tests = client_package.tests(self._job.job_file.test_roots)
        files = {"control": self._job.job_file.control_file.encode("utf-8", "surrogateescape")}
        self._client = client_install.install(self._host, self._name, files, tests)

    def _go_on_until_end(self) -> str:
        """The client's last exit code, after as many sections as its reboots make."""
        hostname, unexpected = self._host.hostname, 0
        code = self._section(resume=False)
        while True:
            if code == _PAUSED and self._stream.is_rebooting:
                self._wait_for_reboot()
            elif code == _REBOOTED:
                unexpected += 1
                if unexpected > _MOST_UNEXPECTED_REBOOTS:
                    raise errors.RebootFailed(
                        hostname, f"{hostname} rebooted {unexpected} times unasked; it is given up"
                    )
            else:
                return code
            code = self._section(resume=True)

    def _section(self, resume: bool) -> str:
        """One life of the client: start it and follow it to its exit code; _REBOOTED when the DUT rebooted under it."""
        hostname, prepared, asked, started = self._host.hostname, False, False, False
        while True:
            try:
                if not prepared:
                    self._prepare(resume)
                    prepared = True
                if not started and not (asked and self._is_started()):
                    asked = True
                    self._start(resume)
                started = True
                code = self._follow()
                if code == _LOST and self._host.boot_id() != self._boot_id:
                    raise errors.HostUnreachable(hostname, f"{hostname} went down under its client")
                return code
            except (errors.HostUnreachable, errors.CommandTimeout) as problem:
                if self._stream.is_rebooting:
                    return _PAUSED
                if self._come_back(problem) and (started or self._is_started()):
                    return _REBOOTED

    def _prepare(self, resume: bool) -> None:
        status = shlex.quote(f"{self._run}/results/status")
        size = self._host.run(
            f"cd {shlex.quote(self._run)} && rm -f alive exit_code && mkdir -p results tmp && "
            f"if [ -f {status} ]; then wc -c <{status}; else echo 0; fi",
            timeout_s=60,
        ).stdout.strip()
        if resume and _NUMBER.fullmatch(size):
            self._stream.resume(int(size))

    def _start(self, resume: bool) -> None:
        words = [
            self._host.python,
            self._client,
            "start",
            *("--run", self._run),
            *("--groups", self._host.fence.groups),
            "--",
            *self._run_arguments(),
            *(["--continue"] if resume else []),
        ]
        hostname = self._host.hostname
        answer = self._host.run(shlex.join(words), timeout_s=120).stdout.split()
        if len(answer) != 2 or answer[0] != "started" or not _NUMBER.fullmatch(answer[1]):
            raise errors.ClientProtocolError(
                hostname, f"{hostname}: the client did not start but said {remote.shorten(' '.join(answer))!r}"
            )
        self._group = int(answer[1])

    def _run_arguments(self) -> list[str]:
        info, job_file = self._host.info, self._job.job_file
        return [
            *("--results", f"{self._run}/results"),
            *("--control", f"{self._run}/control"),
            *("--state", f"{self._run}/state"),
            *("--tests", f"{self._run}/tests"),
            *("--tmp-dir", f"{self._run}/tmp"),
            *("--args-json", json.dumps(list(job_file.arguments))),
            *("--args-dict-json", json.dumps(dict(job_file.args_dict))),
            *("--hostname", info.hostname),
            *("--reboot-command", info.get("reboot_command", "reboot")),
            *("--boot-id-file", info.get("boot_id_file", "/proc/sys/kernel/random/boot_id")),
            *(["--user", job_file.user] if job_file.user else []),
            *(["--tag", job_file.tag] if job_file.tag else []),
        ]

    def _is_started(self) -> bool:
        probe = f"[ -e {shlex.quote(self._run)}/alive ]"
        return self._host.run(probe, timeout_s=60, ignore_status=True).exit_status == 0

    def _follow(self) -> str:
        offset = self._stream.begin()
        words = [self._host.python, self._client, "follow", "--run", self._run, "--offset", str(offset)]
        self._host.run(shlex.join(words), timeout_s=_RUN_LIMIT_S, on_stdout=self._stream.feed)
        if self._stream.exit_code is None:
            raise errors.ClientProtocolError(
                self._host.hostname, f"{self._host.hostname}: the client's report ended without its exit code"
            )
        return self._stream.exit_code

    def _come_back(self, problem: errors.HostError) -> bool:
        """Wait for a DUT that dropped the connection. True when it rebooted meanwhile. Raises HostUnreachable."""
        hostname, limit = self._host.hostname, self._host.limit("disconnect_limit", DISCONNECT_LIMIT_S)
        logger.warning("%s", problem)
        self._job.record("WARN", "", "", f"Autotest client was disconnected: {problem}")
        self._host.close()
        deadline = time.monotonic() + limit
        while self._host.wait_up(deadline - time.monotonic()):
            try:
                self._host.take()
            except errors.HostUnreachable as again:
                logger.warning("%s", again)
                continue
            before, now = self._boot_id, self._host.boot_id()
            if now is not None or before is None:
                self._boot_id = now
                return now != before
        raise errors.HostUnreachable(
            hostname, f"{hostname} died during the test and did not come back within {limit:g} s"
        )

    def _wait_for_reboot(self) -> None:
        """Wait for the reboot that the client asked for. Raises RebootFailed, with the log as in section 3.4."""
        hostname = self._host.hostname
        self._host.close()
        down = self._host.limit("down_limit", remote.DOWN_LIMIT_S)
        up = self._host.limit("boot_limit", remote.BOOT_LIMIT_S)
        if not self._host.wait_down(self._boot_id, down):
            raise self._reboot_failed(f"{hostname} failed to shutdown after {down:g}s")
        self._host.close()
        boot_id = self._host.wait_boot(self._boot_id, up)
        if boot_id is None:
            raise self._reboot_failed(f"{hostname} failed to boot after {up:g}s")
        self._boot_id = boot_id
        self._host.take()

    def _reboot_failed(self, message: str) -> errors.RebootFailed:
        self._job.record("ABORT", "", "reboot", message)
        return errors.RebootFailed(self._host.hostname, message)

    def _judge(self, code: str) -> None:
        last = self._stream.last
        if self._job.depth > self._base:
            self._job.abort_open("Autotest client terminated unexpectedly", self._base)
        elif code == "0" and last is not None and last.code == "END GOOD":
            return
        elif last is not None and last.code == "END ABORT":
            raise errors.JobAborted(f"client job was aborted: {last.message or 'no reason given'}")
        raise errors.JobAborted(f"the client on {self._host.hostname} ended with {code} before its job was done")

    def _kill(self) -> None:
        if self._group is None:
            return
        try:
            self._host.execute(self._host.fence.killing(self._group), timeout_s=_KILL_LIMIT_S, connect_s=_KILL_LIMIT_S)
        except errors.HostError as problem:
            logger.warning("the client may still run, until the next lease: %s", problem)

    def _collect(self) -> None:
        """Bring the results home; what fails is written into the log and stops nothing."""
        if not self._client:
            return
        archive = self._folder / ".collected.tar"
        try:
            try:
                self._fetch(archive)
            except errors.HostUnreachable as problem:
                logger.warning("%s; once more", problem)
                self._fetch(archive)
            for line in untar.unpack(archive, self._folder, _RESULTS_LIMIT, _is_theirs):
                logger.warning("%s: not taken from the results: %s", self._host.hostname, line)
            self._host.run(f"rm -rf {shlex.quote(self._run)}", timeout_s=60)
        except (errors.HostError, errors.BadResultsFolder) as problem:
            self._job.record("WARN", "", "", f"results of {self._host.hostname} were not collected whole: {problem}")
        finally:
            archive.unlink(missing_ok=True)

    def _fetch(self, archive: Path) -> None:
        words = [self._host.python, self._client, "collect", "--run", self._run]
        self._host.stream_to(shlex.join(words), archive, _RESULTS_LIMIT, _COLLECT_LIMIT_S)


def _is_theirs(path: PurePosixPath) -> bool:
    top = path.parts[0]
    return top not in _OURS and not top.startswith(".") and not (top == "debug" and path.name.startswith("autoserv"))
