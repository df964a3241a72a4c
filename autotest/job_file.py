"""job.json and outcome.json: what autoserv is told about one step, and what it says at the end.

The ledger writes job.json into a results folder and autoserv reads it; autoserv writes outcome.json and the ledger
reads it. The two towers meet nowhere else.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotest import errors
from autotest.host_info import HostInfo
from autotest.states import Step

JOB_FILE = "job.json"
OUTCOME_FILE = "outcome.json"
_LARGEST = 16 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class JobFile:
    """One step on one or more hosts.

    *token* is the lease's fencing token; 0 means a run by hand, which no lease fences. Several hosts of a group have a
    lease each: *tokens* in the order of *hosts*, and *token* is the one that leads.
    *arguments* are what the control file finds as ``args``, *args_dict* as ``args_dict`` and by their names.
    *test_roots* are folders that hold one folder a test (``<root>/<test>/<test>.py``).
    *deadline_s* is the wall-clock limit of the whole child in seconds, None for no limit.
    """

    step: Step
    hosts: tuple[HostInfo, ...]
    token: int = 0
    tokens: tuple[int, ...] = ()
    control_file: str = ""
    control_name: str = "control"
    control_type: str = "client"
    arguments: tuple[str, ...] = ()
    args_dict: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    test_roots: tuple[str, ...] = ()
    job_labels: tuple[str, ...] = ()
    name: str = ""
    user: str = ""
    tag: str = ""
    deadline_s: float | None = None

    def token_of(self, hostname: str) -> int:
        """The fencing token of the lease on that host."""
        own = dict(zip((info.hostname for info in self.hosts), self.tokens, strict=False))
        return own.get(hostname, self.token)

    def alone(self, info: HostInfo) -> JobFile:
        """The same work on one of the hosts."""
        return dataclasses.replace(self, hosts=(info,), token=self.token_of(info.hostname), tokens=())

    def write(self, folder: Path) -> None:
        """Write job.json into *folder*, whole or not at all; for us alone: it may say how to switch power."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data |= {"step": self.step.value, "hosts": [host.to_json() for host in self.hosts]}
        data["args_dict"] = dict(self.args_dict)
        _write_json(folder / JOB_FILE, data, 0o600)

    @classmethod
    def read(cls, folder: Path) -> JobFile:
        """Read job.json of *folder*. Raises BadResultsFolder, naming what is wrong."""
        data = _read_json(folder / JOB_FILE)
        try:
            data["step"] = Step(data["step"])
            data["hosts"] = tuple(HostInfo.from_json(host) for host in data["hosts"])
            for name in ("tokens", "arguments", "test_roots", "job_labels"):
                data[name] = tuple(data.get(name, ()))
            data["args_dict"] = dict(data.get("args_dict", {}))
            return cls(**data)
        except (KeyError, TypeError, ValueError, errors.ValidationError) as problem:
            raise errors.BadResultsFolder(f"{folder / JOB_FILE} is not a job file: {problem}") from problem


@dataclasses.dataclass(frozen=True)
class StepOutcome:
    """How a step ended: *reason* is one line for people, '' when all went well.

    *found_labels* are the labels a provision step put onto the host; *failed_tests* counts tests that did not pass.
    """

    ok: bool
    reason: str = ""
    failed_tests: int = 0
    found_labels: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write outcome.json into *folder*, whole or not at all."""
        _write_json(folder / OUTCOME_FILE, dataclasses.asdict(self))

    @classmethod
    def read(cls, folder: Path) -> StepOutcome | None:
        """Read outcome.json of *folder*; None when autoserv left none (it was killed) or it is not readable."""
        try:
            data = _read_json(folder / OUTCOME_FILE)
            return cls(
                ok=bool(data["ok"]),
                reason=str(data.get("reason", "")),
                failed_tests=int(data.get("failed_tests", 0)),
                found_labels=tuple(map(str, data.get("found_labels", ()))),
            )
        except (errors.BadResultsFolder, KeyError, TypeError, ValueError):
            return None


def _write_json(path: Path, data: dict[str, Any], mode: int = 0o644) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.touch(mode)
    scratch.write_text(json.dumps(data, indent=1, sort_keys=True), encoding="utf-8")
    scratch.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise errors.BadResultsFolder(f"{path} is larger than {_LARGEST} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise errors.BadResultsFolder(f"{path} cannot be read: {problem}") from problem
    if not isinstance(data, dict):
        raise errors.BadResultsFolder(f"{path} does not hold a JSON object")
    return data
