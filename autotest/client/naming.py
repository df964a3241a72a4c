"""Names: what a test is called in the log, and the folder it writes to (test-api-and-hosts.md section 1.3)."""

import os
from typing import List, NamedTuple

from autotest.client import error


class TestName(NamedTuple):
    """*name* is shown as operation, *subdir* is the folder below the results."""

    name: str
    subdir: str


def build(url: str, tags: List[str], subdir_tag: str = "", parent: str = "") -> TestName:
    """Join the test's name with its tags; *subdir_tag* only shows in the folder, which lies below *parent*."""
    parts = [part for part in tags if part]
    subdir = ".".join([url, *parts, *([subdir_tag] if subdir_tag else [])])
    return TestName(".".join([url, *parts]), os.path.join(parent, subdir) if parent else subdir)


def make_outputdir(resultdir: str, subdir: str) -> str:
    """Create the folder of one test. Raises TestError when it exists, or would lie outside the results."""
    path = os.path.normpath(os.path.join(resultdir, subdir))
    if not path.startswith(os.path.normpath(resultdir) + os.sep):
        raise error.TestError(f"{subdir!r} is outside the results folder; choose another name or tag")
    if os.path.exists(path):
        raise error.TestError(f"{subdir} already exists; multiple tests cannot run with the same subdirectory")
    os.makedirs(path)
    return path
