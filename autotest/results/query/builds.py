"""Builds: which are the last ones, by when their jobs began, and how each suite did on them."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from peewee import fn

from autotest.models.tko import TkoJob
from autotest.results.query import fields
from autotest.results.query.counts import Counts, natural
from autotest.results.query.fields import Place
from autotest.results.query.questions import Builds, number
from autotest.results.query.selection import Selection

#: So many builds are kept at most.
MOST_BUILDS = 1000
_BUILD = fields.named("build")
_GROUPS = fields.several("build,suite,board")


@dataclasses.dataclass(frozen=True)
class BuildResults:
    """One build: when its last job began, and its results by (suite, board)."""

    build: str
    began: datetime.datetime | None
    by_suite: tuple[tuple[str | None, str | None, Counts], ...]

    @property
    def counts(self) -> Counts:
        """All suites together."""
        added: dict[str, int] = {}
        for _suite, _board, counts in self.by_suite:
            for word, count in counts.by_status.items():
                added[word] = added.get(word, 0) + count
        return Counts(added)

    def to_json(self) -> dict[str, Any]:
        suites = [{"suite": suite, "board": board, **counts.to_json()} for suite, board, counts in self.by_suite]
        began = None if self.began is None else f"{self.began:%Y-%m-%d %H:%M:%S}"
        return {"build": self.build, "began": began, **self.counts.to_json(), "suites": suites}


@dataclasses.dataclass(frozen=True)
class LastBuilds:
    """The last builds, newest first."""

    builds: tuple[BuildResults, ...]

    def to_json(self) -> dict[str, Any]:
        return {"builds": [build.to_json() for build in self.builds]}


def ask(question: Builds, now: datetime.datetime) -> LastBuilds:
    """Answer with three queries, one more for labels.

    Raises BadCondition, NotFound (labels), ValidationError. The caller has a connection open.
    """
    selection = Selection(question, now)
    newest = _last(selection, question.last)
    _keep(selection, [build for build, _began in newest])
    found: dict[str, dict[tuple[str | None, str | None], dict[str, int]]] = {build: {} for build, _began in newest}
    for build, suite, board, status, count in selection.counted(_GROUPS).tuples():
        cell = found[build].setdefault((suite, board), {})
        cell[selection.words[status]] = count
    return LastBuilds(tuple(BuildResults(build, began, _by_suite(found[build])) for build, began in newest))


def keep_last(selection: Selection, last: int) -> list[str]:
    """Narrow *selection* to the *last* builds of it. Returns them, oldest first. Raises ValidationError."""
    builds = [build for build, _began in reversed(_last(selection, last))]
    _keep(selection, builds)
    return builds


def _by_suite(
    found: dict[tuple[str | None, str | None], dict[str, int]],
) -> tuple[tuple[str | None, str | None, Counts], ...]:
    ordered = sorted(found.items(), key=lambda item: [natural(name) for name in item[0]])
    return tuple((suite, board, Counts(counts)) for (suite, board), counts in ordered)


def _keep(selection: Selection, builds: list[str]) -> None:
    selection.narrowed(Place.JOB, TkoJob.build_version.in_(builds))


def _last(selection: Selection, last: int) -> list[tuple[str, datetime.datetime | None]]:
    number("last", last, 1, MOST_BUILDS)
    began = fn.MAX(TkoJob.started_time)
    if selection.is_about_jobs:
        query = TkoJob.select(TkoJob.build_version, began).where(selection.jobs_only())
    else:
        query = selection.query((_BUILD,), began)
    # Grouped by what is the same everywhere as well: MariaDB then skips from build to build within an index.
    query = query.where(TkoJob.build_version.is_null(False)).group_by(*selection.fixed(), TkoJob.build_version)
    rows = query.order_by(began.desc(), TkoJob.build_version.desc()).limit(last).tuples()
    return [(build, TkoJob.started_time.python_value(moment)) for build, moment in rows]
