"""Debug logs: ``debug/autoserv.DEBUG`` and ``debug/autoserv.INFO`` of a results folder."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

_FORM = logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)-7s| %(name)s: %(message)s", "%m/%d %H:%M:%S")
_LEVELS = (logging.DEBUG, logging.INFO)


@contextlib.contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Send what is logged in the block to the debug folder of *folder* as well."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    _open(folder)
    try:
        yield
    finally:
        _restore(before)
        root.setLevel(level)


def move_to(folder: Path) -> None:
    """In a forked process: log to *folder* from now on, and nowhere else."""
    logging.getLogger().handlers.clear()
    _open(folder)


def _open(folder: Path) -> None:
    (folder / "debug").mkdir(exist_ok=True)
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    for level in _LEVELS:
        handler = logging.FileHandler(
            folder / "debug" / f"autoserv.{logging.getLevelName(level)}", encoding="utf-8", errors="backslashreplace"
        )
        handler.setLevel(level)
        handler.setFormatter(_FORM)
        root.addHandler(handler)


def _restore(handlers: list[logging.Handler]) -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
