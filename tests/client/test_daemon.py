"""start and follow: a run that outlives its session, and the ways in which it can end."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
import textwrap
from pathlib import Path

import pytest

from autotest.client import process_tree


@pytest.fixture
def background(client):
    """Starts runs in the background; whatever is left of them is ended with the test."""
    groups = []

    def start(control, *extra):
        (client.folder / "control").write_text(control)
        arguments = ["--run", str(client.folder / "run"), "--groups", str(client.folder / "groups")]
        done = client.call("start", *arguments, "--", *client.arguments(*extra))
        if done.returncode == 0:
            groups.append(int(done.stdout.split()[1]))
        return done

    yield start
    for group in groups:
        process_tree.kill([one for one in process_tree.processes() if one.group == group])


def follow(client, offset=0):
    done = client.call("follow", "--run", str(client.folder / "run"), "--offset", str(offset))
    return done.stdout.decode().splitlines()


def gate(client):
    """A FIFO on which a control file waits until it is opened for writing."""
    path = client.folder / "gate"
    os.mkfifo(path)
    return path, f"open({str(path)!r}).close()\n"


def living(group):
    return [one.pid for one in process_tree.processes() if one.group == group and not one.is_dead]


def test_the_group_is_recorded_while_the_run_lives(client, background):
    path, wait = gate(client)
    started = background(wait)
    group = started.stdout.split()[1].decode()
    assert os.listdir(client.folder / "groups") == [group]
    assert background("pass").stderr == f"start: {client.folder / 'run'} has a daemon already\n".encode()
    path.open("w").close()
    assert follow(client)[-1] == "AUTOTEST_EXIT:0"
    assert os.listdir(client.folder / "groups") == []
    assert (client.folder / "run" / "exit_code").read_text() == "0\n"


def test_following_shows_a_line_while_the_run_still_waits(client, background):
    path, wait = gate(client)
    background("job.record('INFO', None, 'before')\n" + wait)
    command = [*client.command, "follow", "--run", str(client.folder / "run"), "--offset", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as watcher:
        seen = [watcher.stdout.readline() for _ in range(2)]
        assert b"before" in seen[1]
        path.open("w").close()
        assert watcher.stdout.read().endswith(b"AUTOTEST_EXIT:0\n")


def test_a_run_in_the_background_reads_nothing_and_its_output_is_kept(client, background):
    background("print(repr(sys.stdin.read()))")
    assert follow(client)[-1] == "AUTOTEST_EXIT:0"
    assert (client.folder / "run" / "stdout").read_text() == "''\n"


def test_following_goes_on_where_it_was_cut(client, background):
    background("job.record('INFO', None, 'x')")
    whole = follow(client)
    first = len(whole[0].encode()) + 1
    assert follow(client, first) == whole[1:]
    assert follow(client, 10**9) == ["AUTOTEST_EXIT:0"]


def test_a_pause_is_told_and_the_run_is_started_again(client, background):
    control = "def step_init():\n    job.next_step(b)\n    job.quit()\ndef b():\n    pass\n"
    background(control)
    assert follow(client)[-1] == "AUTOTEST_EXIT:5"
    background(control, "--continue")
    assert follow(client)[-1] == "AUTOTEST_EXIT:0"


def test_a_run_that_is_killed_is_told_with_its_signal_and_leaves_nothing_behind(client, background):
    started = background("import subprocess\nsubprocess.Popen(['sleep', '60'])\nos.kill(os.getpid(), 9)\n")
    assert follow(client)[-1] == "AUTOTEST_EXIT:137"
    assert living(int(started.stdout.split()[1])) == []


def test_sigterm_to_the_group_ends_the_run_at_once_and_a_deaf_test_with_it(client, background):
    path, _ = gate(client)
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen(how, 'w').close()\nsignal.pause()\n"
    client.test("deaf", "def run_once(self, how):\n" + textwrap.indent(body, "    "))
    group = int(background(f"job.run_test('deaf', how={str(path)!r})").stdout.split()[1])
    path.open().close()
    os.killpg(group, signal.SIGTERM)
    assert follow(client)[-1] == "AUTOTEST_EXIT:143"
    assert living(group) == []


def test_a_daemon_that_is_gone_is_told_as_lost(client, background):
    _, wait = gate(client)
    group = int(background(wait).stdout.split()[1])
    os.killpg(group, signal.SIGKILL)
    assert follow(client)[-1] == "AUTOTEST_EXIT:lost"


def test_a_run_that_never_was_is_told_as_lost(client):
    assert follow(client) == ["AUTOTEST_EXIT:lost"]


def test_a_follower_without_reader_ends_by_itself(client, background):
    _, wait = gate(client)
    background(wait)
    command = [*client.command, "follow", "--run", str(client.folder / "run"), "--offset", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as watcher:
        watcher.stdout.readline()
        watcher.stdout.close()
        assert watcher.wait(30) == 0


def test_a_wrong_argument_of_run_is_told_before_anything_starts(client):
    done = client.call(
        "start", "--run", str(client.folder / "run"), "--groups", str(client.folder / "groups"), "--", "--nonsense"
    )
    assert done.returncode == 2
    assert not (client.folder / "groups").exists()


def test_only_safe_entries_are_collected(client):
    results = client.results
    (results / "t").mkdir(parents=True)
    (results / "t" / "file").write_text("x")
    os.mkfifo(results / "fifo")
    (results / "inside").symlink_to("t/file")
    (results / "outside").symlink_to("../../secret")
    (results / "absolute").symlink_to("/etc/passwd")
    os.link(results / "t" / "file", results / "hard")
    done = client.call("collect", "--run", str(results.parent))
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert {one.name: one.type for one in tar} == {
            "t": tarfile.DIRTYPE, "t/file": tarfile.REGTYPE, "hard": tarfile.REGTYPE, "inside": tarfile.SYMTYPE,
        }  # fmt: skip
