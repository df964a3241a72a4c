"""Records temperatures."""

import glob

from autotest.client import error, test


class thermaltest(test.test):
    """Writes the temperature of each thermal zone, in degrees Celsius, as a perf keyval."""

    version = 1

    def run_once(self):
        zones = sorted(glob.glob("/sys/class/thermal/thermal_zone*/temp"))
        if not zones:
            raise error.TestNAError("the kernel of this host shows no thermal zone")
        temperatures = {}
        for number, path in enumerate(zones):
            with open(path) as file:
                temperatures[f"zone{number}_celsius"] = int(file.read()) / 1000.0
        self.write_perf_keyval(temperatures)
