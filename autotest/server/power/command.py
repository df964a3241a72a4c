"""CommandPower: an outlet behind a command of your own.

    power = "command"
    power_command = "pdu --outlet 7 {state}"

``{state}`` becomes on, off, cycle or status; ``{hostname}`` and ``{token}`` (the lease) may be used as well. Words are
split as a shell would, but no shell runs. ``status`` prints on or off.
"""

from __future__ import annotations

import logging
import shlex
import subprocess
from typing import Literal

from autotest import errors
from autotest.server.power import base

LIMIT_S = 60.0

logger = logging.getLogger(__name__)


class CommandPower(base.PowerDriver):
    """Runs the host attribute ``power_command``."""

    def set(self, state: base.State) -> None:
        """See :meth:`base.PowerDriver.set`."""
        self._run(state)

    def get(self) -> Literal["on", "off"] | None:
        """See :meth:`base.PowerDriver.get`."""
        words = self._run("status").lower().split()
        if "on" in words:
            return "on"
        return "off" if "off" in words else None

    def _run(self, state: str) -> str:
        template, hostname = self.info.get("power_command"), self.info.hostname
        if "{state}" not in template:
            raise errors.PowerError(f"{hostname}: power_command {template!r} does not say where {{state}} goes")
        fills = {"{state}": state, "{hostname}": hostname, "{token}": str(self.token)}
        try:
            words = [_fill(word, fills) for word in shlex.split(template)]
        except ValueError as problem:
            raise errors.PowerError(f"{hostname}: power_command {template!r} cannot be split: {problem}") from problem
        logger.info("%s: power %s", hostname, state)
        try:
            result = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as problem:
            raise errors.PowerError(f"{hostname}: {words[0]} did not end within {LIMIT_S:g} s") from problem
        except OSError as problem:
            raise errors.PowerError(f"{hostname}: {words[0]} cannot be run: {problem.strerror}") from problem
        if result.returncode:
            said = (result.stderr.strip() or result.stdout.strip())[-300:]
            raise errors.PowerError(f"{hostname}: power {state} failed with {result.returncode}: {said}")
        return result.stdout


def _fill(word: str, fills: dict[str, str]) -> str:
    for name, value in fills.items():
        word = word.replace(name, value)
    return word
