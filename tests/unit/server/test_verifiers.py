"""Tests of the generic verifiers and actions, on a StubHost."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts.stub import StubHost
from autotest.server.power.stub import StubPower
from autotest.server.repair import actions, verifiers
from autotest.server.repair.generic import GENERIC

DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 1000000 1 {free} 1% /\n"


def host(answers=None, **attributes):
    return StubHost(answers, HostInfo("h1", attributes={"address": "127.0.0.1", **attributes}))


def test_the_generic_strategy_asks_and_cures_in_this_order():
    assert list(GENERIC.verifiers) == ["ssh", "disk", "writable", "python", "PASS"]
    assert list(GENERIC.actions) == ["power_cycle", "clean_tmp", "reboot"]


def test_a_host_that_takes_commands_answers_ssh():
    dut = host()
    verifiers.SshUp().verify(dut)

    assert dut.commands == ["the raising of the fence"]


def test_a_name_that_nobody_knows_is_told_from_a_silent_host():
    gone = errors.HostUnreachable("h1", "h1 does not answer SSH: refused")

    with pytest.raises(errors.VerifyFailed, match=r"Unable to look up h1 in DNS"):
        verifiers.SshUp().verify(host({"fence": gone}, address="no.such.name.invalid"))
    with pytest.raises(errors.VerifyFailed, match=r"^No answer to (ping|ssh) from h1\nh1 does not answer SSH: refused"):
        verifiers.SshUp().verify(host({"fence": gone}))


def test_a_host_behind_a_bastion_is_neither_looked_up_nor_pinged_from_here():
    gone = errors.HostUnreachable("h1", "its bastion gate does not get there: Connect failed")

    with pytest.raises(errors.VerifyFailed, match=r"^No answer to ssh from h1\nits bastion gate does not get there"):
        verifiers.SshUp().verify(host({"fence": gone}, address="no.such.name.invalid", bastion="gate"))


def test_s7_a_host_without_an_answer_to_ping_is_told_so(monkeypatch):
    monkeypatch.setattr(verifiers, "_answers_ping", lambda address: False)

    with pytest.raises(errors.VerifyFailed, match=r"^No answer to ping from h1\n"):
        verifiers.SshUp().verify(host({"fence": errors.HostUnreachable("h1", "refused")}))


def test_enough_space_passes_and_too_little_names_place_and_figures():
    verifiers.DiskSpace().verify(host({"df ": DF.format(free=700_000)}))

    with pytest.raises(errors.VerifyFailed, match="Not enough free space on /tmp - 512 MB free, want 700 MB"):
        verifiers.DiskSpace().verify(host({"df ": DF.format(free=500_000)}))
    verifiers.DiskSpace().verify(host({"df ": DF.format(free=500_000)}, min_free_mb="100"))
    with pytest.raises(errors.VerifyFailed, match="-1 MB free, want 700 MB"):
        verifiers.DiskSpace().verify(host({"df ": DF.format(free=-1000)}))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "garbage",
        "a b c d e f",
        b"\xff\xfe",
        DF.format(free="--5"),
        DF.format(free="\u00b2"),
        DF.format(free="9" * 5000),
    ],
)
def test_a_df_that_cannot_be_read_fails(answer):
    with pytest.raises(errors.VerifyFailed, match="h1: df of /tmp cannot be read"):
        verifiers.DiskSpace().verify(host({"df ": answer}))


def test_a_place_that_cannot_be_written_is_named():
    with pytest.raises(errors.VerifyFailed, match="Can't create a file in /var/tmp: no reason given"):
        verifiers.Writable().verify(host({"/var/tmp": 1}))


@pytest.mark.parametrize("version", ["3.6\n", "3.13\n", "4.0\n"])
def test_a_python_that_runs_the_client_passes(version):
    dut = host({"python3": version})
    verifiers.PythonWorks().verify(dut)

    assert len(dut.commands) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("2.7\n", "python3 is 2.7"),
        ("3.5\n", "needs 3.6"),
        (127, "does not work"),
        ("", "does not"),
        ("garbage", "does not"),
    ],
)
def test_a_python_that_does_not_is_told(answer, message):
    with pytest.raises(errors.VerifyFailed, match=message):
        verifiers.PythonWorks().verify(host({"python3": answer}))


def test_only_the_temporary_folders_of_the_host_are_emptied():
    dut = host(tmp_dirs="/srv/a b, /srv/c")
    actions.CleanTmp(cures=["disk"]).repair(dut)

    assert dut.commands == [f"cd -- {place} && find . -xdev -mindepth 1 -delete" for place in ("'/srv/a b'", "/srv/c")]


@pytest.mark.parametrize("place", ["/", "//", "/tmp/..", "tmp", ".."])
def test_a_folder_that_nobody_can_have_meant_is_not_emptied(place):
    dut = host(tmp_dirs=place)

    with pytest.raises(errors.RepairFailed, match="must not be emptied"):
        actions.CleanTmp(cures=["disk"]).repair(dut)
    assert dut.commands == []


def test_a_power_cycle_hangs_up_and_waits():
    dut = host({"true": ""}, power="stub")
    actions.PowerCycle(cures=["ssh"]).repair(dut)

    assert dut.is_closed
    assert StubPower.asked["h1"][-1] == "cycle"


def test_a_power_cycle_without_an_outlet_or_effect_fails():
    with pytest.raises(errors.PowerError, match="h1 has no power outlet"):
        actions.PowerCycle(cures=["ssh"]).repair(host())
    dut = host({"true": errors.HostUnreachable("h1", "gone")}, power="stub", boot_limit="0.1")
    with pytest.raises(errors.RepairFailed, match=r"h1 did not come up within 0.1 s of its power cycle"):
        actions.PowerCycle(cures=["ssh"]).repair(dut)
