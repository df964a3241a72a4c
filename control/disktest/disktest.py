"""A disk keeps what it was told to keep."""

import hashlib
import os
import time

from autotest.client import error, test


class disktest(test.test):
    """Writes *files* files of *size_kb* each under a temporary name, renames them, and reads them back."""

    version = 1

    def run_once(self, files=8, size_kb=256):
        wanted = {}
        began = time.monotonic()
        for number in range(files):
            block = os.urandom(1024)
            path = os.path.join(self.tmpdir, f"file{number}")
            with open(path + ".new", "wb") as file:
                for _ in range(size_kb):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.rename(path + ".new", path)
            wanted[path] = hashlib.sha256(block * size_kb).digest()
        seconds = time.monotonic() - began
        for path, digest in wanted.items():
            with open(path, "rb") as file:
                if hashlib.sha256(file.read()).digest() != digest:
                    raise error.TestFail(f"{os.path.basename(path)} reads back as something else than was written")
        if sorted(os.listdir(self.tmpdir)) != sorted(map(os.path.basename, wanted)):
            raise error.TestFail(f"the folder holds {sorted(os.listdir(self.tmpdir))} after the renames")
        self.write_perf_keyval({"write_mb_per_s": round(files * size_kb / 1024 / seconds, 3)})
