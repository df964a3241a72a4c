"""Commands: their result, their failure, and their end in time."""

from __future__ import annotations

import pytest

from autotest.client import error, process, process_tree


def test_run_gives_both_streams_and_the_status():
    result = process.run("echo out; echo err >&2; exit 3", ignore_status=True)
    assert (result.stdout, result.stderr, result.exit_status) == ("out\n", "err\n", 3)


def test_a_failed_command_is_named():
    with pytest.raises(error.CmdError, match="Command <exit 3> failed, rc=3, Command returned non-zero exit status"):
        process.run("exit 3")


def test_a_signal_is_a_negative_status():
    assert process.run("kill -9 $$", ignore_status=True).exit_status == -9


def test_arguments_are_quoted_and_one_text_is_refused():
    assert process.system_output("printf %s", args=["a b;$HOME"]) == "a b;$HOME"
    with pytest.raises(TypeError, match="give a list"):
        process.run("echo", args="a b")


def test_stdin_is_given_and_otherwise_empty():
    assert process.run("cat", stdin="hello").stdout == "hello"
    assert process.run("cat").stdout == ""


def test_only_the_last_newline_is_taken_off():
    assert process.system_output("printf 'a\\n\\n'") == "a\n"


def test_system_logs_both_streams_and_gives_the_status(caplog):
    caplog.set_level("DEBUG")
    assert process.system("echo out; echo err >&2; exit 4", ignore_status=True) == 4
    assert [record.getMessage() for record in caplog.records[1:]] == ["out", "err"]


def test_what_a_command_leaves_in_the_background_does_not_keep_it():
    result = process.run("sleep 60 & echo $!")
    left = [one for one in process_tree.processes() if one.pid == int(result.stdout)]
    process_tree.kill(left)
    assert result.duration < 30
    assert len(left) == 1


def test_a_command_that_outruns_its_limit_is_ended_with_all_it_started(tmp_path):
    with pytest.raises(error.CmdTimeoutError, match=r"did not complete within 0\.3 seconds"):
        process.run(f"sleep 60 & echo $! > {tmp_path}/pid; wait", timeout=0.3)
    alive = {one.pid for one in process_tree.processes() if not one.is_dead}
    assert int((tmp_path / "pid").read_text()) not in alive


def test_a_result_shows_its_command_wrapped():
    shown = repr(process.CmdResult("x " * 60, "out\n", "", 1, 0.5))
    assert shown.splitlines()[1].startswith("    x")
    assert shown.endswith("Exit status: 1\nDuration: 0.5\n\nstdout:\nout")
