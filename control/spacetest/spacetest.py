"""Room on the file system where tests work."""

import os

from autotest.client import error, test


class spacetest(test.test):
    """Records free space and free inodes; fails below *free_mb* megabytes or *free_inodes*."""

    version = 1

    def run_once(self, free_mb=64, free_inodes=1000):
        found = os.statvfs(self.tmpdir)
        free = found.f_bavail * found.f_frsize / 2.0**20
        self.write_perf_keyval({"free_mb": round(free, 1)})
        self.write_attr_keyval({"free_inodes": found.f_favail})
        if free < free_mb:
            raise error.TestFail(f"{free:.0f} MB are free, {free_mb} are needed")
        # Some file systems count no inodes, and say 0 of 0.
        if found.f_files and found.f_favail < free_inodes:
            raise error.TestFail(f"{found.f_favail} inodes are free, {free_inodes} are needed")
