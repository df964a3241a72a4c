"""Saved questions: each under a name of its owner's, as the text that an address has too."""

from __future__ import annotations

from typing import NamedTuple

from autotest import errors
from autotest.models.database import retried, transaction
from autotest.models.tko import SavedQuery
from autotest.results.query import questions
from autotest.results.query.questions import Question


class Saved(NamedTuple):
    """One saved question."""

    owner: str
    name: str
    token: str


@retried
def save(owner: str, name: str, question: Question) -> None:
    """Keep *question*; what the owner kept under that name before is overwritten. Raises ValidationError."""
    for what, value, field in (("owner", owner, SavedQuery.owner), ("name", name, SavedQuery.name)):
        if not 0 < len(value) <= field.max_length or not value.isprintable():
            raise errors.ValidationError({what: f"{value[:80]!r} is not 1 to {field.max_length} characters that print"})
    token = question.token()
    with transaction():
        if not SavedQuery.update(url_token=token).where(SavedQuery.owner == owner, SavedQuery.name == name).execute():
            SavedQuery.create(owner=owner, name=name, url_token=token)


def all_of(owner: str | None = None) -> list[Saved]:
    """What *owner* saved, or everybody, by owner and name."""
    row = SavedQuery
    query = row.select(row.owner, row.name, row.url_token).order_by(row.owner, row.name)
    return [Saved(*each) for each in (query.where(row.owner == owner) if owner is not None else query).tuples()]


def load(owner: str, name: str) -> Question:
    """The question that *owner* saved as *name*. Raises NotFound; ValidationError when it cannot be read any more."""
    row = SavedQuery.get_or_none(SavedQuery.owner == owner, SavedQuery.name == name)
    if row is None:
        raise _not_there(owner, name)
    return questions.from_token(row.url_token)


@retried
def delete(owner: str, name: str) -> None:
    """Forget a question; only its owner can. Raises NotFound."""
    with transaction():
        if not SavedQuery.delete().where(SavedQuery.owner == owner, SavedQuery.name == name).execute():
            raise _not_there(owner, name)


def _not_there(owner: str, name: str) -> errors.NotFound:
    there = ", ".join(each.name for each in all_of(owner)) or "nothing"
    return errors.NotFound(f"{owner} saved no question as {name!r}; saved: {there}")
