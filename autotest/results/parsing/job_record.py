"""The job record: what the keyvals, host keyvals and pid file around a status log say (results-and-tko.md 5.1)."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from collections.abc import Mapping, Sequence

from autotest.client import exit_file
from autotest.client.exit_file import ExitFile
from autotest.results.parsing import host_keyvals, keyvals
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.records import JobRecord, KeyvalValue
from autotest.states import Outcome

_SUITE_LABEL = re.compile(r"([^/]*/[^/]*(?:/\d+)?)-test_suites/control\.(.*)", re.DOTALL)
_TEST_LABEL = re.compile(r"([^/]*/[^/]*(?:/\d+)?)/([^/]+)/.*", re.DOTALL)
_BUILD = re.compile(r"(?:trybot-)?(?P<board>[\w-]+?)(?:-chrom(?:e|ium))?-\w+/(?:R\d+-[\d.ab-]+|LATEST)", re.ASCII)
_EPOCH = re.compile(r"\s*[+-]?\d{1,18}(?:\.\d+)?\s*", re.ASCII)

#: More machines than any job has; a keyval that names more was not written by a scheduler.
_MOST_MACHINES = 1000


def read(folder: ResultsFolder, oddities: Oddities) -> JobRecord:
    """Everything around the status log. Never raises; what is unusable is told and left out."""
    pairs = _job_keyvals(folder, oddities)
    machine = _machine(folder, pairs)
    names = machine.split(",", _MOST_MACHINES)
    if len(names) > _MOST_MACHINES:
        oddities.note(f"the job names more than {_MOST_MACHINES} machines; the others are not looked at")
        names.pop()
    hosts = {name: host_keyvals.read(folder, name, oddities) for name in {machine, *names}}
    version = pairs.get("status_version", 0)
    label = _text(pairs.get("label"))
    build, suite = _build_and_suite(label)

    def time_of(key: str) -> datetime.datetime | None:
        moment = moment_of(pairs.get(key))
        if moment is None and key in pairs:
            oddities.note(f"job keyval {key}={ascii(pairs[key])[:80]} is no time; left out")
        return moment

    return JobRecord(
        status_version=version,
        user=_text(pairs.get("user")),
        label=label,
        machine=machine,
        machine_group=_machine_group(names, hosts, oddities, by_labels=version != 0),
        owner=_text(pairs.get("owner")),
        queued_time=time_of("job_queued"),
        started_time=time_of("job_started"),
        finished_time=time_of("job_finished"),
        aborted_by=_text(pairs.get("aborted_by")),
        aborted_on=time_of("aborted_on"),
        build=build,
        build_version=build.split("/")[1] if build else None,
        suite=suite,
        board=_board(build),
        exit_status=_exit_status(folder),
        keyvals=pairs,
        host_attributes={f"host-{key}": value for key, value in hosts[machine].items()},
    )


def named_by_keyvals(job: JobRecord) -> JobRecord:
    """*job* with the build, suite and board of its keyvals where its label names no build: section 5.1 does not see a
    build that is called by one word."""
    build = _text(job.keyvals.get("build"))
    if job.build is not None or not build:
        return job
    return dataclasses.replace(
        job,
        build=build,
        build_version=build.partition("/")[2] or build,
        suite=_text(job.keyvals.get("suite")),
        board=_board(build) or _text(job.keyvals.get("board")),
    )


def moment_of(value: KeyvalValue | None) -> datetime.datetime | None:
    """Epoch seconds as an aware UTC time; None for anything that is no time between the years 1 and 9999."""
    if value is None or not _EPOCH.fullmatch(str(value)):
        return None
    try:
        return datetime.datetime.fromtimestamp(int(float(value)), datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _job_keyvals(folder: ResultsFolder, oddities: Oddities) -> dict[str, KeyvalValue]:
    merged: dict[str, KeyvalValue] = {}
    for place in folder.way_up():
        pairs = keyvals.of(folder, b"keyval", oddities, base=place)
        if "hostname" in merged:
            pairs.pop("hostname", None)
        merged.update(pairs)
    return merged


def _machine(folder: ResultsFolder, pairs: Mapping[str, KeyvalValue]) -> str:
    hostname = _text(pairs.get("hostname")) or ""
    group = _text(pairs.get("host_group_name"))
    if group and ("," in hostname or not hostname):
        return group
    if "," not in hostname:
        return hostname
    lines = (folder.read(b"sysinfo/hostname") or b"").split(b"\n")
    if lines[0].strip():
        return _decoded(lines[0].strip())
    words = (folder.read(b"sysinfo/uname_-a") or b"").split()
    return _decoded(words[1]) if len(words) > 1 else hostname


def _machine_group(
    names: Sequence[str], hosts: Mapping[str, Mapping[str, KeyvalValue]], oddities: Oddities, by_labels: bool
) -> str:
    """Models, boards or platforms of the machines; *by_labels* is false for version 0, which only knows platforms."""
    groups = set()
    for name in names:
        pairs = hosts[name]
        labels = str(pairs["labels"]).split(",") if by_labels and "labels" in pairs else []
        models = [label[8:] for label in labels if label.startswith("model%3A")]
        boards = [label[8:] for label in labels if label.startswith("board%3A")]
        if labels and not (models or boards):
            told = ascii(name[:200])
            oddities.note(f"the labels of {told} name neither model nor board; its platform or name stands in")
            groups.add(str(pairs.get("platform") or name))
        else:
            groups.add(",".join(models or boards) or str(pairs.get("platform") or ""))
    return ",".join(sorted(groups - {""}))


def _build_and_suite(label: str | None) -> tuple[str | None, str | None]:
    found = _SUITE_LABEL.match(label or "") or _TEST_LABEL.match(label or "")
    return (found[1], found[2]) if found else (None, None)


def _board(build: str | None) -> str | None:
    found = _BUILD.match(build or "")
    return found["board"] if found else None


def _exit_status(folder: ResultsFolder) -> Outcome:
    content = folder.read(os.fsencode(exit_file.NAME), folder.top) if folder.top else None
    exit_code = ExitFile.parse(content or b"").exit_code
    if exit_code is None:
        return Outcome.ABORT
    return Outcome.FAIL if exit_code else Outcome.GOOD


def _text(value: KeyvalValue | None) -> str | None:
    return None if value is None else str(value)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
