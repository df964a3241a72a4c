"""`autotest results compare`: two builds side by side, for people and for CI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from rich.console import RenderableType

from autotest import plurals
from autotest.models import database
from autotest.results import query_options, query_output
from autotest.results.compare import comparison, measurements
from autotest.results.compare.changes import Change, Side, TestChange
from autotest.results.compare.comparison import Comparison, FailOn
from autotest.results.compare.measurements import Basis, Finding, Measurement
from autotest.results.perf import listing, ranks
from autotest.results.perf.command import condition

#: The exit code when --fail-on found something; 1 to 3 mean that there is no comparison.
FOUND = 4
#: Rows of one section that people are shown.
_SHOWN = 50
#: What is told of these is how it was.
_WAS = frozenset({Change.FIX, Change.GONE})
_SECTIONS = (
    (Change.REGRESSION, "Regressions"),
    (Change.FIX, "Fixes"),
    (Change.STILL_FAILING, "Still failing"),
    (Change.UNDECIDED, "Pass rates that may differ by chance"),
    (Change.NEW, "New"),
    (Change.GONE, "Gone"),
)
_PLURAL = {Change.REGRESSION: "regressions", Change.FIX: "fixes"}
_FAILED = {
    FailOn.REGRESSION: "{} regression{}",
    FailOn.PERF: "{} metric{} for the worse, or changed while nobody said which way is better",
    FailOn.FLAKY: "{} flaky test{}",
}


@click.command("compare")
@click.argument("old")
@click.argument("new")
@query_options.WHERE
@click.option("--suite", metavar="SUITE", help="One suite.")
@click.option("--board", metavar="BOARD", help="One board.")
@click.option("--higher-is-better", "higher", multiple=True, metavar="METRIC", help="Metrics that should grow.")
@click.option("--lower-is-better", "lower", multiple=True, metavar="METRIC", help="Metrics that should shrink.")
@click.option(
    "--min-change",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="PERCENT",
    help="Smaller differences of a metric do not matter.",
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice([what.value for what in FailOn]),
    help=f"End with code {FOUND} when there is any; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with everything.")
@click.pass_context
def compare(
    ctx: click.Context,
    old: str,
    new: str,
    where: str,
    suite: str | None,
    board: str | None,
    min_change: float,
    fail_on: Sequence[str],
    as_json: bool,
    **patterns: Sequence[str],
) -> None:
    """Compare two builds: regressions, fixes, flaky tests and measurements.

    OLD and NEW are versions (R124-14490.0.0) or whole names (eve-release/R124-14490.0.0).
    """
    meant = condition(where, suite=suite, board=board)
    with query_options.opened():
        found = comparison.ask(old, new, database.utc_now(), where=meant, min_percent=min_change, **patterns)
    if as_json:
        click.echo(json.dumps(found.to_json()))
    else:
        console = query_output.console()
        for part in shown(found):
            console.print(part)
    reasons = found.found({FailOn(what) for what in fail_on})
    if reasons:
        counted = ", ".join(_FAILED[what].format(count, "" if count == 1 else "s") for what, count in reasons.items())
        click.echo(f"autotest: {counted} between {listing.plain(old)} and {listing.plain(new)}", err=True)
        ctx.exit(FOUND)


def shown(found: Comparison) -> Iterator[RenderableType]:
    """The comparison for people: what changed, in sections, then what the numbers can and cannot support."""
    yield listing.title(f"{found.old} -> {found.new}")
    for change, title in _SECTIONS:
        yield from _section(title, ["test", "board", "was", "is", "reason", "logs"], found.of(change), _test_row)
    yield from _section("Flaky", ["test", "board", "was", "is", "reason", "logs"], found.flaky, _test_row)
    headings = ["test", "board", "metric", "", "by", "median", "values", "MAD", "p"]
    yield from _section("Measurements that changed", headings, found.changed, _measured_row)
    few = [one for one in found.measurements if one.finding is Finding.TOO_FEW]
    yield from _section("Measurements with too few values to compare", headings, few, _measured_row)
    yield from _remarks(found)


def _section(
    title: str, headings: Sequence[str], members: Sequence[Any], row: Callable[[Any], Sequence[object]]
) -> Iterator[RenderableType]:
    if not members:
        return
    yield ""
    yield listing.title(f"{title}: {len(members)}")
    yield listing.table(headings, [row(member) for member in members[:_SHOWN]])
    if len(members) > _SHOWN:
        yield f"{len(members) - _SHOWN} more; --json has all of them."


def _test_row(one: TestChange) -> Sequence[object]:
    # The failure says more than the run that passed.
    sides = (one.old, one.new) if one.change in _WAS else (one.new, one.old)
    told = sides[0].shown or sides[1].shown
    return one.test, one.board, _state(one.old), _state(one.new), told and told.reason, told and told.tag


def _state(side: Side) -> str:
    status = side.shown.status if side.shown and side.shown.status != "GOOD" else ""
    return f"{side} ({status})" if status else str(side)


def _measured_row(one: Measurement) -> Sequence[object]:
    return (
        one.test,
        one.board,
        one.metric,
        one.effect and one.effect.value,
        listing.percent(one.percent),
        f"{one.old.median:.6g} -> {one.new.median:.6g}",
        f"{one.old.count} -> {one.new.count} {one.basis.value}",
        f"{one.old.mad:.3g} -> {one.new.mad:.3g}",
        one.p and f"{one.p:.2g}",
    )


def _plural(count: int, change: Change) -> str:
    return plurals.counted(count, change.value, _PLURAL.get(change, change.value))


def _remarks(found: Comparison) -> Iterator[RenderableType]:
    yield ""
    counted = [_plural(len(found.of(change)), change) for change in Change]
    yield f"{plurals.counted(len(found.tests), 'test')}: {', '.join(counted)}; {len(found.flaky)} flaky."
    single = [one for one in found.of(Change.REGRESSION) if one.old.total == one.new.total == 1]
    if single:
        yield f"Regressions that rest on one run of each build: {len(single)}. A flaky test looks the same."
    tested = [one for one in found.measurements if one.p is not None]
    if not found.measurements:
        return
    few = len(found.measurements) - len(tested)
    measured = plurals.counted(len(found.measurements), "metric")
    yield f"{measured} on both builds: {len(found.changed)} changed, {few} with too few values."
    if few:
        best = ranks.smallest_p(measurements.FEWEST - 1, measurements.FEWEST - 1)
        yield (
            f"With fewer than {measurements.FEWEST} values on a side nothing is called a change: "
            f"chance alone sets {measurements.FEWEST - 1} apart from {measurements.FEWEST - 1} in {best:.0%} of cases."
        )
    if found.changed:
        by_chance = measurements.ALPHA * len(tested)
        compared = plurals.counted(len(tested), "metric that was", "metrics that were")
        yield f"Of {compared} compared, chance alone makes up to {by_chance:.1f} look changed."
    if any(one.other_machines for one in found.changed):
        yield "Some were measured in single runs on other machines: that may be the machine and not the build."
    elif any(one.basis is Basis.ITERATIONS for one in found.changed):
        yield "Where iterations were compared and not runs, one run may be what differs and not the build."
    if any(one.effect and one.effect.value == "changed" for one in found.changed):
        yield "Whether `changed` is for the better nobody said: --higher-is-better or --lower-is-better do."
