"""Tests of autotest.server.inspection, as far as they need no wire."""

from __future__ import annotations

import pytest

from autotest.host_info import HostInfo
from autotest.server import inspection
from autotest.server.power.stub import StubPower


def info(*labels: str, **attributes: str) -> HostInfo:
    return HostInfo("h1", frozenset(labels), attributes)


def of(found, check):
    (finding,) = (each for each in found if each.check == check)
    return finding


@pytest.mark.parametrize(
    ("labels", "level", "text"),
    [
        (["board:pi4", "bluetooth"], "ok", "bluetooth, board:pi4"),
        (["bluetooth"], "warn", "no board: label, so that no suite finds it"),
        (["board:pi4", "board:pi5"], "warn", "several boards: board:pi4, board:pi5"),
        (["board:pi4", "a,b"], "fail", "'a,b' holds a comma"),
        (["board:pi4", " bluetooth"], "fail", "' bluetooth' holds a comma, or white space"),
        (["board:pi4", "a\x1b[31m"], "fail", "x1b[31m' holds a comma, or white space"),
        (["board:" + "x" * 255], "fail", "has more than 255 characters"),
    ],
)
def test_labels_are_what_somebody_can_ask_for(labels, level, text):
    found = inspection.labels(info(*labels))
    assert found.level == level
    assert text in found.text


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o400, "ok"), (0o640, "fail"), (0o604, "fail")])
def test_a_key_is_for_us_alone(tmp_path, mode, level):
    key = tmp_path / "key"
    key.touch()
    key.chmod(mode)
    found = inspection.key_file(info(key=str(key)))
    assert found.level == level
    assert f"mode {mode:03o}" in found.text


def test_a_key_that_is_not_there_is_named(tmp_path):
    found = inspection.key_file(info(key=str(tmp_path / "key")))
    assert found == ("key", "fail", f"{tmp_path / 'key'} cannot be read: No such file or directory")


def test_without_a_key_there_is_an_agent():
    assert inspection.key_file(info()).level == "ok"


def test_a_driver_that_is_not_installed_is_named_with_those_that_are():
    found = list(inspection.drivers(info(repair="generic", provisioner="acme")))
    assert found[0] == ("repair", "ok", "generic is installed")
    assert found[1].level == "fail"
    assert found[1].text.startswith("no 'acme' in autotest.provision; known: ")


def test_an_outlet_is_asked_and_never_switched(monkeypatch):
    monkeypatch.setattr(StubPower, "asked", {})
    nowhere = {"address": "127.0.0.1", "port": "1"}
    found = inspection.inspect(info(power="stub", **nowhere), 5)
    assert of(found, "power") == ("power", "ok", "stub says on")
    assert "h1" not in StubPower.asked


@pytest.mark.parametrize(
    ("attributes", "level", "text"),
    [
        ({}, "ok", "no outlet on record"),
        ({"power": "acme"}, "fail", "no 'acme' in autotest.power; known: "),
        ({"power": "command", "power_command": "/nowhere {state}"}, "fail", "/nowhere cannot be run"),
        ({"power": "command", "power_command": "echo unknown {state}"}, "warn", "command cannot tell"),
    ],
)
def test_an_outlet_that_does_not_answer_is_a_finding(attributes, level, text):
    found = of(inspection.inspect(info(address="127.0.0.1", port="1", **attributes), 5), "power")
    assert found.level == level
    assert text in found.text


def test_a_driver_that_breaks_does_not_end_the_look_at_the_others(monkeypatch):
    monkeypatch.setattr(StubPower, "get", lambda self: 1 / 0)
    found = of(inspection.inspect(info(power="stub", address="127.0.0.1", port="1"), 5), "power")
    assert found == ("power", "fail", "ZeroDivisionError: division by zero")


def test_of_a_host_that_does_not_answer_nothing_else_is_asked():
    found = inspection.inspect(info("board:pi4", address="127.0.0.1", port="1"), 5)
    assert [each.check for each in found] == ["labels", "key", "ssh", "power"]
    assert "h1 (127.0.0.1 port 1) does not answer SSH" in of(found, "ssh").text
