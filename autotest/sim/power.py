"""The outlet of a simulated DUT, as a command: ``python -m autotest.sim.power DIR HOST on|off|cycle|status``.

It prints ``on`` or ``off``, what the outlet is now. This is the ``power_command`` of simulated DUTs, so it starts fast.
"""

from __future__ import annotations

import sys
from pathlib import Path

from autotest import errors
from autotest.sim import switchboard


def switch(folder: Path, hostname: str, state: str) -> str:
    """Switch the outlet of *hostname* ``on``, ``off``, ``cycle`` or ask for its ``status``; returns ``on`` or ``off``.

    Raises FleetError when the fleet refuses, or none runs in *folder*.
    """
    return str(switchboard.ask(folder, "power", host=hostname, state=state))


def main(words: list[str]) -> int:
    """The command: returns its exit status."""
    if len(words) != 3:
        print("usage: python -m autotest.sim.power DIR HOST on|off|cycle|status", file=sys.stderr)
        return 2
    try:
        print(switch(Path(words[0]), words[1], words[2]))
    except errors.AutotestError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
