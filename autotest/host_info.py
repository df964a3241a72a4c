"""HostInfo: a host on paper, to and from JSON; the lab side reads it where there is no database."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import Any

from autotest import errors


@dataclasses.dataclass(frozen=True)
class HostInfo:
    """One DUT: its name, its labels, and how to reach it (attributes, all strings).

    Attributes in use, with their defaults:

    * the wire: ``address`` (the hostname), ``port`` (22), ``user`` (root), ``key`` (path of a private key),
      ``known_hosts`` (path), ``host_key_policy`` (``pinned``, or ``trust_first``); for a DUT that is reached through
      another machine ``bastion`` (its address), ``bastion_port`` (22), ``bastion_user`` (the DUT's)
    * the DUT: ``client_dir`` (/usr/local/autotest), ``python`` (python3), ``tmp_dirs`` (/tmp,/var/tmp), ``min_free_mb``
      (700), ``boot_id_file`` (/proc/sys/kernel/random/boot_id), ``reboot_command`` (reboot)
    * limits in seconds: ``down_limit`` and ``boot_limit`` of a reboot, ``disconnect_limit`` of a running client
    * drivers: ``power`` and ``power_command`` (none), ``provisioner`` (none), ``repair`` (generic)
    """

    hostname: str
    labels: frozenset[str] = frozenset()
    attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    platform: str | None = None
    protection: int = 0

    def label_value(self, key: str) -> str:
        """The value of the first ``key:value`` label in order of name, or ''."""
        values = sorted(label.partition(":")[2] for label in self.labels if label.startswith(key + ":"))
        return values[0] if values else ""

    @property
    def board(self) -> str:
        return self.label_value("board")

    def get(self, attribute: str, default: str = "") -> str:
        return self.attributes.get(attribute, default)

    def to_json(self) -> dict[str, Any]:
        """A JSON object: hostname, labels (sorted list), attributes, platform, protection."""
        return {**dataclasses.asdict(self), "labels": sorted(self.labels)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HostInfo:
        """The inverse of to_json. Raises ValidationError for anything else."""
        if not isinstance(data, dict):
            raise errors.ValidationError({"host": f"a HostInfo is a JSON object, not {type(data).__name__}"})
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown or not isinstance(data.get("hostname"), str):
            raise errors.ValidationError(
                {"host": f"not a HostInfo: unknown keys {unknown}, hostname {data.get('hostname')!r}"}
            )
        return cls(
            hostname=data["hostname"],
            labels=frozenset(map(str, data.get("labels", ()))),
            attributes={str(key): str(value) for key, value in data.get("attributes", {}).items()},
            platform=data.get("platform"),
            protection=int(data.get("protection", 0)),
        )


def is_version(label: str) -> bool:
    """Whether *label* names a version that a provisioner can put onto a host: ``version:X`` or ``<what>-version:X``."""
    key, _, value = label.partition(":")
    return bool(value) and (key == "version" or key.endswith("-version"))


@functools.lru_cache(maxsize=65536)
def natural_order(hostname: str) -> tuple[str, int, str]:
    """Sort key of section 3.6: a letters-and-dashes prefix, then trailing digits as a number, then the text."""
    text = hostname.lower()
    match = re.fullmatch(r"(.*?)(\d+)", text)
    return (match[1], int(match[2]), text) if match else (text, -1, text)
