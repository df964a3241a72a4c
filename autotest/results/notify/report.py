"""A bug report: from one result and the bug templates of its test and suite, with a fingerprint of the fault."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from autotest import errors
from autotest.states import Outcome

TEMPLATE_KEYS = ("owner", "labels", "status", "title", "cc", "summary", "components")
WARNING_LABEL = "Test-Warning"
_LISTS = ("labels", "cc", "components")
_ADDRESS = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>]+")
_LONGEST = {"title": 255, "reason": 4096, "summary": 16_000}
_LONGEST_REASON = 500
_BOARD = "BOARD_PLACEHOLDER"
#: What differs from one run to the next, and what stands for it; applied in this order.
_VOLATILE = (
    (re.compile(r"(?<![\w.])~?(?:/[\w.+@:=~-]+){2,}/?"), "PATH"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"), "HEX"),
    (re.compile(r"\d+(?:[.:,-]\d+)*"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclasses.dataclass(frozen=True)
class Fault:
    """One result that is worse than GOOD, with what is known of its job."""

    test: str
    status: str
    reason: str
    suite: str
    board: str
    build: str
    hostname: str
    job_id: int
    suite_job_id: int
    #: Where its results lie, below the results root.
    folder: str

    @property
    def fingerprint(self) -> str:
        """The same for the same test, status and normalised reason, on whatever board, host and build."""
        text = json.dumps([self.test, self.status, normalised(self.reason, self.board, self.hostname)])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclasses.dataclass(frozen=True)
class Report:
    """What a bug tracker is told. *key* names this result, *fingerprint* the fault."""

    key: str
    fingerprint: str
    title: str
    summary: str
    status: str
    labels: tuple[str, ...]
    owner: str
    cc: tuple[str, ...]
    components: tuple[str, ...]
    #: Whether the lab rather than the test seems to have failed.
    lab_error: bool
    fault: Fault

    @property
    def short_name(self) -> str:
        """What the bug is called where the tracker has no name for it; no number, which would lose its zeros."""
        return f"bug-{self.fingerprint[:12]}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The inverse of to_json."""
        lists = {name: tuple(data[name]) for name in _LISTS}
        return cls(**{**data, **lists, "fault": Fault(**data["fault"])})


def of(fault: Fault, template: Mapping[str, Any]) -> Report:
    """The report of *fault*, shaped by *template* (see :func:`merged`)."""
    kind = "Warning" if fault.status == Outcome.WARN else "Failure"
    warned = (WARNING_LABEL,) if fault.status == Outcome.WARN else ()
    title = template.get("title") or f"[{fault.suite}] {fault.test} {kind} on {fault.build}"
    return Report(
        key=f"{fault.job_id}-{fault.fingerprint}",
        fingerprint=fault.fingerprint,
        title=str(title)[: _LONGEST["title"]],
        summary=_summary(fault, str(template.get("summary") or "")),
        status=str(template.get("status") or ""),
        labels=(*template.get("labels", ()), *warned),
        owner=str(template.get("owner") or ""),
        cc=tuple(template.get("cc", ())),
        components=tuple(template.get("components", ())),
        lab_error=fault.test.endswith("SERVER_JOB"),
        fault=dataclasses.replace(fault, reason=fault.reason[: _LONGEST["reason"]]),
    )


def merged(test: Mapping[str, Any] | None, suite: Mapping[str, Any] | None) -> dict[str, Any]:
    """Both templates as one: the test's values go first, lists are joined; one that is not valid counts as empty."""
    first, second = _valid_or_empty(test), _valid_or_empty(suite)
    found: dict[str, Any] = {}
    for key in TEMPLATE_KEYS:
        if key in _LISTS:
            found[key] = list(dict.fromkeys([*first.get(key, ()), *second.get(key, ())]))
        else:
            found[key] = first.get(key) or second.get(key)
    return {key: value for key, value in found.items() if value}


def check(template: Mapping[str, Any]) -> dict[str, Any]:
    """*template* without an empty owner and empty addresses.

    Raises InvalidBugTemplate for unknown keys, for cc, labels and components that are no lists of text, and for an
    owner or cc that is no address.
    """
    unknown = sorted(str(key) for key in template if key not in TEMPLATE_KEYS)
    if unknown:
        raise errors.InvalidBugTemplate(f"unknown keys {', '.join(unknown)}; known: {', '.join(TEMPLATE_KEYS)}")
    found = {key: value for key, value in template.items() if value not in (None, "", [], ())}
    if isinstance(found.get("components"), str):
        found["components"] = [found["components"]]
    for key in set(found) & set(_LISTS):
        if not isinstance(found[key], (list, tuple)) or not all(isinstance(value, str) for value in found[key]):
            raise errors.InvalidBugTemplate(f"{key} must be a list of texts, not {found[key]!r}"[:300])
        found[key] = [value for value in found[key] if value]
    for key in set(found) - set(_LISTS):
        if not isinstance(found[key], str):
            raise errors.InvalidBugTemplate(f"{key} must be text, not {found[key]!r}"[:300])
    for address in [*filter(None, [found.get("owner")]), *found.get("cc", ())]:
        if not _ADDRESS.fullmatch(address):
            raise errors.InvalidBugTemplate(f"{address[:100]!r} is not an address like name@example.org")
    return found


def normalised(reason: str, board: str = "", hostname: str = "") -> str:
    """*reason* without what differs from one run to the next: board, host, paths, hex and other numbers, blanks."""
    text = reason[: _LONGEST["reason"]]
    for name in {board, board.replace("-", "_")} - {""}:
        text = text.replace(name, _BOARD)
    if hostname:
        text = text.replace(hostname, "HOST")
    for pattern, stand_in in _VOLATILE:
        text = pattern.sub(stand_in, text)
    return text.strip()[:_LONGEST_REASON]


def _valid_or_empty(template: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        return check(template or {})
    except errors.InvalidBugTemplate:
        return {}


def _summary(fault: Fault, foreword: str) -> str:
    lines = [
        f"Status: {fault.status}",
        f"Test: {fault.test}",
        f"Suite: {fault.suite}, job {fault.suite_job_id}",
        f"Build: {fault.build}",
        f"Board: {fault.board}",
        f"Host: {fault.hostname or '-'}",
        f"Job: {fault.job_id}",
        f"Results: {fault.folder}",
        "",
        f"Reason: {fault.reason}",
    ]
    return "\n".join([*([foreword, ""] if foreword else []), *lines])[: _LONGEST["summary"]]
