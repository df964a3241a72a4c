"""StubProvisioner: installs nothing; it writes the wanted labels into a file on the DUT and reads them back.

The attribute ``stub_provision = "fail"`` makes it fail, for tests of what happens then.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from autotest import errors
from autotest.server.provision import base

FILE = "provisioned"


class StubProvisioner(base.Provisioner):
    """Keeps the labels in ``<client_dir>/provisioned``."""

    def provision(self, labels: Sequence[str]) -> tuple[str, ...]:
        """See :meth:`base.Provisioner.provision`."""
        host = self.host
        if host.info.get("stub_provision") == "fail":
            raise errors.ProvisionFailed(host.hostname, f"{host.hostname}: the stub provisioner was told to fail")
        place = f"{host.client_dir}/{FILE}"
        host.run(f"mkdir -p {shlex.quote(host.client_dir)}", timeout_s=60)
        host.send_bytes("".join(f"{label}\n" for label in labels).encode(), place, timeout_s=60)
        found = tuple(host.run_output(f"cat {shlex.quote(place)}", timeout_s=60).splitlines())
        missing = sorted(set(labels) - set(found))
        if missing:
            raise errors.ProvisionFailed(
                host.hostname, f"{host.hostname} does not carry {', '.join(missing)} afterwards"
            )
        return found
