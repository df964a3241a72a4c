"""A processor that has nothing to do goes to sleep."""

import glob
import os
import time

from autotest.client import error, test

STATES = "/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state*"


class idletest(test.test):
    """Sleeps for *seconds* and looks whether any idle state was entered meanwhile."""

    version = 1

    def run_once(self, seconds=2.0):
        before = _entered()
        if not before:
            raise error.TestNAError("the kernel of this host shows no idle states")
        time.sleep(seconds)
        after = _entered()
        entered = {state: count - before.get(state, 0) for state, count in sorted(after.items())}
        self.write_perf_keyval({f"{state}_per_s": round(count / seconds, 1) for state, count in entered.items()})
        if not any(entered.values()):
            raise error.TestFail(f"in {seconds} s no processor entered any of {', '.join(entered)}")


def _entered():
    """How often each idle state was entered, over all processors."""
    counts = {}
    for folder in glob.glob(STATES):
        state = os.path.basename(folder)
        with open(os.path.join(folder, "usage")) as file:
            counts[state] = counts.get(state, 0) + int(file.read())
    return counts
