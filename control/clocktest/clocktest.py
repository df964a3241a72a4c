"""Clocks that only go forward, and agree about how fast."""

import time

from autotest.client import error, test


class clocktest(test.test):
    """Reads the monotonic and the wall clock for *seconds*; they may drift apart by *drift_ms*."""

    version = 1

    def run_once(self, seconds=2.0, drift_ms=250.0):
        wall, began = time.time(), time.monotonic()
        last, reads = began, 0
        while last - began < seconds:
            now = time.monotonic()
            if now < last:
                raise error.TestFail(f"the monotonic clock went back by {(last - now) * 1e9:.0f} ns")
            last = now
            reads += 1
        drift = abs((time.time() - wall) - (last - began)) * 1000
        self.write_perf_keyval({"drift_ms": round(drift, 3), "reads_per_s": round(reads / seconds)})
        if drift > drift_ms:
            raise error.TestFail(f"the wall clock and the monotonic clock drifted {drift:.1f} ms in {seconds} s")
