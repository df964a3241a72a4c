"""The command line: lists everything, imports what is called, and ends with one clear line."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import types

import click
import pytest
from click.testing import CliRunner

import autotest
from autotest import cli, errors, plugins


@pytest.fixture
def lab(monkeypatch):
    """Runs `autotest ARGUMENTS`; its plug-in command ``fail`` raises what ``lab.raises`` holds."""
    lab = types.SimpleNamespace(raises=None)

    @click.command()
    def fail():
        if lab.raises:
            raise lab.raises

    module = types.ModuleType("lab_plugin")
    module.fail = fail  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lab_plugin", module)
    points = [
        importlib.metadata.EntryPoint("absent", "no_such_module:command", cli.GROUP),
        importlib.metadata.EntryPoint("fail", "lab_plugin:fail", cli.GROUP),
    ]
    monkeypatch.setattr(plugins, "all_of", lambda group: points)
    lab.run = lambda *arguments: CliRunner().invoke(cli.main, arguments)
    return lab


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_built_in_and_plugged_in_commands(lab, option):
    result = lab.run(option)
    assert result.exit_code == 0
    for line in ("control  Read and check control files.", "absent   From a plug-in."):
        assert line in result.stdout


def test_the_version_is_told(lab):
    assert lab.run("--version").stdout == f"autotest {autotest.__version__}\n"


def test_a_plugged_in_command_runs_beside_a_broken_one(lab):
    assert lab.run("fail").exit_code == 0


def test_a_broken_plug_in_is_named_when_it_is_called(lab):
    result = lab.run("absent")
    assert result.exit_code == 1
    assert result.stderr == "autotest: the command 'absent' cannot be loaded: No module named 'no_such_module'\n"


def test_a_mistyped_command_is_answered_with_the_nearest(lab):
    result = lab.run("contrl")
    assert result.exit_code == 2
    assert "No such command 'contrl'. Did you mean 'control'?" in result.stderr


@pytest.mark.parametrize(
    ("problem", "code", "line"),
    [
        (errors.NotFound("no job 12"), 1, "no job 12"),
        (errors.HostUnreachable("h1", "h1 did not\nanswer"), 1, "h1 did not answer"),
        (errors.BrokerUnreachable("redis://b does not answer"), 3, "redis://b does not answer"),
        (errors.DatabaseUnreachable("mysql://d does not answer"), 3, "mysql://d does not answer"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (KeyError("x"), 1, "KeyError: 'x' (not expected; `autotest --debug ...` shows where)"),
    ],
)
def test_a_problem_is_one_line_and_an_exit_code(lab, problem, code, line):
    lab.raises = problem
    result = lab.run("fail")
    assert (result.exit_code, result.stderr, result.stdout) == (code, f"autotest: {line}\n", "")


def test_debug_shows_the_traceback(lab):
    lab.raises = errors.NotFound("no job 12")
    assert lab.run("--debug", "fail").exception is lab.raises


def test_a_sub_command_may_choose_its_exit_code(lab):
    lab.raises = click.exceptions.Exit(7)
    assert lab.run("fail").exit_code == 7


def test_listing_imports_no_command():
    code = "import sys; from autotest import cli; cli.main(['-h'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    assert {"click", "autotest.cli"} <= imported
    assert not imported & {"celery", "flower", "paramiko", "asyncssh", "peewee", "rich", "redis", "autotest.models"}


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    control = tmp_path / "control"
    control.write_text('DOC = """' + "long\n" * 50_000 + '"""\n')
    command = [sys.executable, "-c", "from autotest.cli import main; main()", "control", "parse", "--lenient"]
    with subprocess.Popen([*command, str(control)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
