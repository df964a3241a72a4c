"""Network interfaces: what there is, and whether it counts errors."""

import os

from autotest.client import error, test

ROOT = "/sys/class/net"
COUNTERS = ("rx_errors", "tx_errors")


class interfacetest(test.test):
    """Records the state of each interface; warns of one that lost more than *per_million* of its packets to errors."""

    version = 1

    def run_once(self, per_million=100):
        if not os.path.isdir(ROOT):
            raise error.TestNAError(f"this host has no {ROOT}")
        names = sorted(name for name in os.listdir(ROOT) if os.path.isdir(os.path.join(ROOT, name)))
        if "lo" not in names:
            raise error.TestFail(f"there is no loopback interface among {', '.join(names) or 'none'}")
        self.write_attr_keyval({f"{name}_state": _read(name, "operstate") for name in names})
        for name in names:
            packets = sum(int(_read(name, f"statistics/{way}_packets") or 0) for way in ("rx", "tx"))
            faults = sum(int(_read(name, f"statistics/{counter}") or 0) for counter in COUNTERS)
            if faults * 1000000 > per_million * packets:
                raise error.TestWarn(f"{name} counts {faults} errors in {packets} packets")


def _read(name, entry):
    try:
        with open(os.path.join(ROOT, name, entry)) as file:
            return file.read().strip()
    except OSError:
        return ""
