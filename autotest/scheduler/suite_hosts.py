"""Which hosts a suite and its tests could run on: checked before a suite is made, and asked for each of its tests.

Only labels decide whether a test is supported (TEST_NA, control-files-and-suites.md section 4.4): a host that is
locked, broken or busy may come back, and a test that waited for it in vain ends with ABORT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

from autotest import errors, plurals
from autotest.host_info import natural_order
from autotest.models.afe import Host
from autotest.scheduler import labels
from autotest.states import HostStatus

# Not those that are verified: that is how nearly every test begins.
_BROKEN = (HostStatus.REPAIR_FAILED.value, HostStatus.REPAIRING.value)
#: Labels that a message counts.
_NAMED = 5


class Carrier(NamedTuple):
    """One host of the inventory, with the labels that it carries."""

    hostname: str
    lab_id: int | None
    labels: frozenset[str]
    live: bool


class Lack(NamedTuple):
    """What one host lacks for a test; *labels* are sorted, and empty when it would do."""

    hostname: str
    labels: tuple[str, ...]


class Inventory:
    """All valid hosts at one moment, asked about many tests."""

    def __init__(self, hosts: Iterable[Carrier]):
        self.hosts = list(hosts)
        self._known: dict[tuple[frozenset[str], frozenset[str], int], str] = {}

    def unsupported(self, needs: Collection[str], place: Collection[str], sync_count: int = 1) -> str:
        """Why no hosts could ever run a test that needs the labels *needs*; '' when some could.

        *place* is what of *needs* the suite asks for; a test of *sync_count* machines needs that many in one lab.
        """
        question = labels.deciding(needs), labels.deciding(place), sync_count
        if question not in self._known:
            self._known[question] = self._reason(*question)
        return self._known[question]

    def lacks(self, needs: Collection[str]) -> list[Lack]:
        """What each host lacks, those that lack least first."""
        needed = labels.deciding(needs)
        found = [Lack(host.hostname, tuple(sorted(needed - host.labels))) for host in self.hosts]
        return sorted(found, key=lambda lack: (len(lack.labels), natural_order(lack.hostname)))

    def live(self, needs: Collection[str]) -> list[str]:
        """The names of the hosts that carry *needs* and are neither locked nor broken, in natural order."""
        needed = labels.deciding(needs)
        return sorted((host.hostname for host in self.hosts if host.live and needed <= host.labels), key=natural_order)

    def check(self, place: Collection[str], count: int) -> None:
        """Raise NoEligibleHost, saying how many of which labels are missing, unless *count* live hosts are there."""
        needed = labels.deciding(place)
        fitting = [host for host in self.hosts if needed <= host.labels]
        live = sum(host.live for host in fitting)
        if live >= count:
            return
        wish = ", ".join(sorted(needed))
        if not fitting:
            raise errors.NoEligibleHost(self._unknown(needed) or {"check_hosts": f"no host carries {wish} together"})
        if not live:
            every = "the only host" if len(fitting) == 1 else f"every one of {len(fitting)} hosts"
            reason = f"{every} with {wish} is locked or broken"
        else:
            reason = f"{count} live hosts with {wish} are needed, and {count - live} are missing: {live} of "
            reason += f"{len(fitting)} are live"
            if len(fitting) < count:
                reason += f"; {self._short_of(needed, count)}"
        raise errors.NoEligibleHost({"check_hosts": f"{reason}; see: autotest host list"})

    def _reason(self, needed: frozenset[str], place: frozenset[str], sync_count: int) -> str:
        fitting = Counter(host.lab_id for host in self.hosts if needed <= host.labels)
        most = max(fitting.values(), default=0)
        if most >= sync_count:
            return ""
        where = ", ".join(sorted(place)) or "this lab"
        there = [host.labels for host in self.hosts if place <= host.labels]
        missing = sorted(label for label in needed if not any(label in carried for carried in there))
        what = ", ".join(missing) or " and ".join(sorted(needed - place)) + " together"
        why = f"no host of {where} carries {what}"
        if most:
            labelled, known = ", ".join(sorted(needed)), plurals.counted(most, "host is", "hosts are")
            why = f"needs {sync_count} hosts of one lab with {labelled} at once, and {known} known"
        return f"Skipping: test not supported on this board/pool: {why}"

    def _unknown(self, needed: frozenset[str]) -> dict[str, str]:
        carried = {name for host in self.hosts for name in host.labels}
        problems = {}
        for name in sorted(needed - carried):
            argument = {"board": "board", "pool": "pool"}.get(name.partition(":")[0], "child_dependencies")
            close = ", ".join(labels.nearest(name)) or "none"
            problems[argument] = f'no host carries "{name}"; nearest: {close}'
        return problems

    def _short_of(self, needed: frozenset[str], count: int) -> str:
        """How many hosts carry each label, those of which most are missing first."""
        carried = {name: sum(name in host.labels for host in self.hosts) for name in needed}
        scarce = sorted((number, name) for name, number in carried.items() if number < count)
        if not scarce:
            return f"{count} carry each of them, and too few carry them together"
        return ", ".join(f"{name} is carried by {number}" for number, name in scarce[:_NAMED])


def inventory() -> Inventory:
    """The hosts as the database has them now."""
    carried = labels.of_hosts()
    columns = (Host.id, Host.hostname, Host.lab, Host.locked, Host.status)
    rows = Host.select(*columns).where(Host.invalid == False).tuples()  # noqa: E712 - an SQL expression
    return Inventory(
        Carrier(hostname, lab_id, carried.get(host_id, frozenset()), not locked and status not in _BROKEN)
        for host_id, hostname, lab_id, locked, status in rows
    )
