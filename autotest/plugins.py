"""Plug-ins by entry point: one_of finds one by name, all_of lists a group."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from autotest import errors


def one_of(group: str, name: str) -> Any:
    """The plug-in called *name* of *group*: one power driver, one provisioner.

    Raises PluginNotFound, naming what is there.
    """
    found = entry_points(group=group)
    if name not in found.names:
        known = ", ".join(sorted(found.names)) or "none"
        raise errors.PluginNotFound(f"no {name!r} in {group}; known: {known}")
    return found[name].load()


def all_of(group: str) -> list[EntryPoint]:
    """The entry points of *group*, by name, not loaded yet."""
    return sorted(entry_points(group=group), key=lambda point: point.name)
