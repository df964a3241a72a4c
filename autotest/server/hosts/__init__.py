"""Hosts: the wire to one DUT; `connect` picks the class."""

from __future__ import annotations

from autotest.host_info import HostInfo
from autotest.server import fence
from autotest.server.hosts import remote, ssh


def connect(info: HostInfo, token: int = 0, record: remote.Recorder = remote.record_nothing) -> remote.RemoteHost:
    """The RemoteHost of *info*, fenced by the lease *token* (0: by hand, not fenced); nothing is sent yet."""
    return ssh.SSHHost(info, fence.Fence.of(info, token), record)
