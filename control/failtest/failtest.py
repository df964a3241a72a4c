"""Fails."""

from autotest.client import error, test


class failtest(test.test):
    """What it looks at is never as it should be."""

    version = 1

    def run_once(self):
        raise error.TestFail("two and two are four; this test wants five")
