"""The repair strategy: a graph of verifiers, and a list of actions that cure them (test-api-and-hosts.md section 5.1).

A strategy is a constant: which verifiers there are, what each needs, which action answers which failure.
``strategy.on(host)`` is one examination of one DUT, and remembers what it found until it looks again.
"""

from __future__ import annotations

import abc
import dataclasses
import logging
import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from autotest import errors
from autotest.server.hosts.remote import Recorder, RemoteHost
from autotest.states import Protection

PASS = "PASS"
_TAG = re.compile(r"[A-Za-z0-9_]+")
ActionStatus = Literal["untried", "blocked", "skipped", "repaired", "repair_failure", "verify_failure"]

logger = logging.getLogger(__name__)


class DependencyFailed(errors.VerifyFailed):
    """A verifier did not run, because something that it needs has failed. *failures* are the original ones, by tag."""

    def __init__(self, hostname: str, failures: dict[str, Exception]):
        self.failures = failures
        super().__init__(hostname, "\n".join(str(failure) for failure in failures.values()))


class Verifier(abc.ABC):
    """One question about a DUT. *needs* are the tags of verifiers that must pass before it is asked."""

    tag: ClassVar[str]

    def __init__(self, needs: Iterable[str] = ()):
        self.needs = tuple(needs)

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """What is true when it passes."""

    @abc.abstractmethod
    def verify(self, host: RemoteHost) -> None:
        """Raises VerifyFailed, or what the host raises, when it is not true."""


class RepairAction(abc.ABC):
    """One cure. *needs* must pass before it is tried; it is tried when one of *cures* fails.

    *gentle_enough_for* is the highest protection level that still allows it.
    """

    tag: ClassVar[str]
    gentle_enough_for: ClassVar[Protection] = Protection.REPAIR_FILESYSTEM_ONLY

    def __init__(self, cures: Iterable[str], needs: Iterable[str] = ()):
        self.cures = tuple(cures)
        self.needs = tuple(needs)

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """What it does."""

    @abc.abstractmethod
    def repair(self, host: RemoteHost) -> None:
        """Try. Raises when the attempt itself fails; whether it helped is for the verifiers to say."""


class _Everything(Verifier):
    """The synthetic root: needs each verifier that no other needs."""

    tag = PASS
    description = "everything is fine"

    def verify(self, host: RemoteHost) -> None:
        """What it needs has passed."""


class RepairStrategy:
    """Verifiers (each after what it needs) and actions (as they are tried). Raises ValueError for bad tags."""

    def __init__(self, verifiers: Sequence[Verifier], actions: Sequence[RepairAction] = ()):
        needed = {tag for verifier in verifiers for tag in verifier.needs}
        root = _Everything(verifier.tag for verifier in verifiers if verifier.tag not in needed)
        self.verifiers: dict[str, Verifier] = {}
        for verifier in (*verifiers, root):
            _check_tag(verifier.tag, self.verifiers, "verifier")
            _check_known(verifier.tag, verifier.needs, self.verifiers)
            self.verifiers[verifier.tag] = verifier
        self.actions: dict[str, RepairAction] = {}
        for action in actions:
            _check_tag(action.tag, {**self.verifiers, **self.actions}, "action")
            _check_known(action.tag, (*action.needs, *action.cures), self.verifiers)
            self.actions[action.tag] = action

    def on(self, host: RemoteHost, record: Recorder | None = None, silent: bool = False) -> Examination:
        """Examine *host*; status lines go to *record* (the host's own when None), or nowhere when *silent*."""
        return Examination(self, host, None if silent else (record or host.record))


@dataclasses.dataclass
class Examination:
    """One DUT under one strategy. *statuses* tells what became of each action."""

    strategy: RepairStrategy
    host: RemoteHost
    record: Recorder | None
    statuses: dict[str, ActionStatus] = dataclasses.field(default_factory=dict)
    _found: dict[str, errors.AutotestError | None] = dataclasses.field(default_factory=dict)

    def verify(self) -> None:
        """Ask every verifier anew. Raises VerifyFailed (DependencyFailed) with the text of what failed."""
        self._found.clear()
        self._pass(PASS)

    def repair(self, protection: Protection = Protection.NO_PROTECTION) -> None:
        """Walk the actions that *protection* allows, then verify. Raises what the last verification raises.

        Do not repair: it only verifies. Do not verify: refused with RepairFailed.
        """
        if protection >= Protection.DO_NOT_VERIFY:
            raise errors.RepairFailed(
                self.host.hostname, f"{self.host.hostname} is protected (do not verify); it was left alone"
            )
        self._found.clear()
        self.statuses = dict.fromkeys(self.strategy.actions, "untried")
        for tag, action in self.strategy.actions.items():
            if protection <= action.gentle_enough_for:
                self.statuses[tag] = self._try(action)
        self._pass(PASS)

    @property
    def result(self) -> Literal["success", "not_attempted", "failure", "attempt_blocked"]:
        """What repair() came to, for statistics."""
        statuses = set(self.statuses.values())
        if self._found.get(PASS) is None and PASS in self._found:
            return "success" if "repaired" in statuses else "not_attempted"
        return "failure" if statuses & {"repaired", "repair_failure", "verify_failure"} else "attempt_blocked"

    def _try(self, action: RepairAction) -> ActionStatus:
        if self._failures(action.needs):
            return "blocked"
        if not self._failures(action.cures):
            return "skipped"
        operation = f"repair.{action.tag}"
        self._say("START", operation)
        try:
            action.repair(self.host)
        except errors.StaleLease:
            raise
        except errors.AutotestError as problem:
            self._say("FAIL", operation, str(problem))
            self._say("END FAIL", operation)
            return "repair_failure"
        self._forget(action.cures)
        cured = not self._failures(action.cures)
        self._say("END GOOD" if cured else "END FAIL", operation)
        return "repaired" if cured else "verify_failure"

    def _failures(self, tags: Iterable[str]) -> dict[str, Exception]:
        """The original failures behind *tags*; every one is asked, in order, also after one failed."""
        failures: dict[str, Exception] = {}
        for tag in tags:
            try:
                self._pass(tag)
            except errors.StaleLease:
                raise
            except DependencyFailed as problem:
                failures.update(problem.failures)
            except errors.AutotestError as problem:
                failures[tag] = problem
        return failures

    def _pass(self, tag: str) -> None:
        """Ask one verifier after all that it needs, or repeat silently what was found before."""
        if tag not in self._found:
            self._found[tag] = self._ask(tag)
        problem = self._found[tag]
        if problem is not None:
            raise problem

    def _ask(self, tag: str) -> errors.AutotestError | None:
        verifier = self.strategy.verifiers[tag]
        failures = self._failures(verifier.needs)
        if failures:
            return DependencyFailed(self.host.hostname, failures)
        try:
            verifier.verify(self.host)
        except errors.StaleLease:
            raise
        except errors.AutotestError as problem:
            self._say("FAIL", f"verify.{tag}", str(problem))
            return problem
        self._say("GOOD", f"verify.{tag}")
        return None

    def _forget(self, tags: Iterable[str]) -> None:
        for tag in tags:
            self._found.pop(tag, None)
            self._forget(self.strategy.verifiers[tag].needs)

    def _say(self, code: str, operation: str, message: str = "") -> None:
        if self.record is not None:
            self.record(code, "", operation, message)


def _check_tag(tag: str, taken: Iterable[str], what: str) -> None:
    if not _TAG.fullmatch(tag) or tag in taken:
        raise ValueError(f"{what} tag {tag!r} is taken, reserved, or not made of letters, digits and underscores")


def _check_known(tag: str, others: Iterable[str], known: Iterable[str]) -> None:
    for other in others:
        if other not in known:
            raise ValueError(f"{tag!r} names {other!r}, which is no verifier listed before it")
