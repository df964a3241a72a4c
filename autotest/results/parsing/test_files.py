"""The files of one test: attributes, iterations and perf values (results-and-tko.md section 5.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from autotest.client import perf_chart
from autotest.results.parsing import iterations, keyvals, perf_measurements
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.records import Iteration, KeyvalValue, PerfValue

_TAST = b"tast."


class TestFiles(NamedTuple):
    """What lies in the folder of a test; the attributes of its host are not among them."""

    attributes: Mapping[str, KeyvalValue]
    iterations: tuple[Iteration, ...] = ()
    perf_values: tuple[PerfValue, ...] = ()


NONE = TestFiles({})


def read(
    folder: ResultsFolder, name: bytes | None, subdir: bytes | None, oddities: Oddities, typed: bool = True
) -> TestFiles:
    """The files of the test *name* in *subdir*; *typed* iterations are those of version 1. Never raises.

    All tests of Tast share the folder ``tast``, and have no iterations.
    """
    tast = name is not None and name.startswith(_TAST)
    place = b"tast" if tast else subdir
    if place is None or not folder.may_have(place):
        return NONE
    attributes = keyvals.of(folder, place + b"/keyval", oddities)
    if name is not None and tast:
        results = b"tast/results/tests/" + name.removeprefix(_TAST)
        return TestFiles(attributes, (), _chart(folder, results, oddities))
    results = place + b"/results"
    if not folder.has_folder(results):
        return TestFiles(attributes)
    samples = folder.read(results + b"/keyval")
    parse = iterations.parse if typed else iterations.parse_untyped
    found = parse(samples, _noting(oddities, results + b"/keyval")) if samples else ()
    return TestFiles(attributes, found, _chart(folder, results, oddities) + _measured(folder, results, oddities))


def _chart(folder: ResultsFolder, results: bytes, oddities: Oddities) -> tuple[PerfValue, ...]:
    content = folder.read(results + b"/results-chart.json")
    if not content:
        return ()
    try:
        metrics = perf_chart.parse(content)
    except ValueError as problem:
        _noting(oddities, results + b"/results-chart.json")(f"{problem}; not read")
        return ()
    return tuple(
        perf_measurements.summarized(
            metric.description, metric.values, metric.units, metric.higher_is_better, metric.graph
        )
        for metric in metrics
    )


def _measured(folder: ResultsFolder, results: bytes, oddities: Oddities) -> tuple[PerfValue, ...]:
    content = folder.read(results + b"/perf_measurements")
    return perf_measurements.parse(content, _noting(oddities, results + b"/perf_measurements")) if content else ()


def _noting(oddities: Oddities, path: bytes) -> Callable[[str], None]:
    shown = ascii(os.fsdecode(path[-200:]))
    return lambda text: oddities.note(f"{shown}: {text}")
