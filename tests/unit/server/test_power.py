"""Tests of autotest.server.power."""

from __future__ import annotations

import sys

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.power import base, command
from autotest.server.power.stub import StubPower


def outlet(code: str, token: int = 0) -> command.CommandPower:
    words = f"{sys.executable} -c '{code}' {{state}} {{hostname}} {{token}}"
    return command.CommandPower(HostInfo("h1", attributes={"power_command": words}), token)


def test_a_command_gets_state_host_and_lease(tmp_path):
    log = tmp_path / "log"
    outlet(f'import sys; open("{log}", "a").write(" ".join(sys.argv[1:]))', token=7).set("cycle")

    assert log.read_text() == "cycle h1 7"


@pytest.mark.parametrize(("said", "state"), [("on", "on"), ("Outlet 7: OFF", "off"), ("who knows", None)])
def test_the_state_is_read_from_the_words_of_status(said, state):
    assert outlet(f'print("{said}")').get() == state


def test_no_shell_reads_the_command(tmp_path):
    info = HostInfo("h1", attributes={"power_command": f"echo {{state}} ; touch {tmp_path}/mark"})
    command.CommandPower(info).set("on")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"power_command": "/no/such/program {state}"}, "h1: /no/such/program cannot be run: No such file"),
        ({"power_command": "false {state}"}, "h1: power on failed with 1"),
        ({"power_command": "true"}, "h1: power_command 'true' does not say where {state} goes"),
        ({"power_command": "echo ' {state}"}, "h1: power_command .* cannot be split"),
        ({}, "h1: power_command '' does not say"),
    ],
)
def test_an_outlet_that_does_not_obey_is_an_error_with_host_and_fact(attributes, message):
    with pytest.raises(errors.PowerError, match=message):
        command.CommandPower(HostInfo("h1", attributes=attributes)).set("on")


def test_a_command_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(command, "LIMIT_S", 0.2)

    with pytest.raises(errors.PowerError, match=r"did not end within 0.2 s"):
        outlet("import time; time.sleep(60)").set("on")


def test_the_driver_is_found_by_name():
    assert isinstance(base.of(HostInfo("h1", attributes={"power": "command"})), command.CommandPower)
    with pytest.raises(errors.PluginNotFound, match=r"no 'magic' in autotest.power"):
        base.of(HostInfo("h1", attributes={"power": "magic"}))
    with pytest.raises(errors.PowerError, match="h1 has no power outlet on record"):
        base.of(HostInfo("h1"))


def test_the_stub_remembers():
    driver = StubPower(HostInfo("stub-h1"))
    assert driver.get() == "on"
    driver.set("off")
    assert driver.get() == "off"
    driver.set("cycle")
    assert (driver.get(), StubPower.asked["stub-h1"]) == ("on", ["off", "cycle"])
