"""The running kernel says who it is, and whether it trusts itself."""

import os

from autotest.client import error, test

TAINTED = "/proc/sys/kernel/tainted"


class kerneltest(test.test):
    """Compares the names that the kernel gives itself, and warns if it is tainted by more than *allowed* flags."""

    version = 1

    def run_once(self, allowed=0):
        with open("/proc/version") as file:
            banner = file.read().strip()
        release = os.uname().release
        self.write_attr_keyval({"kernel": release, "machine": os.uname().machine})
        if release not in banner:
            raise error.TestFail(f"uname says {release!r} and /proc/version says {banner!r}")
        if not os.path.exists(TAINTED):
            raise error.TestNAError(f"this kernel has no {TAINTED}")
        with open(TAINTED) as file:
            flags = int(file.read())
        if flags & ~allowed:
            bits = [str(bit) for bit in range(flags.bit_length()) if flags >> bit & 1]
            raise error.TestWarn(f"the kernel is tainted: bits {', '.join(bits)} (admin-guide/tainted-kernels)")
