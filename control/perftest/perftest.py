"""Measures how fast the host hashes."""

import hashlib
import time

from autotest.client import test


class perftest(test.test):
    """Each iteration hashes *megabytes* and writes ``sha256_mb_per_s`` and ``seconds`` as perf keyvals."""

    version = 1

    def run_once(self, megabytes=8):
        block = b"autotest" * (1 << 17)
        digest = hashlib.sha256()
        begin = time.perf_counter()
        for _ in range(megabytes):
            digest.update(block)
        seconds = time.perf_counter() - begin
        self.write_perf_keyval({"sha256_mb_per_s": round(megabytes / seconds, 3), "seconds": round(seconds, 6)})
