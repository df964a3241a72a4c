"""Login: one SSH connection to a DUT, through its bastion if it has one; host keys are checked at each of the two.

The bastion forwards and runs nothing: the DUT's own key exchange goes through it end to end, so it cannot read along.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import paramiko

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts import host_keys, wire


class Login:
    """An open connection: *transport* to the DUT, and the bastion's below it."""

    def __init__(self, client: paramiko.SSHClient, bastion: paramiko.SSHClient | None):
        self._client = client
        self._bastion = bastion

    @property
    def transport(self) -> paramiko.Transport | None:
        """The connection to the DUT; None once it was closed."""
        return self._client.get_transport()

    def close(self) -> None:
        """End both connections."""
        self._client.close()
        if self._bastion is not None:
            self._bastion.close()


def log_in(info: HostInfo, limit_s: float) -> Login:
    """Connect to the DUT within *limit_s*. Raises HostUnreachable, HostKeyRejected, ConfigError."""
    address, port = info.get("address", info.hostname), port_of(info, "port")
    where = f"{info.hostname} ({address} port {port})"
    user = info.get("user", "root")
    if not info.get("bastion"):
        client = _connect(info, where, (address, port), user, lambda: wire.dial(address, port, limit_s), limit_s)
        return Login(client, None)
    end = time.monotonic() + limit_s
    bastion = _enter(info, limit_s)
    try:
        left = max(0.1, end - time.monotonic())
        return Login(_connect(info, where, (address, port), user, lambda: _through(info, bastion, left), left), bastion)
    except BaseException:
        bastion.close()
        raise


def port_of(info: HostInfo, attribute: str) -> int:
    """A port from the attributes of the host, 22 without one. Raises ConfigError when it is none."""
    text = info.get(attribute, "22")
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65536:
        raise errors.ConfigError(f"{info.hostname}: {attribute} {text!r} is not a number from 1 to 65535")
    return int(text)


def _enter(info: HostInfo, limit_s: float) -> paramiko.SSHClient:
    address, port = info.get("bastion"), port_of(info, "bastion_port")
    where = f"{info.hostname}: its bastion ({address} port {port})"
    user = info.get("bastion_user", info.get("user", "root"))
    return _connect(info, where, (address, port), user, lambda: wire.dial(address, port, limit_s), limit_s)


def _through(info: HostInfo, bastion: paramiko.SSHClient, limit_s: float) -> paramiko.Channel:
    """A channel from the bastion to the DUT. Raises OSError."""
    transport = bastion.get_transport()
    place = (info.get("address", info.hostname), port_of(info, "port"))
    if transport is None:
        raise OSError(f"its bastion {info.get('bastion')} closed the connection")
    try:
        return transport.open_channel("direct-tcpip", place, ("127.0.0.1", 0), timeout=limit_s)
    except paramiko.ChannelException as problem:
        raise OSError(f"its bastion {info.get('bastion')} does not get there: {problem.text}") from problem
    except (EOFError, paramiko.SSHException) as problem:
        raise OSError(f"its bastion {info.get('bastion')} does not get there: {problem or 'closed'}") from problem


def _connect(
    info: HostInfo,
    where: str,
    place: tuple[str, int],
    user: str,
    dial: Callable[[], socket.socket | paramiko.Channel],
    limit_s: float,
) -> paramiko.SSHClient:
    """One SSH login over what *dial* gives; *where* begins each message."""
    client = paramiko.SSHClient()
    host_keys.apply(info, client)
    with contextlib.ExitStack() as undo:
        undo.callback(client.close)
        late = None
        try:
            line = wire.Wire(dial())
            undo.callback(line.close)
            with wire.closing_after(limit_s, line) as late:
                client.connect(
                    *place,
                    username=user,
                    key_filename=info.get("key") or None,
                    allow_agent=not info.get("key"),
                    look_for_keys=not info.get("key"),
                    sock=line,  # type: ignore[arg-type]  # paramiko asks for a socket-like object only
                    timeout=limit_s,
                    banner_timeout=limit_s,
                    auth_timeout=limit_s,
                )
            transport = client.get_transport()
            if transport is None:
                raise EOFError("closed at once")
            transport.set_keepalive(int(wire.PING_EVERY_S))
        except errors.HostError:
            raise
        except paramiko.BadHostKeyException as problem:
            known = host_keys.known_hosts(info)
            raise errors.HostKeyRejected(info.hostname, host_keys.changed(where, known)) from problem
        except paramiko.AuthenticationException as problem:
            raise errors.HostUnreachable(
                info.hostname, f"{where} refused user {user}: {problem}; check user and key"
            ) from problem
        except (EOFError, OSError, paramiko.SSHException) as problem:
            timed_out = isinstance(problem, TimeoutError) or (late is not None and late.is_set())
            fact = f"did not answer SSH within {limit_s:.0f} s" if timed_out else f"does not answer SSH: {problem}"
            raise errors.HostUnreachable(info.hostname, f"{where} {fact}") from problem
        undo.pop_all()
    return client
