"""The parser: a results folder in, one JobResult out; the same folder always gives the same result.

Nothing is written, nothing is executed, and no content of the folder makes it raise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from autotest import errors
from autotest.results.parsing import job_record, parse_log, version0, version1
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.records import JobRecord, JobResult

#: The job keyval of a folder in which something was odd.
KEYVAL = "parser"

#: One reader a status_version (results-and-tko.md section 3.4).
_READERS: dict[object, Callable[[ResultsFolder, JobRecord, bool, Oddities], JobResult]] = {
    0: version0.parse,
    1: version1.parse,
}


def read(folder: Path, strict: bool = False, watch: Callable[[int], None] | None = None) -> JobResult:
    """Read the results folder of one job.

    *strict* repeats upstream's quirks Q1 to Q5 (results-and-tko.md section 10); the default fixes them, and adds the
    job keyval ``parser`` if something was odd. *watch* is told of each piece of the log that was read, in bytes.
    Raises BadResultsFolder if it is no folder, holds no status log, or is of a status_version that nobody here reads.
    """
    oddities = Oddities()
    opened = ResultsFolder(folder, oddities, watch)
    if opened.log_name is None:
        raise errors.BadResultsFolder(f"{folder} holds neither status.log nor status; there is nothing to parse")
    job = job_record.read(opened, oddities)
    reader = _READERS.get(job.status_version)
    if reader is None:
        known = ", ".join(map(str, sorted(_READERS, key=str)))
        raise errors.BadResultsFolder(
            f"{folder} is of status_version {ascii(job.status_version)[:40]}; only {known} can be read "
            "(a missing one in keyval means 0)"
        )
    if not strict:
        job = job_record.named_by_keyvals(job)
    result = reader(opened, job, strict, oddities)
    return _signed(result) if result.oddities and not strict else result


def _signed(result: JobResult) -> JobResult:
    told = f"version {result.job.status_version}: {len(result.oddities)} odd, see {parse_log.NAME}"
    return dataclasses.replace(
        result, job=dataclasses.replace(result.job, keyvals={**result.job.keyvals, KEYVAL: told})
    )
