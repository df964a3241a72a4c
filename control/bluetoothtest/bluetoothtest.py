"""Records Bluetooth adapters."""

import os

from autotest.client import test


class bluetoothtest(test.test):
    """Writes which adapters the kernel shows; a lab that needs one adds its own check."""

    version = 1

    def run_once(self):
        place = "/sys/class/bluetooth"
        adapters = sorted(os.listdir(place)) if os.path.isdir(place) else []
        self.write_attr_keyval({"adapters": ",".join(adapters) or "none", "adapter_count": len(adapters)})
