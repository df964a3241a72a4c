"""What a reboot takes away, and what it leaves."""

import os
import subprocess

from autotest.client import error, test

_WITNESS = "reboottest.before/results/witness"


class reboottest(test.test):
    """Part ``before`` leaves a process and a file behind; part ``after``, on the next boot, looks for both."""

    version = 1

    def run_once(self, part):
        if part == "before":
            self.leave_witness()
        else:
            self.look_for_witness()

    def leave_witness(self):
        with open(os.devnull, "r+") as nothing:
            process = subprocess.Popen(
                ["sleep", "600"], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
            )
        with open(os.path.join(self.resultsdir, "witness"), "w") as file:
            file.write(f"{process.pid} {start_time(process.pid)}")
            file.flush()
            os.fsync(file.fileno())

    def look_for_witness(self):
        try:
            with open(os.path.join(self.job.resultdir, _WITNESS)) as file:
                pid, begun = file.read().split()
        except (OSError, ValueError) as problem:
            raise error.TestFail(f"the reboot lost what was written before it: {problem}") from problem
        if start_time(int(pid)) == begun:
            raise error.TestFail(f"process {pid} from before the reboot still runs: there was no reboot")


def start_time(pid):
    """When the process began, in ticks since boot; None when there is none, or only its exit status is left."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
