"""OpenSSH: this machine as a DUT behind a private sshd, kept inside a root folder of its own as far as that goes.

Its PATH begins with decoys that record the call and fail, its clients, temporary folders, boot id and reboot command
lie below its root, and each of its processes carries the mark of that root.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from autotest.host_info import HostInfo
from autotest.sim import hunt, layout
from servers.server import Server, accepts, free_port, program

# The keys say who may come in, so that PAM and the accounts of the machine have no part in it.
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/pid
AuthorizedKeysFile {folder}/client_key.pub
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
MaxStartups 100
SetEnv {environment}
"""


class OpenSSH:
    """One DUT in *folder*; :attr:`info` is the way to it."""

    def __init__(self, hostname: str, labels: Iterable[str], folder: Path):
        if os.geteuid() != 0:
            pytest.skip("a private sshd that lets root in needs root")
        self.root = folder / "root"
        layout.make_root(self.root)
        layout.new_boot_id(self.root)
        layout.write_programs(folder / "bin", folder / "doorbell")
        for name in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        self._port = free_port()
        own = layout.environment(self.root, folder / "bin")
        config = folder / "sshd_config"
        config.write_text(
            _CONFIG.format(
                port=self._port, folder=folder, environment=" ".join(f'"{key}={value}"' for key, value in own.items())
            )
        )
        kind, key, *_ = (folder / "host_key.pub").read_text().split()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self._port} {kind} {key}\n")
        # Where sshd puts itself before anybody has logged in.
        Path("/run/sshd").mkdir(exist_ok=True)
        argv = [program("sshd", "openssh-server"), "-D", "-e", "-f", str(config)]
        self.server = Server(argv, folder / "log", lambda: accepts(self._port))
        self.info = HostInfo(
            hostname,
            frozenset(labels),
            {
                "address": "127.0.0.1",
                "port": str(self._port),
                "user": "root",
                "key": str(folder / "client_key"),
                "known_hosts": str(folder / "known_hosts"),
                "client_dir": str(layout.client_dir(self.root)),
                "tmp_dirs": ",".join(map(str, layout.tmp_dirs(self.root))),
                "min_free_mb": "1",
                "boot_id_file": str(layout.boot_id_file(self.root)),
                "reboot_command": f"touch {shlex.quote(str(self.root / 'rebooted'))}",
            },
        )

    @property
    def decoys(self) -> list[str]:
        """The dangerous programs that somebody called on the DUT."""
        return layout.decoys(self.root)

    @property
    def processes(self) -> list[int]:
        """What runs on the DUT."""
        return hunt.processes(str(self.root))

    def remove(self) -> None:
        """End the server and whatever runs on the DUT."""
        self.server.stop()
        hunt.kill(str(self.root))
