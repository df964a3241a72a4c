"""A server-side job in a fresh folder, and its status log in a form that can be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autotest.client import status_log
from autotest.host_info import HostInfo
from autotest.job_file import JobFile
from autotest.server.job import ServerJob
from autotest.states import Step


@pytest.fixture
def server_job(tmp_path: Path) -> ServerJob:
    folder = tmp_path / "results"
    folder.mkdir()
    return ServerJob(folder, JobFile(Step.RUN_TEST, (HostInfo("h1"),), name="test job", user="tester"))


@pytest.fixture
def shown(server_job: ServerJob) -> Callable[[], list[str]]:
    """The lines of status.log: ``»`` for each level, then the columns that are not empty, without the time."""

    def read() -> list[str]:
        lines = []
        for line in Path(server_job.folder, "status.log").read_text().splitlines():
            if status_log.is_continuation(line):
                lines.append(line)
                continue
            entry = status_log.StatusEntry.parse(line)
            fields = [f"{key}={value}" for key, value in entry.fields.items() if key not in ("timestamp", "localtime")]
            words = [entry.code, *dict.fromkeys((entry.subdir, entry.operation)), *fields, entry.message]
            lines.append("»" * status_log.depth_of(line) + " ".join(filter(None, words)))
        return lines

    return read
