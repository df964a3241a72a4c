"""The `autotest` command: finds its sub-commands by name, loads the one that is called, ends with one clear line."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

import click

import autotest
from autotest import errors, plugins
from autotest.cli import failures
from autotest.cli.failures import Failure

GROUP = "autotest.command"


class _Command(NamedTuple):
    """Where a built-in sub-command lives (module:attribute) and what the list of commands says about it."""

    place: str
    help: str


_BUILT_IN = {
    "control": _Command("autotest.cli.control:control", "Read and check control files."),
    "host": _Command("autotest.cli.host:host", "Hosts: list, show, add, lock, verify, repair."),
    "job": _Command("autotest.cli.job:job", "Jobs: create, list, show, abort, priority, queues."),
    "lab": _Command("autotest.cli.lab:lab", "The lab team's view: what starves, and for want of what."),
    "results": _Command("autotest.results.command:results", "Results: show, query, matrix, compare, export, prune."),
    "suite": _Command("autotest.cli.suite:suite", "Suites: create, run, wait, list, show, explain, report, abort."),
}
# Help of our own entry points, so that listing the commands imports none of them.
_HELP = {
    "autoserv": "Run one control file on hosts over SSH, without a database.",
    "bench": "What this system costs, beside the bare cost of the same work.",
    "broker": "The embedded broker, a Valkey server.",
    "db": "The database: migrate, status, check.",
    "demo": "Run the smoke suite on a simulated lab of eight DUTs.",
    "devserver": "Stages builds for whoever asks: run, list, evict.",
    "flower": "Watch the Celery tasks in a browser.",
    "members": "The tests that a suite control file means, before anything is created.",
    "sim": "A fleet of simulated DUTs.",
    "worker": "The processes of a lab: run, results, suites, beat; check, drain, labs.",
}


class CommandGroup(click.Group):
    """Built-in sub-commands and those of the entry points ``autotest.command``, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_BUILT_IN, *_plugged_in()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The sub-command. Raises RequestError when it is there and cannot be imported."""
        point = _plugged_in().get(cmd_name)
        try:
            if cmd_name in _BUILT_IN:
                module, _, attribute = _BUILT_IN[cmd_name].place.partition(":")
                return getattr(importlib.import_module(module), attribute)
            return point.load() if point else None
        except (ImportError, AttributeError, SyntaxError) as problem:
            raise errors.RequestError(f"the command {cmd_name!r} cannot be loaded: {problem}") from problem

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.list_commands(ctx):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _short_help(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; whatever it raises becomes one line and an exit code, unless --debug asks for more."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort) as interruption:
            # A prompt turns Ctrl-C into Abort.
            raise Failure("interrupted", failures.INTERRUPTED) from interruption
        except Exception as problem:
            if ctx.params["debug"]:
                raise
            if failures.is_gone(problem):
                failures.leave_quietly(ctx, failures.FAILED)
            raise failures.of(problem) from problem


def _plugged_in() -> dict[str, EntryPoint]:
    return {point.name: point for point in plugins.all_of(GROUP)}


def _short_help(name: str) -> str:
    if name in _BUILT_IN:
        return _BUILT_IN[name].help
    if name in _HELP:
        return _HELP[name]
    distribution = _plugged_in()[name].dist
    return f"From {distribution.name if distribution else 'a plug-in'}."


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(autotest.__version__, prog_name="autotest", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something goes wrong.")
def main(debug: bool) -> None:
    """Tests every build on a lab of real machines."""
