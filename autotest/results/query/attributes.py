"""Attributes that people give to results, beside those that tests wrote (results-and-tko.md section 9)."""

from __future__ import annotations

import datetime

from peewee import chunked

from autotest import errors
from autotest.models.database import retried, transaction
from autotest.models.tko import TestAttribute
from autotest.results.query import table
from autotest.results.query.questions import Question

_ROWS = 500


@retried
def set_on(attribute: str, value: str | None, question: Question, now: datetime.datetime, dry_run: bool = False) -> int:
    """Give every result that is meant an attribute, or take it away (None). Returns how many results are meant.

    Raises ValidationError for an empty condition, for a name that does not fit, and where a test wrote an attribute of
    that name itself; BadCondition, NotFound, TooManyRows.
    """
    longest = TestAttribute.attribute.max_length
    if not 0 < len(attribute) <= longest or not attribute.isprintable():
        raise errors.ValidationError({"attribute": f"{attribute[:80]!r} is not 1 to {longest} characters that print"})
    if not question.where.strip():
        raise errors.ValidationError({"where": "say which results; a condition that means all of them is refused"})
    with transaction():
        ids = table.matching(question, now)
        for some in chunked(ids, _ROWS):
            same = (TestAttribute.attribute == attribute) & TestAttribute.test.in_(some)
            written = TestAttribute.get_or_none(same, ~TestAttribute.user_created)
            if written is not None:
                raise errors.ValidationError({"attribute": f"result {written.test_idx} wrote {attribute!r} itself"})
            if dry_run:
                continue
            TestAttribute.delete().where(same).execute()
            if value is not None:
                rows = [
                    {"test": test_idx, "attribute": attribute, "value": value, "user_created": True}
                    for test_idx in some
                ]
                TestAttribute.insert_many(rows).execute()
    return len(ids)
