"""``.machines``: the hosts that one run has, one a line (results-and-tko.md sections 1.2 and 1.4)."""

from typing import Iterable, List

from autotest.client import encoding

NAME = ".machines"


def render(hostnames: Iterable[str]) -> bytes:
    """The file. Raises ValueError for a name that cannot be a folder."""
    lines = []
    for hostname in hostnames:
        if parse(encoding.to_bytes(hostname)) != [hostname]:
            raise ValueError(f"{hostname!r} cannot be the name of a machine's folder")
        lines.append(hostname + "\n")
    return encoding.to_bytes("".join(lines))


def parse(content: bytes) -> List[str]:
    """The names, each once, in order; what cannot be a folder beside the file is left out. Never raises."""
    lines = dict.fromkeys(line.strip() for line in content.split(b"\n"))
    return [encoding.to_text(name) for name in lines if _is_name(name)]


def _is_name(name: bytes) -> bool:
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name
