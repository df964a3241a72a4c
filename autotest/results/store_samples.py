"""Store samples: attributes, iterations and perf values of tests, written anew only where they differ."""

from __future__ import annotations

import functools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import peewee

from autotest.models import tko
from autotest.models.prepared import Prepared
from autotest.results import store_rows
from autotest.results.parsing.records import TestRecord

#: What one test has in one table, by what tells its samples apart: (attribute,) or (iteration, attribute), or more.
_Samples = dict[tuple[Any, ...], str | float | None]


def write(indexes: Sequence[int], tests: Sequence[TestRecord], known: Collection[int]) -> None:
    """Bring attributes, iterations and perf values of the rows *indexes* (test_idx, parallel to *tests*) to *tests*.

    Only the rows of *known* may have some already. Attributes that people made stay. Of two names that are one once
    they are cut to their column the later counts. NaN and infinity become NULL.
    """
    for table in (_ATTRIBUTES, _TEXTS, _NUMBERS, _METRICS):
        # The same few names come back in every iteration.
        name = functools.cache(functools.partial(store_rows.fit, table.name))
        for some in store_rows.chunks(zip(indexes, tests, strict=True)):
            _bring(table, {index: table.samples(test, name) for index, test in some}, known)


class _Table(NamedTuple):
    """*fields* in the order of insertion: test_idx, the key of a sample, its value and *constants*."""

    fields: tuple[peewee.Field, ...]
    name: peewee.Field
    constants: tuple[Any, ...]
    #: The rows of some tests that the parser made: test_idx, key, value.
    stored: Prepared
    samples: Callable[[TestRecord, Callable[[str], str | None]], _Samples]


def _attributes(test: TestRecord, name: Callable[[str], str | None]) -> _Samples:
    value_of = tko.TestAttribute.value
    return {(name(key),): store_rows.fit(value_of, value) for key, value in test.attributes.items()}


def _texts(test: TestRecord, name: Callable[[str], str | None]) -> _Samples:
    value_of = tko.IterationAttribute.value
    return {
        (one.index, name(key)): store_rows.fit(value_of, value)
        for one in test.iterations
        for key, value in one.attr.items()
    }


def _numbers(test: TestRecord, name: Callable[[str], str | None]) -> _Samples:
    return {(one.index, name(key)): _finite(value) for one in test.iterations for key, value in one.perf.items()}


def _metrics(test: TestRecord, name: Callable[[str], str | None]) -> _Samples:
    """A metric that is written more than once is another iteration each time, so no two keys are one."""
    times: Counter[tuple[str | None, str | None]] = Counter()
    found: _Samples = {}
    for one in test.perf_values:
        metric = (name(one.description), None if one.graph is None else name(one.graph))
        times[metric] += 1
        key = (times[metric], *metric, store_rows.fit(_P.units, one.units), one.higher_is_better, _finite(one.stddev))
        found[key] = _finite(one.value)
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _made(row: Any, *fields: peewee.Field, where: Any = None) -> Prepared:
    def build(indexes: Any) -> Any:
        query = row.select(*fields).where(row.test.in_(indexes))
        return query if where is None else query.where(where)

    return Prepared(build)


_A, _T, _N, _P = tko.TestAttribute, tko.IterationAttribute, tko.IterationResult, tko.IterationPerfValue
_ATTRIBUTES = _Table(
    (_A.test, _A.attribute, _A.value, _A.user_created),
    _A.attribute,
    (False,),
    _made(_A, _A.test, _A.attribute, _A.value, where=~_A.user_created),
    _attributes,
)
_TEXTS = _Table(
    (_T.test, _T.iteration, _T.attribute, _T.value),
    _T.attribute,
    (),
    _made(_T, _T.test, _T.iteration, _T.attribute, _T.value),
    _texts,
)
_NUMBERS = _Table(
    (_N.test, _N.iteration, _N.attribute, _N.value),
    _N.attribute,
    (),
    _made(_N, _N.test, _N.iteration, _N.attribute, _N.value),
    _numbers,
)
_OF_METRIC = (_P.test, _P.iteration, _P.description, _P.graph, _P.units, _P.higher_is_better, _P.stddev, _P.value)
_METRICS = _Table(_OF_METRIC, _P.description, (), _made(_P, *_OF_METRIC), _metrics)


def _bring(table: _Table, wanted: dict[int, _Samples], known: Collection[int]) -> None:
    stored = _stored(table, [index for index in wanted if index in known])
    changed = [
        index for index, rows in stored.items() if len(rows) != len(wanted[index]) or dict(rows) != wanted[index]
    ]
    if changed:
        row = table.name.model
        made = row.test.in_(changed)
        row.delete().where(made & ~row.user_created if table is _ATTRIBUTES else made).execute()
    kept = stored.keys() - set(changed)
    store_rows.insert(
        table.fields,
        (
            (index, *key, value, *table.constants)
            for index, samples in wanted.items()
            if index not in kept
            for key, value in samples.items()
        ),
    )


def _stored(table: _Table, indexes: list[int]) -> dict[int, list[tuple[tuple[Any, ...], Any]]]:
    """Key and value of each sample that is stored, by test_idx; tests without any are left out."""
    found: dict[int, list[tuple[tuple[Any, ...], Any]]] = defaultdict(list)
    for row in table.stored.rows(indexes) if indexes else ():
        found[row[0]].append((row[1:-1], row[-1]))
    return found
