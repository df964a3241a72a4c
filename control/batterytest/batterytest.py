"""Batteries and mains, as the kernel sees them."""

import glob
import os

from autotest.client import error, test


class batterytest(test.test):
    """Records charge and status of each battery; fails below *least_percent*, unless it is charging."""

    version = 1

    def run_once(self, least_percent=10):
        batteries = [
            folder for folder in sorted(glob.glob("/sys/class/power_supply/*")) if _read(folder, "type") == "Battery"
        ]
        if not batteries:
            raise error.TestNAError("this host has no battery")
        for folder in batteries:
            name, status = os.path.basename(folder), _read(folder, "status")
            charge = int(_read(folder, "capacity") or -1)
            self.write_perf_keyval({f"{name}_percent": charge})
            self.write_attr_keyval({f"{name}_status": status})
            if not 0 <= charge <= 100:
                raise error.TestFail(f"{name} says that it is charged to {charge} %")
            if charge < least_percent and status != "Charging":
                raise error.TestFail(f"{name} is down to {charge} % and {status}")


def _read(folder, entry):
    try:
        with open(os.path.join(folder, entry)) as file:
            return file.read().strip()
    except OSError:
        return ""
