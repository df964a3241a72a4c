"""Bundles: what the tests of the dev server stage."""

from __future__ import annotations

import io
import tarfile

CONTROL = """NAME = '{name}'
AUTHOR = 'the team'
TIME = 'SHORT'
TEST_TYPE = 'client'
TEST_CLASS = 'smoke'
TEST_CATEGORY = 'Functional'
DEPENDENCIES = '{needs}'
ATTRIBUTES = 'suite:smoke'
DOC = 'Sleeps.'
job.run_test('{name}')
"""
FILES = {
    "image.bin": b"image" * 1000,
    "autotest/control/a/control": CONTROL.format(name="a", needs="bluetooth").encode(),
    "autotest/control/a/a.py": b"pass\n",
    "autotest/test_suites/control.smoke": b"# smoke\n",
}


def tarred(files: dict[str, bytes]) -> bytes:
    """These files as a tar archive."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()
