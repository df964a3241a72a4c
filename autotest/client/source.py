"""The source folder of a test, set up once a version (test-api-and-hosts.md section 2.3)."""

import glob
import os
import shutil
from typing import Any, Callable

from autotest.client import durable


def update(srcdir: str, bindir: str, version: Any, preserve: bool, setup: Callable[[], None]) -> None:
    """Call *setup* unless *srcdir* was set up for *version*; the folder is made anew before, unless *preserve*.

    Whatever *setup* raises leaves the version unwritten, so the next run sets up again.
    """
    mark = os.path.join(srcdir, ".version")
    if _read(mark) == repr(version):
        return
    if os.path.exists(mark):
        os.remove(mark)
    if not (preserve and os.path.isdir(srcdir)):
        shutil.rmtree(srcdir, ignore_errors=True)
        _copy(bindir, srcdir)
    setup()
    os.makedirs(srcdir, exist_ok=True)
    durable.write(mark, repr(version))


def _copy(bindir: str, srcdir: str) -> None:
    original = os.path.join(bindir, "src")
    if os.path.isdir(original):
        shutil.copytree(original, srcdir, symlinks=True)
    else:
        os.makedirs(srcdir)
    for patch in glob.glob(os.path.join(glob.escape(bindir), "*.patch")):
        shutil.copy(patch, os.path.dirname(srcdir))


def _read(path: str) -> str:
    if not os.path.isfile(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()
