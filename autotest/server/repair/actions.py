"""Repair actions for any Linux DUT: power cycle, clean the temporary folders, reboot."""

from __future__ import annotations

import posixpath
import shlex

from autotest import errors
from autotest.server.hosts import remote
from autotest.server.power import base as power
from autotest.server.repair import strategy, verifiers
from autotest.states import Protection

_CLEAN_LIMIT_S = 600.0


class PowerCycle(strategy.RepairAction):
    """Switch the DUT off and on through its outlet."""

    tag = "power_cycle"
    description = "power cycle the host"
    gentle_enough_for = Protection.REPAIR_SOFTWARE_ONLY

    def repair(self, host: remote.RemoteHost) -> None:
        """Raises PowerError when the outlet does not obey, RepairFailed when the DUT does not come back."""
        outlet = power.of(host.info, host.fence.token)
        host.close()
        outlet.set("cycle")
        limit = host.limit("boot_limit", remote.BOOT_LIMIT_S)
        if not host.wait_up(limit):
            raise errors.RepairFailed(
                host.hostname, f"{host.hostname} did not come up within {limit:g} s of its power cycle"
            )


class CleanTmp(strategy.RepairAction):
    """Empty the temporary folders."""

    tag = "clean_tmp"
    description = "empty the temporary folders"

    def repair(self, host: remote.RemoteHost) -> None:
        """Raises RepairFailed for a folder that nobody can have meant, CommandFailed when the DUT does not obey."""
        for place in verifiers.tmp_dirs(host):
            path = posixpath.normpath(place)
            if not path.startswith("/") or path.strip("/") == "":
                raise errors.RepairFailed(host.hostname, f"{host.hostname}: {place!r} of tmp_dirs must not be emptied")
            host.run(f"cd -- {shlex.quote(path)} && find . -xdev -mindepth 1 -delete", timeout_s=_CLEAN_LIMIT_S)


class Reboot(strategy.RepairAction):
    """Reboot the DUT and wait until it is back."""

    tag = "reboot"
    description = "reboot the host"

    def repair(self, host: remote.RemoteHost) -> None:
        """Raises RebootFailed."""
        host.reboot()
