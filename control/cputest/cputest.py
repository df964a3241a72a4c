"""Every processor computes the same."""

import hashlib
import os

from autotest.client import error, test


class cputest(test.test):
    """Computes a chain of *rounds* hashes on each processor in turn and compares the ends."""

    version = 1

    def run_once(self, rounds=20000):
        processors = sorted(os.sched_getaffinity(0))
        ends = {}
        try:
            for number in processors:
                os.sched_setaffinity(0, {number})
                ends[number] = _chain(rounds)
        finally:
            os.sched_setaffinity(0, processors)
        self.write_attr_keyval({"processors": len(processors)})
        wanted = ends[processors[0]]
        odd = [str(number) for number, end in ends.items() if end != wanted]
        if odd:
            raise error.TestFail(f"processor {', '.join(odd)} computes something else than processor {processors[0]}")


def _chain(rounds):
    digest = b"autotest"
    for _ in range(rounds):
        digest = hashlib.sha256(digest).digest()
    return digest
