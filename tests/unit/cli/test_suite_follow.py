"""Following a suite: Ctrl-C asks, a second one detaches, and a database that is away is waited for."""

from __future__ import annotations

import types

import click
import pytest

from autotest import api, errors
from autotest.cli import suite_follow
from autotest.cli.failures import Failure

DONE = object()


@pytest.fixture
def looks(monkeypatch):
    """What each look at suite 7 brings: an exception, or the summary."""
    events = []

    def look(job_id, timeout, progress):
        assert job_id == 7
        event = events.pop(0)
        if isinstance(event, type) and issubclass(event, BaseException):
            raise event("no answer")
        return event

    monkeypatch.setattr(api, "wait_for_suite", look)
    monkeypatch.setattr(suite_follow, "LOOK_AGAIN", 0.0)
    return events


@pytest.fixture
def aborted(monkeypatch):
    """The suites that were aborted."""
    ids = []
    monkeypatch.setattr(api, "abort_jobs", lambda jobs, reason: ids.extend(jobs) or [1, 2])
    return ids


@pytest.fixture
def terminal(monkeypatch):
    """Somebody sits there, and answers to each question with the next of these."""
    answers, questions = [], []

    def prompt(question, **_):
        questions.append(question)
        answer = answers.pop(0)
        if answer is click.Abort:
            raise click.Abort
        return answer

    tty = types.SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(suite_follow, "sys", types.SimpleNamespace(stdin=tty, stderr=tty))
    monkeypatch.setattr(click, "prompt", prompt)
    return types.SimpleNamespace(answers=answers, questions=questions)


def test_the_summary_comes_back(looks):
    looks.append(DONE)
    assert suite_follow.to_the_end(7, None) is DONE


def test_without_a_terminal_ctrl_c_detaches_and_aborts_nothing(looks, aborted):
    looks.append(KeyboardInterrupt)
    with pytest.raises(Failure, match="suite job 7 goes on: autotest suite wait 7") as caught:
        suite_follow.to_the_end(7, None)
    assert (caught.value.exit_code, aborted) == (130, [])


@pytest.mark.parametrize("answer", ["d", click.Abort], ids=["detach", "Ctrl-C again"])
def test_detaching_leaves_the_suite_alone(looks, aborted, terminal, answer):
    looks.append(KeyboardInterrupt)
    terminal.answers.append(answer)
    with pytest.raises(Failure, match="goes on"):
        suite_follow.to_the_end(7, None)
    assert aborted == []
    assert "(a)bort" in terminal.questions[0]


def test_continuing_looks_on(looks, aborted, terminal):
    looks += [KeyboardInterrupt, KeyboardInterrupt, DONE]
    terminal.answers += ["c", "c"]
    assert suite_follow.to_the_end(7, None) is DONE
    assert aborted == []


def test_an_abort_waits_for_what_runs_to_stop(looks, aborted, terminal):
    looks += [KeyboardInterrupt, DONE]
    terminal.answers.append("a")
    assert suite_follow.to_the_end(7, None) is DONE
    assert aborted == [7]


def test_an_outage_of_the_database_is_waited_for_and_told_once(looks, capsys):
    looks += [errors.DatabaseUnreachable, errors.DatabaseUnreachable, DONE]
    assert suite_follow.to_the_end(7, None) is DONE
    assert capsys.readouterr().out.count("the suite goes on") == 1


def test_a_database_that_stays_away_ends_the_wait(looks, monkeypatch):
    monkeypatch.setattr(suite_follow, "OUTAGE", -1.0)
    looks.append(errors.DatabaseUnreachable)
    with pytest.raises(errors.DatabaseUnreachable):
        suite_follow.to_the_end(7, None)


def test_a_wait_that_lasts_too_long_says_how_to_go_on(looks):
    looks.append(errors.NotFinished)
    with pytest.raises(errors.NotFinished, match="not ended after 3 s; it goes on: autotest suite wait 7"):
        suite_follow.to_the_end(7, 3.0)
