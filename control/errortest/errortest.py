"""Meets an error that is not the fault of what it tests."""

import os

from autotest.client import error, test


class errortest(test.test):
    """Needs a file that no host has."""

    version = 1

    def run_once(self):
        wanted = os.path.join(self.bindir, "calibration.dat")
        if not os.path.exists(wanted):
            raise error.TestError("calibration.dat is missing: this host was never calibrated")
