"""StubPower: an outlet that only remembers, for labs without one and for tests."""

from __future__ import annotations

from typing import ClassVar, Literal

from autotest.server.power import base


class StubPower(base.PowerDriver):
    """Remembers what was asked, by hostname, in *asked*."""

    asked: ClassVar[dict[str, list[str]]] = {}

    def set(self, state: base.State) -> None:
        """See :meth:`base.PowerDriver.set`."""
        self.asked.setdefault(self.info.hostname, []).append(state)

    def get(self) -> Literal["on", "off"] | None:
        """See :meth:`base.PowerDriver.get`."""
        return "off" if self.asked.get(self.info.hostname, ["on"])[-1] == "off" else "on"
