"""Answers: any question to the part that answers it; each answer has ``to_json``."""

from __future__ import annotations

import datetime
from typing import Any, Protocol

from autotest.results.query import builds, details, history, metrics, qualification, reasons, spreadsheet, table
from autotest.results.query.questions import (
    Builds,
    Details,
    History,
    Matrix,
    Perf,
    Qualification,
    Question,
    Reasons,
    Table,
)


class Answer(Protocol):
    """What somebody asked for."""

    def to_json(self) -> dict[str, Any]:
        """The answer as a JSON object; times as ``YYYY-MM-DD HH:MM:SS`` in UTC."""


def to(question: Question, now: datetime.datetime) -> Answer:
    """The answer, with a number of queries that does not depend on how many results there are.

    Raises BadCondition, NotFound, ValidationError, TooManyRows. The caller has a connection open.
    """
    if isinstance(question, Matrix):
        return spreadsheet.ask(question, now)
    if isinstance(question, Table):
        return table.groups(question, now) if question.grouped else table.ask(question, now)
    if isinstance(question, History):
        return history.ask(question, now)
    if isinstance(question, Details):
        return details.ask(question, now)
    if isinstance(question, Reasons):
        return reasons.ask(question, now)
    if isinstance(question, Builds):
        return builds.ask(question, now)
    if isinstance(question, Qualification):
        return qualification.ask(question, now)
    if isinstance(question, Perf):
        if not question.metric:
            return metrics.names(question, now)
        if question.bins:
            return metrics.histograms(question, now)
        drawn = metrics.plot(question, now)
        return metrics.relative(drawn, question.relative) if question.relative else drawn
    raise TypeError(f"{question!r} asks nothing")
