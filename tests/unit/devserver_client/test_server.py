"""DevServer: what is asked is escaped, what is answered is checked, and each failure is the documented one."""

from __future__ import annotations

import base64
import hashlib

import pytest
from servers.scripted_http import ScriptedHttp, answer

from autotest import errors
from autotest.devserver_client import server
from autotest.devserver_client.server import DevServer

BUILD = "pi4-release/R8-1.0 & more?"


@pytest.fixture
def talk():
    """Runs the call on a dev server that gives *found*; returns what came of it, and what was asked."""

    def run(found, call):
        with ScriptedHttp(lambda _: found).running() as http:
            return call(DevServer(http.url, 5)), http.requests[0]

    return run


def test_values_are_escaped(talk):
    _, request = talk(answer("control/a/control\n"), lambda one: one.control_files(BUILD, "a&b=c"))

    assert (request.path, request.query) == ("controlfiles", {"suite_name": "a&b=c", "build": BUILD})


def test_control_files_are_the_lines(talk):
    found, _ = talk(answer("control/a/control\ncontrol/b/control\n"), lambda one: one.control_files("b"))

    assert found == ["control/a/control", "control/b/control"]


def test_a_list_that_fails_is_no_control_file_list(talk):
    with pytest.raises(errors.NoControlFileList, match=r"Failed to get control file for b \(devserver: .*HTTP 500: oh"):
        talk(answer("<h1>oh</h1>", 500), lambda one: one.control_files("b"))


@pytest.mark.parametrize(
    ("found", "problem", "message"),
    [
        (answer("gone", 404), errors.ControlFileNotFound, "HTTP 404: gone"),
        (answer(" \n"), errors.ControlFileEmpty, r"Fetching p returned no data\. \(devserver: "),
        (answer(b"NAME = '\xff'"), errors.ControlFileMalformed, "p of b is not UTF-8 text: byte 8"),
    ],
)
def test_a_control_file_that_cannot_be_read_is_the_documented_error(talk, found, problem, message):
    with pytest.raises(problem, match=message):
        talk(found, lambda one: one.control_file("b", "p"))


def test_a_control_file_comes_as_it_is(talk):
    found, request = talk(answer("NAME = 'é'\n"), lambda one: one.control_file("b", "control/a/control"))

    assert (found, request.query["control_path"]) == ("NAME = 'é'\n", "control/a/control")


@pytest.mark.parametrize("body", ["[]", "{", '{"a": 1}', "[" * 100_000, "null"])
def test_a_batch_that_is_no_object_of_texts_is_refused(talk, body):
    with pytest.raises(errors.SuiteControlFileException, match=r"no JSON|not a JSON object of texts"):
        talk(answer(body), lambda one: one.suite_controls("b", "bvt"))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "not one build but 0 lines"),
        ("pi4/R8-1.0\npi4/R8-2.0", "not one build but 2 lines"),
        ("pi5/R8-1.0", "no build of pi4 but 'pi5/R8-1.0'"),
        (b"pi4/\xff", "no text"),
    ],
)
def test_a_latest_build_that_is_none_of_its_target_is_refused(talk, body, text):
    with pytest.raises(errors.HttpFailed, match=text):
        talk(answer(body), lambda one: one.latest_build("pi4"))


def test_a_batch_is_texts_by_path(talk):
    found, _ = talk(answer({"control/a/control": "NAME = 'a'"}), lambda one: one.suite_controls("b"))

    assert found == {"control/a/control": "NAME = 'a'"}


@pytest.mark.parametrize("found", [answer("<html>a portal</html>"), answer("[]"), answer("busy", 500)])
def test_a_server_without_health_is_a_fact(talk, found):
    with pytest.raises(errors.HttpFailed, match=r"check_health: HTTP 500: busy|no JSON"):
        talk(found, lambda one: one.check_health())


def test_staging_that_is_no_success_is_a_fact(talk):
    with pytest.raises(errors.HttpFailed, match="stage: HTTP OK not accompanied by 'Success' but by '<html>'"):
        talk(answer("<html>"), lambda one: one.stage("gs://b/r", "test_suites"))


def test_neither_true_nor_false_is_a_fact_with_the_status_of_an_answer(talk):
    with pytest.raises(errors.HttpFailed, match="neither True nor False but 'Maybe'") as caught:
        talk(answer("Maybe"), lambda one: one.is_staged("gs://b/r", "x"))
    assert caught.value.status == 200


def test_an_overloaded_server_is_asked_again(monkeypatch):
    monkeypatch.setattr(server, "_AGAIN_S", 0.0)
    answers = iter([answer("Service Unavailable"), answer("x", 503), answer("Proxy Error", 502), answer("Success")])
    with ScriptedHttp(lambda _: next(answers)).running() as http:
        DevServer(http.url).stage("gs://b/r", "x")

    assert len(http.requests) == 4


def test_a_server_that_stays_overloaded_is_a_fact(talk, monkeypatch):
    monkeypatch.setattr(server, "_OVERLOAD_S", 0.0)

    with pytest.raises(errors.HttpFailed, match="HTTP 200: Service Unavailable"):
        talk(answer("Service Unavailable"), lambda one: one.stage("gs://b/r", "x"))


def test_the_archive_of_the_tests_is_checked(talk, tmp_path):
    digest = base64.b64encode(hashlib.sha256(b"tar").digest()).decode()
    file = tmp_path / "tests.tar"

    talk(answer(b"tar", Repr_Digest=f"sha-512=:AA==:, sha-256=:{digest}:"), lambda one: one.fetch_tests("b", file))

    assert file.read_bytes() == b"tar"


@pytest.mark.parametrize(
    ("found", "fact"),
    [
        (answer(b"tar", Repr_Digest=f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"), "not what its Repr-Digest"),
        (answer(b"tar", Repr_Digest="sha-256=:*:"), "without a sha-256"),
        (answer(b"tar"), "without a sha-256"),
        (answer("b is not staged here", 404), "HTTP 404: b is not staged here"),
    ],
)
def test_an_archive_that_is_not_what_it_says_is_a_fact(talk, tmp_path, found, fact):
    with pytest.raises(errors.HttpFailed, match=fact):
        talk(found, lambda one: one.fetch_tests("b", tmp_path / "tests.tar"))


def test_a_located_file_has_an_address(talk):
    found, _ = talk(
        answer("images/a b.bin\n"), lambda one: one.locate_file("pi4/R8", "a b.bin").partition("/static")[2]
    )

    assert found == "/pi4/R8/images/a%20b.bin"


def test_addresses_of_web_servers_and_files_are_escaped_and_those_of_stores_are_not():
    assert server.archive_url("https://h/builds/", "a b/R1") == "https://h/builds/a%20b/R1"
    assert server.archive_url("gs://bucket", "a b/R1") == "gs://bucket/a b/R1"
