"""Bounded HTTP: an answer, or the fact why there is none, by the deadline and below the size."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies
from servers.scripted_http import SILENCE, ScriptedHttp, answer, drip
from servers.server import free_port

from autotest import bounded_http, errors

# A server that gives nothing would hold an unbounded client for ever; the tests' own time limit is far above.
SHORT_S = 0.3


def ask(script, seconds=10.0, limit=1 << 20):
    with ScriptedHttp(script).running() as server:
        return bounded_http.get(f"{server.url}/x", seconds, limit)


def test_an_answer_comes_with_its_status_and_headers():
    found = ask(lambda _: answer("no such build", 404, X_Hint="nearby"))

    assert (found.status, found.headers["x-hint"], found.body) == (404, "nearby", b"no such build")


def test_an_answer_in_chunks_is_one_answer():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert ask(lambda _: [head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"]).body == b"abcde"


@pytest.mark.parametrize(
    ("script", "fact"),
    [
        (lambda _: [SILENCE], "nothing came in time"),
        (lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", SILENCE], "nothing came in time"),
        (lambda _: drip(0.02), "nothing came in time|gave no HTTP answer"),
        (lambda _: drip(0.02, b"HTTP/1.1 200 OK\r\nX: "), "nothing came in time"),
        (lambda _: drip(0.02, b"HTTP/1.1 200 OK\r\n\r\n"), "nothing came in time"),
        (lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"], "answered only a part.*7 bytes are missing"),
        (lambda _: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab"], "answered only a part"),
        (lambda _: [], "hung up without an answer"),
        (lambda _: [b"SSH-2.0-OpenSSH_9.6\r\n"], "gave no HTTP answer"),
        (lambda _: [b"\0" * 100_000], "gave no HTTP answer"),
        (lambda _: [b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 500, b"\r\n"], "gave no HTTP answer"),
        (lambda _: answer(b"x" * 5000), "answered more than 1,000 bytes"),
        (lambda _: [b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000], "answered more than 1,000 bytes"),
    ],
)
def test_what_is_no_answer_is_a_fact(script, fact):
    with pytest.raises(errors.HttpFailed, match=fact):
        ask(script, SHORT_S, 1000)


def test_a_server_that_is_not_there_is_a_fact():
    with pytest.raises(errors.HttpFailed, match="cannot be reached: Connection refused"):
        bounded_http.get(f"http://127.0.0.1:{free_port()}/", 5, 10)


@pytest.mark.parametrize("url", ["ftp://host/", "http://", "nothing", "http://host:port/", "http://[::1", "http:///x"])
def test_what_is_no_address_is_a_fact(url):
    with pytest.raises(errors.HttpFailed, match="is no HTTP address"):
        bounded_http.get(url, 5, 10)


def test_a_redirection_is_an_answer_like_any_other():
    assert ask(lambda _: answer("", 302, Location="http://169.254.169.254/")).status == 302


def test_what_a_failure_says_is_one_line_without_markup():
    html = b"<html><head><title>502</title></head>\n<body><h1>Bad   Gateway</h1>\x1b[31m</body></html>"

    assert bounded_http.explained(html) == "502 Bad Gateway [31m"


@hypothesis.given(strategies.binary(max_size=3000))
def test_whatever_a_failure_says_is_one_printable_line(body):
    said = bounded_http.explained(body)

    assert said.isprintable()
    assert len(said) <= 400
