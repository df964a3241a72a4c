"""What a power outlet can do; one subclass per device, named by the host attribute ``power``."""

from __future__ import annotations

import abc
from typing import Literal

from autotest import errors, plugins
from autotest.host_info import HostInfo

State = Literal["on", "off", "cycle"]
GROUP = "autotest.power"


class PowerDriver(abc.ABC):
    """The outlet of one DUT. *token* is the lease that asks, for devices that can refuse a stale one."""

    def __init__(self, info: HostInfo, token: int = 0):
        self.info = info
        self.token = token

    @abc.abstractmethod
    def set(self, state: State) -> None:
        """Switch the outlet; "cycle" is off, a pause, on. Raises PowerError."""

    @abc.abstractmethod
    def get(self) -> Literal["on", "off"] | None:
        """What the outlet says; None when it cannot tell. Raises PowerError when it does not answer."""


def of(info: HostInfo, token: int = 0) -> PowerDriver:
    """The outlet of *info*. Raises PowerError when it has none, PluginNotFound for an unknown driver."""
    name = info.get("power")
    if not name:
        raise errors.PowerError(f"{info.hostname} has no power outlet on record; set its attribute power")
    driver: PowerDriver = plugins.one_of(GROUP, name)(info, token)
    return driver
