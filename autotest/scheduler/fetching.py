"""Fetching: the tests of a build from a dev server into the builds folder, once for all, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from autotest import errors
from autotest.archives import unpack
from autotest.archives.tree import Limits, flush
from autotest.devserver_client import fleet
from autotest.devserver_client.server import DevServer, archive_url
from autotest.settings import Settings

_log = logging.getLogger(__name__)

#: Below the builds folder; no build has such a name.
PLACE = ".fetching"
_LIMITS = Limits(bytes=4 << 30)


def fetch(settings: Settings, build: str, place: Path) -> None:
    """Have *build* staged by the dev servers, and put its control/ and test_suites/ at *place*, unless they are there.

    Raises StageBuildFailure, naming every dev server and its fact.
    """
    try:
        with _alone(settings.builds_dir / PLACE, build) as folder:
            if place.is_dir():
                return
            url = archive_url(settings.build_archive, build)
            server = fleet.stage(build, url, settings.devservers, settings.stage_limit, told=_log.warning)
            try:
                _bring(server, build, folder)
            except (errors.HttpFailed, errors.ArchiveRefused) as problem:
                raise errors.StageBuildFailure(f"Failed to stage {build} on {server}: {problem}") from problem
            place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(folder / "tests", place)
    except OSError as problem:
        raise errors.StageBuildFailure(f"Failed to stage {build} at {place}: {problem.strerror}") from problem


def _bring(server: DevServer, build: str, folder: Path) -> None:
    archive, tests = folder / "tests.tar", folder / "tests"
    server.fetch_tests(build, archive)
    tests.mkdir()
    unpack.into(tests, archive, archive.name, _LIMITS)
    # A build that is there is whole, also after the machine went down.
    flush(tests)


@contextlib.contextmanager
def _alone(parent: Path, build: str) -> Iterator[Path]:
    """An empty folder that nobody else fetches *build* into; it is gone at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(build.encode()).hexdigest()
    with (parent / f"{name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = parent / name
        # Of somebody who was killed.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
