"""Several dev servers: one of them stages the build, the next one when it cannot."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from autotest import errors
from autotest.devserver_client import choice
from autotest.devserver_client.server import DevServer

#: What a suite needs (section 6).
ARTIFACTS = "control_files,test_suites"
_FIRST_LOOK_S = 0.05
_LOOK_EVERY_S = 5.0
#: A server that was staging and is not reached any more is given up after so long: it may only be starting again.
_LOST_AFTER_S = 30.0
#: Dev servers that answer this refuse the bundle for what it holds; another one would fetch it to refuse it too.
_UNPROCESSABLE = 422


def stage(
    build: str,
    archive_url: str,
    servers: Sequence[str],
    seconds: float,
    call_s: float = 60.0,
    lost_after_s: float = _LOST_AFTER_S,
    told: Callable[[str], None] | None = None,
) -> DevServer:
    """Have *build* staged, and wait for it. Returns the server that has it.

    Healthy servers are asked in the order of :func:`choice.ranked`. *told* is called with a line when one failed.
    Raises StageBuildFailure with every server and its fact when none can, or not within *seconds*.
    """
    deadline = time.monotonic() + seconds
    facts: list[str] = []
    for url in choice.ranked(build, servers):
        server = DevServer(url, call_s, deadline)
        try:
            server.check_health()
            _stage_on(server, archive_url, deadline, lost_after_s)
            return server
        except errors.HttpFailed as problem:
            facts.append(f"{server}: {problem}")
            if told is not None:
                told(facts[-1])
            if problem.status == _UNPROCESSABLE:
                break
        if time.monotonic() >= deadline:
            facts.append(f"no time is left of {seconds:g} s")
            break
    raise errors.StageBuildFailure(f"Failed to stage {build}: {'; '.join(facts) or 'there is no dev server'}")


def latest(target: str, servers: Sequence[str], milestone: str = "", call_s: float = 60.0) -> str:
    """The newest build of *target* that any dev server knows. Raises StageBuildFailure with the facts if none does."""
    found, facts = [], []
    for url in servers:
        server = DevServer(url, call_s)
        try:
            server.check_health()
            found.append(server.latest_build(target, milestone))
        except errors.HttpFailed as problem:
            facts.append(f"{server}: {problem}")
    if not found:
        raise errors.StageBuildFailure(f"No build of {target}: {'; '.join(facts) or 'there is no dev server'}")
    return max(found, key=version)


def version(build: str) -> tuple[list[int], str]:
    """What newer builds have more of: the numbers of the name's last part, in order."""
    return [int(digits) for digits in re.findall(r"\d{1,18}", build.rpartition("/")[2])], build


def _stage_on(server: DevServer, archive_url: str, deadline: float, lost_after_s: float) -> None:
    """Have it staged there. Raises HttpFailed."""
    server.stage(archive_url, ARTIFACTS)
    pause = _FIRST_LOOK_S
    heard = time.monotonic()
    while True:
        try:
            staged, doing = server.is_staged(archive_url, ARTIFACTS)
            heard = time.monotonic()
            if staged:
                return
            if doing == "unknown":
                # It was started again since.
                server.stage(archive_url, ARTIFACTS)
        except errors.HttpFailed as problem:
            if problem.status or time.monotonic() - heard > lost_after_s:
                raise
        if time.monotonic() + pause > deadline:
            raise errors.HttpFailed("is_staged: not within the time that was left")
        time.sleep(pause)
        pause = min(2 * pause, _LOOK_EVERY_S)
