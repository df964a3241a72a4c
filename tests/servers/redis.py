"""Redis: Debian's redis-server, private, with a password and its append-only file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from servers.server import free_port, program

_CONFIG = """\
bind 127.0.0.1
port {port}
dir {folder}
daemonize no
requirepass "{password}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class Redis:
    """How to start one in *folder*: :attr:`argv`; and where it is then: :attr:`url`."""

    password = "p@ss/word"

    def __init__(self, folder: Path):
        folder.mkdir()
        self.port = free_port()
        self.url = f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}/0"
        config = folder / "redis.conf"
        config.write_text(_CONFIG.format(port=self.port, folder=folder, password=self.password))
        self.argv = [program("redis-server", "redis-server"), str(config)]
