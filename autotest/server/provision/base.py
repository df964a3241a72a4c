"""What a provisioner does; one subclass per way, named by the host attribute ``provisioner``."""

from __future__ import annotations

import abc
from collections.abc import Sequence

from autotest import errors, plugins
from autotest.server.hosts.remote import RemoteHost

GROUP = "autotest.provision"
SKIP = "skip_provision"


class Provisioner(abc.ABC):
    """Puts versions onto one DUT. Every command goes through *host*, and so through the fence of its lease."""

    def __init__(self, host: RemoteHost):
        self.host = host

    @abc.abstractmethod
    def provision(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Put what *labels* name (``os-version:12.4``) onto the DUT; returns the labels that it carries now.

        Raises ProvisionFailed, or what the host raises.
        """


def of(host: RemoteHost) -> Provisioner:
    """The provisioner of *host*. Raises ProvisionFailed when it has none, PluginNotFound for an unknown one."""
    name = host.info.get("provisioner")
    if not name:
        raise errors.ProvisionFailed(
            host.hostname, f"{host.hostname} has no provisioner on record; set its attribute provisioner"
        )
    provisioner: Provisioner = plugins.one_of(GROUP, name)(host)
    return provisioner
