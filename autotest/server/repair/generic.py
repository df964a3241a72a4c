"""The repair strategy of any Linux DUT."""

from __future__ import annotations

from autotest.server.repair import actions, strategy, verifiers

GENERIC = strategy.RepairStrategy(
    verifiers=[
        verifiers.SshUp(),
        verifiers.DiskSpace(needs=["ssh"]),
        verifiers.Writable(needs=["ssh"]),
        verifiers.PythonWorks(needs=["ssh"]),
    ],
    actions=[
        actions.PowerCycle(cures=["ssh"]),
        actions.CleanTmp(cures=["disk", "writable"], needs=["ssh"]),
        actions.Reboot(cures=["disk", "writable", "python"], needs=["ssh"]),
    ],
)
