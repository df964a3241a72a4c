"""Lab view: from what is known of the lab and what the address asks for, to the lines of the Lab tab. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

from autotest.flower.lab_rows import Details, Doing, Last, Look
from autotest.flower.steps_seen import StepKey, uuid_of
from autotest.host_info import natural_order
from autotest.scheduler import waiting
from autotest.scheduler.waiting import HostState
from autotest.states import EntryStatus

HOSTS_A_PAGE = 50
QUEUES_A_PAGE = 8
_LONGEST_SEARCH = 200
FREE, BUSY, BLOCKED = "free", "busy", "blocked"
#: What a standing is called beside its colour.
STANDINGS = {FREE: "Free", BUSY: "Busy", BLOCKED: "Takes no work"}
HELD = "held"
_SYMBOLS = {FREE: "✓", BUSY: "▶", BLOCKED: "✕", HELD: "■"}
#: Kinds of obstacles that somebody meant, so that nothing is wrong.
_MEANT = frozenset({"Locked", "In care"})

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Question:
    """What the address asks for: words that a host must match, its state, its lab, and which pages."""

    search: str = ""
    state: str = ""
    lab: str = ""
    page: int = 1
    queue_page: int = 1

    @classmethod
    def parse(cls, arguments: Mapping[str, str]) -> Question:
        """Read the query of an address; what makes no sense is left out."""
        return cls(
            search=arguments.get("q", "")[:_LONGEST_SEARCH].strip(),
            state=arguments.get("state", "")[:_LONGEST_SEARCH],
            lab=arguments.get("lab", "")[:_LONGEST_SEARCH],
            page=_page_number(arguments.get("page", "")),
            queue_page=_page_number(arguments.get("queues", "")),
        )

    def address(self, **changes: Any) -> str:
        """The query of the same question with *changes*: ``?q=pi4&page=2``, or ``?`` alone for all."""
        asked = dataclasses.replace(self, **changes)
        pairs = {
            "q": asked.search,
            "state": asked.state,
            "lab": asked.lab,
            "page": asked.page if asked.page > 1 else "",
            "queues": asked.queue_page if asked.queue_page > 1 else "",
        }
        return "?" + urlencode({key: value for key, value in pairs.items() if value})


@dataclasses.dataclass(frozen=True)
class Page(Generic[_T]):
    """One page of a list: *number* of *pages*, of *total* lines in all."""

    lines: Sequence[_T]
    number: int
    pages: int
    total: int
    first: int

    @classmethod
    def of(cls, lines: Sequence[_T], number: int, size: int) -> Page[_T]:
        """Page *number* of *lines*, or the last one when there are fewer."""
        pages = max(1, -(-len(lines) // size))
        number = min(number, pages)
        first = (number - 1) * size
        return cls(lines[first : first + size], number, pages, len(lines), first + 1)


class Moment(NamedTuple):
    """A time for people: its age, and the absolute time in UTC, short (*clock*) where today is meant."""

    iso: str
    absolute: str
    clock: str
    age: str


@dataclasses.dataclass(frozen=True)
class HostLine:
    """One DUT. *word* says its state, *standing* whether it takes work, *note* why not; *task* is the uuid of the step
    in Flower, '' when Flower has not seen it."""

    host_id: int
    hostname: str
    word: str
    standing: str
    note: str
    lab: str
    labels: tuple[str, ...]
    doing: Doing | None = None
    since: Moment | None = None
    task: str = ""
    last: Last | None = None
    ended: Moment | None = None

    @property
    def symbol(self) -> str:
        return _SYMBOLS[self.tone]

    @property
    def last_is_good(self) -> bool:
        return self.last is not None and self.last.status == EntryStatus.COMPLETED.value and not self.last.failed

    @property
    def tone(self) -> str:
        """The colour beside the word: free, busy, blocked, or held when somebody meant it so."""
        return HELD if self.word in _MEANT else self.standing


@dataclasses.dataclass(frozen=True)
class QueueLine:
    """One label queue with waiting entries. *hosts* carry the labels, *free* of them are; *address* lists them; *why*
    is the reason."""

    key: str
    wants: tuple[str, ...]
    address: str
    entries: int
    oldest: Moment | None
    priority: int
    hosts: int
    free: int
    served: bool
    why: str


@dataclasses.dataclass(frozen=True)
class LabView:
    """The Lab tab, ready to be written. *states* and *labs* are what can be chosen."""

    question: Question
    problems: tuple[str, ...]
    is_known: bool
    counts: Mapping[str, int]
    hosts: Page[HostLine]
    queues: Page[QueueLine]
    unserved: int
    waiting: int
    states: tuple[str, ...]
    labs: tuple[str, ...]


def lines(hosts: Collection[HostState], dead_after_s: float) -> list[HostLine]:
    """Each host as one line, in natural order of name. A worker unseen for *dead_after_s* seconds counts as gone."""
    return [_line(host, dead_after_s) for host in sorted(hosts, key=lambda host: natural_order(host.hostname))]


def chosen(known: Sequence[HostLine], look: Look, question: Question) -> list[HostLine]:
    """Those of the *known* lines that the question asks for."""
    words = question.search.casefold().split()
    steps = {host.host_id: f"{host.holder.step} job {host.holder.job_id}" for host in look.hosts if host.holder}
    return [
        line
        for line in known
        if question.lab in ("", line.lab)
        and (not question.state or question.state.casefold() in (line.standing, line.word.casefold()))
        and all(word in _text(line, steps.get(line.host_id, "")) for word in words)
    ]


def queue_lines(look: Look, now: datetime.datetime) -> list[QueueLine]:
    """Label queues, those that nobody serves first, then the fullest."""
    found = [
        QueueLine(
            key=row["key"],
            wants=(f"host {row['host']}",) if row["host"] else tuple(row["labels"]),
            address=Question(search=row["host"] or " ".join(row["labels"])).address(),
            entries=row["entries"],
            oldest=moment(_parsed(row["waiting_since"]), now),
            priority=row["priority"],
            hosts=row["hosts"],
            free=row["free"],
            served=row["served"],
            why=row["why"],
        )
        for row in look.queues
    ]
    return sorted(found, key=lambda line: (line.served, -line.entries, line.key))


def detailed(
    page: Page[HostLine], details: Details, seen: Mapping[StepKey, str], now: datetime.datetime
) -> Page[HostLine]:
    """The page with what its hosts do now and did last."""
    return dataclasses.replace(page, lines=[_detailed(line, details, seen, now) for line in page.lines])


def counts(known: Collection[HostLine]) -> dict[str, int]:
    """How many hosts stand where; the sum under ''."""
    return {"": len(known), **{name: sum(line.standing == name for line in known) for name in STANDINGS}}


def choices(known: Collection[HostLine]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of states and the labs that there are."""
    return tuple(sorted({line.word for line in known})), tuple(sorted({line.lab for line in known if line.lab}))


def moment(when: datetime.datetime | None, now: datetime.datetime) -> Moment | None:
    """*when* for people; None stays None."""
    if when is None:
        return None
    absolute = f"{when:%Y-%m-%d %H:%M:%S}"
    clock = f"{when:%H:%M:%S}" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M}"
    return Moment(when.isoformat(timespec="seconds"), absolute, clock, age((now - when).total_seconds()))


def age(seconds: float) -> str:
    """How long ago, coarse enough that a page which is fetched again is mostly the same: ``35 s``, ``12 min``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole - whole % 5} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h"
    return f"{whole // 86400} d"


def _line(host: HostState, dead_after_s: float) -> HostLine:
    obstacle = waiting.obstacle(host, dead_after_s)
    if obstacle is None:
        word, standing, note = host.status, FREE, ""
    elif obstacle.kind == "leased":
        word, standing, note = host.status, BUSY, _shade(host)
    else:
        word, standing, note = obstacle.kind[:1].upper() + obstacle.kind[1:], BLOCKED, obstacle.text
        if obstacle.kind == host.status:
            # The text begins with the word, for lists without a column for it.
            note = host.status_reason
    return HostLine(host.host_id, host.hostname, word, standing, note, host.lab, tuple(sorted(host.labels)))


def _shade(host: HostState) -> str:
    """What comes after the step of a busy host that is locked."""
    return f"then locked by {host.locked_by or 'somebody'} ({host.lock_reason})" if host.locked else ""


def _detailed(line: HostLine, details: Details, seen: Mapping[StepKey, str], now: datetime.datetime) -> HostLine:
    doing, last = details.doing.get(line.host_id), details.last.get(line.host_id)
    return dataclasses.replace(
        line,
        doing=doing,
        since=moment(doing.since, now) if doing is not None else None,
        task=uuid_of(seen, line.hostname, doing.step, doing.job_id) if doing is not None and doing.begun else "",
        last=last,
        ended=moment(last.finished, now) if last is not None else None,
    )


def _text(line: HostLine, step: str) -> str:
    words = (line.hostname, line.word, STANDINGS[line.standing], line.note, line.lab, *line.labels, step)
    return "\n".join(words).casefold()


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) else 1


def _parsed(text: str | None) -> datetime.datetime | None:
    if text is None:
        return None
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
