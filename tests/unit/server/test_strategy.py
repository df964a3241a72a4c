"""Tests of autotest.server.repair.strategy: vectors R1 to R10, and the rules behind them (section 5.1)."""

from __future__ import annotations

from typing import ClassVar

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts.stub import StubHost
from autotest.server.repair import strategy
from autotest.states import Protection


class Machine(StubHost):
    """A host with *bad* parts; lines are kept with ``»`` for each level."""

    def __init__(self, *bad: str):
        super().__init__(info=HostInfo("h1"), record=self._keep)
        self.bad = set(bad)
        self.lines: list[str] = []
        self.asked: list[str] = []
        self._depth = 0

    def _keep(self, code, subdir, operation, message="", fields=None):
        self._depth -= code.startswith("END ")
        self.lines.append("»" * self._depth + " ".join(filter(None, (code, operation, message))))
        self._depth += code == "START"


class Part(strategy.Verifier):
    description = "a part is good"

    def __init__(self, tag: str, needs=()):
        super().__init__(needs)
        self.tag = tag  # type: ignore[misc]

    def verify(self, host):
        host.asked.append(self.tag)
        if self.tag in host.bad:
            raise errors.VerifyFailed(host.hostname, f"{self.tag} is bad")


class Cure(strategy.RepairAction):
    description = "cures parts"

    def __init__(self, tag: str, needs=(), cures=(), heals=(), fails="", gentle=Protection.REPAIR_FILESYSTEM_ONLY):
        super().__init__(cures, needs)
        self.tag = tag  # type: ignore[misc]
        self.gentle_enough_for = gentle  # type: ignore[misc]
        self._heals, self._fails = heals, fails

    def repair(self, host):
        if self._fails:
            raise errors.RepairFailed(host.hostname, self._fails)
        host.bad -= set(self._heals)


PARTS: ClassVar = [Part("ssh"), Part("power", ["ssh"]), Part("cros", ["ssh"])]
RPM = Cure("rpm", cures=["ssh", "power"], heals=["ssh", "power"])
REBOOT = Cure("reboot", needs=["ssh"], cures=["cros"], heals=["cros"])
ALL_GOOD = ["GOOD verify.ssh", "GOOD verify.power", "GOOD verify.cros", "GOOD verify.PASS"]


def repair(machine: Machine, *actions: Cure) -> strategy.Examination:
    examination = strategy.RepairStrategy(PARTS, actions).on(machine)
    examination.repair()
    return examination


def verify(machine: Machine) -> None:
    strategy.RepairStrategy(PARTS).on(machine).verify()


def test_r1_all_is_good():
    machine = Machine()
    verify(machine)
    assert machine.lines == ALL_GOOD


def test_r2_what_needs_the_bad_part_is_not_asked():
    machine = Machine("ssh")
    with pytest.raises(strategy.DependencyFailed, match=r"^ssh is bad$"):
        verify(machine)
    assert machine.lines == ["FAIL verify.ssh ssh is bad"]
    assert machine.asked == ["ssh"]


def test_r3_a_bad_leaf_does_not_stop_its_neighbour():
    machine = Machine("power")
    with pytest.raises(strategy.DependencyFailed, match=r"^power is bad$"):
        verify(machine)
    assert machine.lines == ["GOOD verify.ssh", "FAIL verify.power power is bad", "GOOD verify.cros"]


def test_r4_nothing_wrong_means_nothing_done_and_each_part_is_asked_once():
    machine = Machine()
    examination = repair(machine, RPM, REBOOT)
    assert machine.lines == ALL_GOOD
    assert machine.asked == ["ssh", "power", "cros"]
    assert examination.statuses == {"rpm": "skipped", "reboot": "skipped"}
    assert examination.result == "not_attempted"


def test_r5_a_reboot_cures():
    machine = Machine("cros")
    examination = repair(machine, RPM, REBOOT)
    assert machine.lines == [
        "GOOD verify.ssh",
        "GOOD verify.power",
        "FAIL verify.cros cros is bad",
        "START repair.reboot",
        "»GOOD verify.ssh",
        "»GOOD verify.cros",
        "END GOOD repair.reboot",
        "GOOD verify.PASS",
    ]
    assert (examination.statuses["reboot"], examination.result) == ("repaired", "success")


def test_r6_the_outlet_cures_ssh():
    machine = Machine("ssh")
    examination = repair(machine, RPM, REBOOT)
    assert machine.lines == [
        "FAIL verify.ssh ssh is bad",
        "START repair.rpm",
        "»GOOD verify.ssh",
        "»GOOD verify.power",
        "END GOOD repair.rpm",
        "GOOD verify.cros",
        "GOOD verify.PASS",
    ]
    assert examination.statuses["reboot"] == "skipped"


def test_r7_an_action_that_raises_does_not_stop_the_walk():
    machine = Machine("cros")
    examination = repair(machine, Cure("servoreset", cures=["cros"], fails="no servo"), REBOOT)
    assert machine.lines == [
        "GOOD verify.ssh",
        "FAIL verify.cros cros is bad",
        "START repair.servoreset",
        "»FAIL repair.servoreset no servo",
        "END FAIL repair.servoreset",
        "START repair.reboot",
        "»GOOD verify.ssh",
        "»GOOD verify.cros",
        "END GOOD repair.reboot",
        "GOOD verify.power",
        "GOOD verify.PASS",
    ]
    assert examination.statuses["servoreset"] == "repair_failure"


def test_r8_an_action_without_effect_is_followed_by_the_next():
    machine = Machine("cros")
    examination = repair(machine, Cure("noop", needs=["ssh"], cures=["cros"]), REBOOT)
    assert machine.lines == [
        "GOOD verify.ssh",
        "FAIL verify.cros cros is bad",
        "START repair.noop",
        "»GOOD verify.ssh",
        "»FAIL verify.cros cros is bad",
        "END FAIL repair.noop",
        "START repair.reboot",
        "»GOOD verify.ssh",
        "»GOOD verify.cros",
        "END GOOD repair.reboot",
        "GOOD verify.power",
        "GOOD verify.PASS",
    ]
    assert examination.statuses["noop"] == "verify_failure"


def test_r9_an_action_whose_needs_fail_is_blocked_without_a_line():
    machine = Machine("ssh")
    examination = strategy.RepairStrategy(PARTS, [Cure("rpm", cures=["power"]), REBOOT]).on(machine)
    with pytest.raises(errors.VerifyFailed, match=r"^ssh is bad$"):
        examination.repair()
    assert machine.lines == [
        "FAIL verify.ssh ssh is bad",
        "START repair.rpm",
        "»FAIL verify.ssh ssh is bad",
        "END FAIL repair.rpm",
    ]
    assert examination.statuses == {"rpm": "verify_failure", "reboot": "blocked"}
    assert examination.result == "failure"


def test_r10_an_action_may_answer_any_failure():
    machine = Machine("cros")
    repair(machine, Cure("all", cures=["PASS"], heals=["cros"]))
    assert machine.lines == [
        "GOOD verify.ssh",
        "GOOD verify.power",
        "FAIL verify.cros cros is bad",
        "START repair.all",
        *[f"»{line}" for line in ALL_GOOD],
        "END GOOD repair.all",
    ]


def test_a_found_failure_is_raised_again_silently_until_the_next_verify():
    machine = Machine("cros")
    examination = strategy.RepairStrategy(PARTS).on(machine)
    for _ in range(2):
        with pytest.raises(errors.VerifyFailed):
            examination.verify()
    assert machine.lines.count("FAIL verify.cros cros is bad") == 2


def test_a_silent_examination_writes_no_lines():
    machine = Machine()
    strategy.RepairStrategy(PARTS).on(machine, silent=True).verify()
    assert machine.lines == []


def test_a_stale_lease_stops_everything_at_once():
    class Stale(Part):
        def verify(self, host):
            raise errors.StaleLease("h1 is held by lease 9")

    machine = Machine()
    with pytest.raises(errors.StaleLease):
        strategy.RepairStrategy([Stale("ssh"), Part("cros", ["ssh"])], [REBOOT]).on(machine).repair()
    assert machine.lines == []


@pytest.mark.parametrize(
    ("protection", "tried"),
    [
        (Protection.NO_PROTECTION, ["soft", "files"]),
        (Protection.REPAIR_SOFTWARE_ONLY, ["soft", "files"]),
        (Protection.REPAIR_FILESYSTEM_ONLY, ["files"]),
        (Protection.DO_NOT_REPAIR, []),
    ],
)
def test_protection_says_which_actions_may_be_tried(protection, tried):
    actions = [Cure("soft", cures=["cros"], gentle=Protection.REPAIR_SOFTWARE_ONLY), Cure("files", cures=["cros"])]
    examination = strategy.RepairStrategy(PARTS, actions).on(Machine("cros"))
    with pytest.raises(errors.VerifyFailed):
        examination.repair(protection)
    assert [tag for tag, status in examination.statuses.items() if status != "untried"] == tried


def test_a_host_that_must_not_be_verified_is_left_alone():
    machine = Machine("cros")
    with pytest.raises(errors.RepairFailed, match="do not verify"):
        strategy.RepairStrategy(PARTS, [REBOOT]).on(machine).repair(Protection.DO_NOT_VERIFY)
    assert machine.asked == []


@pytest.mark.parametrize(
    ("verifiers", "actions"),
    [
        ([Part("ssh"), Part("ssh")], []),
        ([Part("PASS")], []),
        ([Part("no-dash")], []),
        ([Part("cros", ["ssh"]), Part("ssh")], []),
        (PARTS, [Cure("fix", cures=["nothing"])]),
        (PARTS, [Cure("one", cures=["ssh"]), Cure("two", cures=["one"])]),
        (PARTS, [Cure("ssh", cures=["ssh"])]),
    ],
    ids=["twice", "reserved", "bad letters", "needs a later one", "cures nothing known", "cures an action", "taken"],
)
def test_a_strategy_that_makes_no_sense_is_refused(verifiers, actions):
    with pytest.raises(ValueError, match=r"tag|names"):
        strategy.RepairStrategy(verifiers, actions)
