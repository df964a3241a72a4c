"""The tracker ``file``: one JSON object a line in ``bugs.jsonl`` below the results root."""

from __future__ import annotations

import fcntl
import json
from typing import Any

from autotest import errors
from autotest.results.notify import base
from autotest.results.notify.report import Report

NAME = "bugs.jsonl"


class FileTracker(base.BugTracker):
    """A bug is called by its fingerprint; ``again`` is true in the lines that follow its first."""

    def file(self, report: Report) -> str:
        """See :meth:`base.BugTracker.file`."""
        tracker_id = report.short_name
        self._append({"bug": tracker_id, "again": False, **report.to_json()})
        return tracker_id

    def again(self, tracker_id: str, report: Report) -> None:
        """See :meth:`base.BugTracker.again`."""
        self._append({"bug": tracker_id, "again": True, **report.to_json()})

    def _append(self, line: dict[str, Any]) -> None:
        path = self.settings.results_dir / NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(json.dumps(line, sort_keys=True) + "\n")
        except OSError as problem:
            raise errors.BugTrackerFailed(f"{path} cannot be written: {problem.strerror}") from problem
