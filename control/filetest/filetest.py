"""Writes a file, reads it back, and compares."""

import hashlib
import os

from autotest.client import error, test


class filetest(test.test):
    """Writes *size_kb* of random bytes into the test's own temporary folder."""

    version = 1

    def run_once(self, size_kb=64):
        path = os.path.join(self.tmpdir, "data")
        written = hashlib.sha256()
        with open(path, "wb") as file:
            for _ in range(size_kb):
                block = os.urandom(1024)
                written.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        with open(path, "rb") as file:
            found = hashlib.sha256(file.read())
        if found.digest() != written.digest():
            raise error.TestFail(f"{size_kb} KB were written and something else was read")
        self.write_attr_keyval({"size_kb": size_kb})
