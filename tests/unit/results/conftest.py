"""Results folders made of text, and a migrated database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from autotest.models import database

KEYVAL = "status_version=1\nuser=ann\nlabel=nightly\nhostname=h1\njob_queued=990\njob_started=1000\njob_finished=2000\n"


def write_files(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write *files* (relative path -> content) below *root*."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    return root


def job_folder(root: Path, log: str | bytes, files: Mapping[str, str | bytes] | None = None) -> Path:
    """The folder of a job that ended well, with status log *log* (``>`` at the start of a line or ``|`` is a TAB)."""
    if isinstance(log, str):
        lines = (line.lstrip().replace(">", "\t").replace("|", "\t") for line in log.strip("\n").split("\n"))
        log = "".join(f"{line}\n" for line in lines)
    usual = {"keyval": KEYVAL, ".autoserv_execute": "4242\n0\n0\n", "status.log": log}
    return write_files(root, {**usual, **(files or {})})


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """folder(log, files) makes a results folder; see job_folder."""
    root = tmp_path / "job"
    return lambda log="", files=None: job_folder(root, log, files)


@pytest.fixture
def files(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """files({path: content}) makes a folder of exactly these files."""
    root = tmp_path / "files"
    return lambda content: write_files(root, content)


@pytest.fixture
def db(migrated_database: str) -> Iterator[str]:
    """An empty database that was migrated, with a connection open."""
    database.connect(migrated_database)
    with database.connection():
        yield migrated_database
