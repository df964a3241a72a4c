"""`autotest results prune`, `restore` and `erase`: old folders leave the results disk, and come back or not."""

from __future__ import annotations

import datetime
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from autotest import errors, plurals, settings
from autotest.models import database
from autotest.results import query_options, query_output
from autotest.results.perf import listing
from autotest.results.retention import amounts, candidates, contents, plan, records
from autotest.results.retention import erase as erasing
from autotest.results.retention import prune as pruning
from autotest.results.retention import restore as restoring
from autotest.results.retention.archive import Store
from autotest.results.retention.candidates import Candidate, Found
from autotest.results.retention.erase import Erasure
from autotest.results.retention.plan import Leaving
from autotest.settings import Settings

#: An archive that fails so often without one success between is down.
_MOST_IN_VAIN = 3


@click.command("prune")
@click.option("--older-than", type=amounts.Age(), metavar="AGE", help="What ended before: 12h, 90d, 8w.")
@click.option("--quota", type=amounts.Size(), metavar="SIZE", help="The oldest, until all take less: 500G.")
@click.option("--free-floor", type=amounts.Size(), metavar="SIZE", help="The oldest, until so much is free.")
@click.option("--suite", metavar="SUITE", help="Only jobs of this suite.")
@click.option("--imported", is_flag=True, help="What was imported and lies in the results folder, and nothing else.")
@click.option("--keep-label", default="keep", show_default=True, metavar="LABEL", help="A test label that keeps a job.")
@click.option("--archive", metavar="URL", help="Where folders are archived: a path, s3://BUCKET/PREFIX ...")
@click.option("--apply", "really", is_flag=True, help="Do it. Without this, only what would go is told.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def prune(
    older_than: datetime.timedelta | None,
    quota: int | None,
    free_floor: int | None,
    suite: str | None,
    imported: bool,
    keep_label: str,
    archive: str | None,
    really: bool,
    as_json: bool,
) -> None:
    """Archive and remove the results folders of finished jobs: what is old, then the oldest until there is room.

    Quota, floor and archive have their defaults in the settings (results_quota, results_floor, results_archive).
    Without an archive the folders are removed for good, and so are those of jobs that asked for offload_failures_only
    and passed; what the database knows of them stays.
    """
    config = settings.load()
    address = config.results_archive if archive is None else archive
    store = Store(address) if address else None
    now = database.utc_now()
    with query_options.opened():
        if imported:
            found = Found(tuple(candidates.imported(config.results_dir, keep_label, suite)), frozenset())
        else:
            found = candidates.read(config.results_dir, keep_label, suite)
    cutoff = None if older_than is None else now - older_than
    excess = _excess(
        config,
        config.results_quota if quota is None else quota,
        config.results_floor if free_floor is None else free_floor,
    )
    leaving = plan.decide(found.candidates, found.held_suites, cutoff, excess, lambda each: _size(config, each))
    failed: dict[str, str] = {}
    gone: dict[str, bool] = {}
    if really:
        gone, failed = _carry_out(config, leaving, store, keep_label, now)
    missing = max(0, excess - sum(each.size for each in leaving))
    if as_json:
        click.echo(json.dumps(_to_json(leaving, gone, failed, store, missing), indent=1))
    else:
        _tell(leaving, gone if really else None, store, missing)
    for fact in failed.values():
        click.echo(f"autotest: {listing.plain(fact)}", err=True)
    if failed:
        raise SystemExit(1)


@click.command("restore")
@click.argument("job", metavar="JOB")
def restore(job: str) -> None:
    """Bring back the archived results folder of JOB (a number, or a tag like 17-ann)."""
    config = settings.load()
    tag = job.strip("/")
    if tag.isascii() and tag.isdigit():
        tag = records.tag_of(config.results_dir, int(tag))
    restoring.restore(config, tag, database.utc_now())
    click.echo(config.results_dir / tag)


@click.command("erase")
@click.argument("tags", metavar="JOB...", nargs=-1, required=True)
@click.option("--keep-label", default="keep", show_default=True, metavar="LABEL", help="A test label that keeps a job.")
@click.option("--apply", "really", is_flag=True, help="Do it. Without this, only what would go is told.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def erase(tags: tuple[str, ...], keep_label: str, really: bool, as_json: bool) -> None:
    """Remove all that is known of JOB... for good: stored results, folder and archive.

    JOB is a number, or a tag like 17-ann or lab2010/17-ann. A job that is not finished is refused, and so is one of
    which any result carries the label that keeps it.
    """
    config = settings.load()
    with query_options.opened():
        found = [erasing.look(config.results_dir, _tag(config, each), keep_label) for each in dict.fromkeys(tags)]
        for each in found if really else ():
            erasing.erase(config.results_dir, each)
    if as_json:
        click.echo(json.dumps([_erasure_to_json(each, really) for each in found], indent=1))
        return
    for each in found:
        archived = ", and its archive" if each.record else ""
        click.echo(
            f"{'erased' if really else 'would erase'} {each.tag}: {plurals.counted(each.tests, 'result')} of "
            f"{plurals.counted(each.jobs, 'folder')}, {amounts.shown(each.bytes)} on the disk{archived}"
        )
    if not really:
        click.echo("Nothing was changed; --apply does it.")


def _erasure_to_json(each: Erasure, really: bool) -> dict[str, Any]:
    url = None if each.record is None else settings.shown(each.record.url)
    sizes = {"folders": each.jobs, "results": each.tests, "bytes": each.bytes}
    return {"tag": each.tag, **sizes, "archive": url, "erased": really}


def _tag(config: Settings, job: str) -> str:
    """The tag that a person means: of a number, the folder of that job, on the disk, archived or stored."""
    if not (job.isascii() and job.isdigit() and len(job) < 19):
        return job.strip("/")
    try:
        return records.tag_of(config.results_dir, int(job))
    except errors.NotFound:
        tag = erasing.stored_tag(int(job))
        if tag is None:
            raise
        return tag


def _excess(config: Settings, quota: int, floor: int) -> int:
    """Bytes that have to go so that quota and floor hold; 0: none."""
    excess = 0
    if config.results_dir.is_dir():
        if quota:
            excess = contents.on_disk(config.results_dir) - quota
        excess = max(excess, floor - shutil.disk_usage(config.results_dir).free)
    return max(0, excess)


def _size(config: Settings, each: Candidate) -> int:
    try:
        return contents.of(config.results_dir / each.tag).on_disk
    except errors.BadResultsFolder:
        # Told when it is to go; it frees nothing.
        return 0


def _carry_out(
    config: Settings, leaving: Sequence[Leaving], store: Store | None, keep_label: str, now: datetime.datetime
) -> tuple[dict[str, bool], dict[str, str]]:
    """The tags that went, with whether an archive holds each; and why, for those that failed to.

    After some failures of the archive on end no more is tried.
    """
    pruning.finish_others(config.results_dir)
    gone: dict[str, bool] = {}
    failed: dict[str, str] = {}
    stays: set[int | None] = set()
    in_vain = 0
    for each in _progress(leaving):
        with query_options.opened():
            # It may have taken hours to get here.
            is_kept = candidates.is_kept(each.candidate, keep_label)
            is_dispensable = each.candidate.is_dispensable and candidates.is_dispensable(each.candidate)
        if is_kept or each.candidate.job_id in stays - {None}:
            stays.add(each.candidate.suite_id)
            continue
        try:
            tag = each.candidate.tag
            gone[tag] = pruning.let_go(config.results_dir, tag, None if is_dispensable else store, now)
            in_vain = 0
        except (errors.BadResultsFolder, errors.ArchiveFailed, OSError) as problem:
            failed[each.candidate.tag] = str(problem)
            stays.add(each.candidate.suite_id)
            in_vain += isinstance(problem, errors.ArchiveFailed)
            if in_vain == _MOST_IN_VAIN:
                break
    return gone, failed


def _progress(leaving: Sequence[Leaving]) -> Iterator[Leaving]:
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("folders", total=sum(each.size for each in leaving))
        for each in leaving:
            yield each
            bar.advance(task, each.size)


def _to_json(
    leaving: Sequence[Leaving], gone: Mapping[str, bool], failed: dict[str, str], store: Store | None, missing: int
) -> dict[str, Any]:
    return {
        "archive": None if store is None else store.address,
        "bytes": sum(each.size for each in leaving),
        "bytes_missing": missing,
        "folders": [
            {
                "job_id": each.candidate.job_id,
                "tag": each.candidate.tag,
                "since": records.shown(each.candidate.since),
                "bytes": each.size,
                "why": each.why,
                "gone": each.candidate.tag in gone,
                "archived": gone.get(each.candidate.tag, _is_archived(each, store)),
                "problem": failed.get(each.candidate.tag),
            }
            for each in leaving
        ],
    }


def _is_archived(each: Leaving, store: Store | None) -> bool:
    """Whether the plan is to archive it."""
    return store is not None and not each.candidate.is_dispensable


def _tell(leaving: Sequence[Leaving], gone: Mapping[str, bool] | None, store: Store | None, missing: int) -> None:
    told = [each for each in leaving if gone is None or each.candidate.tag in gone]
    if told:
        rows = [
            (
                each.candidate.tag,
                f"{each.candidate.since:%Y-%m-%d %H:%M}",
                amounts.shown(each.size),
                each.why + (", passed" if each.candidate.is_dispensable else ""),
            )
            for each in told
        ]
        query_output.console().print(listing.table(["folder", "since", "size", "why"], rows))
    archived: list[Leaving] = []
    removed: list[Leaving] = []
    for each in told:
        is_archived = (gone or {}).get(each.candidate.tag, _is_archived(each, store))
        (archived if is_archived else removed).append(each)
    when = "to be" if gone is None else "now"
    if archived or not removed:
        where = "removed for good" if store is None else f"archived in {store.address}"
        click.echo(f"{_counted(archived)}, {when} {where}.")
    if removed:
        click.echo(f"{_counted(removed)}, {when} removed for good.")
    if gone is None and leaving:
        click.echo("Nothing was changed; --apply does it.")
    if missing:
        click.echo(f"{amounts.shown(missing)} more should go for quota and floor: the rest is kept, or unfinished.")


def _counted(folders: Sequence[Leaving]) -> str:
    size = amounts.shown(sum(each.size for each in folders))
    return f"{plurals.counted(len(folders), 'folder')}, {size}"
