"""`autotest results export`: results of a job, a suite or a build, in the format of another program."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from autotest import plugins
from autotest.models import database
from autotest.results import query_options
from autotest.results.export import reading
from autotest.results.export.base import Exporter, clean
from autotest.results.query.questions import Question

GROUP = "autotest.export"


@click.command("export")
@click.option("--format", "-f", "form", required=True, metavar="FORMAT", help="junit, jsonl, csv, html or a plug-in.")
@click.argument("job", required=False, metavar="[JOB]")
@click.option("--suite-job", type=click.IntRange(1), metavar="ID", help="A suite job, with all its children.")
@click.option("--build", metavar="BUILD", help="A version (R124-14490.0.0) or whole name (eve-release/R124-14490.0.0).")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of stdout.")
@query_options.scope
def export(
    form: str, job: str | None, suite_job: int | None, build: str | None, output: Path | None, **asked: Any
) -> None:
    """Export the stored results of JOB (a number, or a tag like 17-ann/host1), of a suite or of a build.

    The file is written as a whole or not at all. Retried and invalidated results are left out unless --invalid.
    """
    if sum(what is not None for what in (job, suite_job, build)) != 1:
        raise click.UsageError("name one of JOB, --suite-job and --build")
    write: Exporter = plugins.one_of(GROUP, form)
    with query_options.opened():
        if job is not None:
            condition, title = reading.of_job(job), f"Job {job}"
        elif suite_job is not None:
            condition, title = reading.of_suite(suite_job), f"Suite job {suite_job}"
        else:
            condition, title = reading.of_build(str(build)), f"Build {build}"
        found = reading.records(condition, Question(**asked), database.utc_now())
        with _written(output) as out:
            write(found, f"{clean(title)}: results", out)


@contextlib.contextmanager
def _written(path: Path | None) -> Iterator[TextIO]:
    """Where the block writes to: stdout, or a scratch file that becomes *path* when the block ends well."""
    if path is None:
        yield sys.stdout
        return
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8", newline="") as out:
            yield out
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
