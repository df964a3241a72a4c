"""``.autoserv_execute``: process id, wait status and number of failed tests (results-and-tko.md section 1.2)."""

import itertools
import re
from typing import NamedTuple, Optional

NAME = ".autoserv_execute"

_WHOLE_NUMBER = re.compile(rb"\s*[+-]?\d{1,18}\s*")


class ExitFile(NamedTuple):
    """What autoserv leaves at its start (*pid*) and at its end (the rest; None before)."""

    pid: Optional[int] = None
    wait_status: Optional[int] = None
    failed_tests: Optional[int] = None

    def render(self) -> str:
        """The file, as far as it is known."""
        return "".join(f"{number}\n" for number in itertools.takewhile(lambda number: number is not None, self))

    @classmethod
    def parse(cls, content: bytes) -> "ExitFile":
        """The inverse of :meth:`render`. What is no whole number is None; never raises."""
        lines = content.split(b"\n", 3)[:3]
        return cls(*(int(line) if _WHOLE_NUMBER.fullmatch(line) else None for line in lines))

    @property
    def exit_code(self) -> Optional[int]:
        """How the run exited; None if it did not: a signal ended it, or it goes on."""
        if self.wait_status is None or self.wait_status & 0x7F:
            return None
        return self.wait_status >> 8 & 0xFF
