"""Several dev servers: the best one stages, the next one when it cannot, and a failure names each with its fact."""

from __future__ import annotations

import contextlib

import pytest
from servers.scripted_http import SILENCE, ScriptedHttp, answer, drip
from servers.server import free_port

from autotest import errors
from autotest.devserver_client import choice, fleet

BUILD = "pi4-release/R8-1.0"
URL = f"gs://builds/{BUILD}"


def healthy(**answers):
    """A dev server that stages at once, but for what *answers* say of a method."""

    def script(request):
        found = {
            "check_health": answer({"free_disk": 100}),
            "stage": answer("Success"),
            "is_staged": answer("True"),
            **answers,
        }[request.path]
        return found(request) if callable(found) else found

    return script


@contextlib.contextmanager
def servers(*scripts):
    """Dev servers in the order in which they are asked for BUILD."""
    with contextlib.ExitStack() as stack:
        made = [ScriptedHttp(lambda _: []) for _ in scripts]
        ordered = [
            next(one for one in made if one.url == url) for url in choice.ranked(BUILD, [one.url for one in made])
        ]
        for one, script in zip(ordered, scripts, strict=True):
            one.script = script
            stack.enter_context(one.running())
        yield ordered


def stage(ordered, seconds=20.0, **limits):
    told: list[str] = []
    urls = sorted(one.url if isinstance(one, ScriptedHttp) else one for one in ordered)
    return fleet.stage(BUILD, URL, urls, seconds, told=told.append, **limits).url, told


def test_the_first_choice_stages_and_nobody_else_is_asked():
    with servers(healthy(), healthy()) as (first, second):
        assert stage([first, second]) == (first.url, [])

    assert second.requests == []
    assert [request.path for request in first.requests] == ["check_health", "stage", "is_staged"]
    assert first.requests[1].query["archive_url"] == URL


BROKEN = {
    "not healthy": (healthy(check_health=answer("no", 500)), "check_health: HTTP 500: no"),
    "fails at once": (healthy(stage=answer("disk full", 507)), "stage: HTTP 507: disk full"),
    "fails later": (healthy(is_staged=answer("source is gone", 502)), "is_staged: HTTP 502: source is gone"),
    "garbage": (healthy(stage=answer("<html>hotel wifi</html>")), "HTTP OK not accompanied by 'Success'"),
    "garbage later": (healthy(is_staged=answer("<html>")), "neither True nor False but '<html>'"),
    "half": (healthy(stage=[b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nSuc"]), "stage: answered only a part"),
    "hangs up": (healthy(stage=[]), "stage: hung up without an answer"),
    "hangs": (healthy(stage=[SILENCE]), "stage: gave no HTTP answer: nothing came in time"),
    "drips": (healthy(check_health=lambda _: drip(0.02, b"HTTP/1.1 200 OK\r\n\r\n")), "nothing came in time"),
    "floods": (healthy(check_health=[b"HTTP/1.1 200 OK\r\n\r\n", b"{" * 70_000]), "answered more than 65,536 bytes"),
    "lost later": (healthy(is_staged=[]), "is_staged: hung up without an answer"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_next_server_stages_what_one_cannot(name):
    script, fact = BROKEN[name]
    with servers(script, healthy()) as (broken, good):
        chosen, told = stage([broken, good], call_s=1.0, lost_after_s=0.2)

    assert chosen == good.url
    assert len(told) == 1
    assert told[0].startswith(f"{broken.url}: ")
    assert fact in told[0]


def test_a_failure_names_every_server_and_its_fact():
    dead = f"http://127.0.0.1:{free_port()}"
    with (
        servers(healthy(stage=answer("oh no", 500)), healthy(check_health=answer("ill", 500))) as made,
        pytest.raises(errors.StageBuildFailure) as caught,
    ):
        stage([*made, dead])

    assert str(caught.value).startswith(f"Failed to stage {BUILD}: ")
    for fact in (
        f"{made[0].url}: stage: HTTP 500: oh no",
        f"{made[1].url}: check_health: HTTP 500: ill",
        f"{dead}: check_health: cannot be reached: Connection refused",
    ):
        assert fact in str(caught.value)


def test_a_bundle_that_one_server_refuses_is_not_fetched_by_the_others():
    refuses = healthy(is_staged=answer("'../x' leads out of the archive", 422))
    with (
        servers(refuses, healthy()) as (first, second),
        pytest.raises(errors.StageBuildFailure, match=r"HTTP 422: '\.\./x' leads out of the archive"),
    ):
        stage([first, second])

    assert second.requests == []


def test_a_server_that_was_started_again_is_told_again():
    answers = iter(["running", "unknown", "running"])

    def is_staged(request):
        said = next(answers, "")
        return answer("False", Autotest_Staging=said) if said else answer("True")

    with servers(healthy(is_staged=is_staged)) as (one,):
        stage([one])

    paths = [request.path for request in one.requests]
    assert paths.count("stage") == 2
    assert paths[-1] == "is_staged"


def test_a_server_that_is_away_for_a_moment_is_waited_for():
    answers = iter([[], [], answer("True")])

    with servers(healthy(is_staged=lambda _: next(answers))) as (one,):
        assert stage([one]) == (one.url, [])


@pytest.mark.parametrize("script", [healthy(is_staged=answer("False")), healthy(is_staged=[SILENCE])])
def test_it_ends_by_its_deadline(script):
    with servers(script) as (one,), pytest.raises(errors.StageBuildFailure, match=r"is_staged: "):
        stage([one], seconds=0.5)


def test_without_servers_that_is_the_fact():
    with pytest.raises(errors.StageBuildFailure, match="there is no dev server"):
        fleet.stage(BUILD, URL, [], 1)


def test_the_newest_build_of_all_servers_wins():
    def knows(build):
        return healthy(latestbuild=answer(build))

    with servers(knows("pi4/R8-9.2"), knows("pi4/R8-10.1"), healthy(latestbuild=answer("none", 404))) as made:
        assert fleet.latest("pi4", [one.url for one in made]) == "pi4/R8-10.1"


def test_a_target_without_builds_is_told_with_every_server():
    with (
        servers(healthy(latestbuild=answer("no pi5", 404))) as (one,),
        pytest.raises(errors.StageBuildFailure, match=r"No build of pi5: .*HTTP 404: no pi5"),
    ):
        fleet.latest("pi5", [one.url])
