"""Download: what broke off goes on where it stopped, and only if it is the same content still."""

from __future__ import annotations

import hashlib
import json

import pytest
from servers.scripted_http import ScriptedHttp, answer

from autotest import errors
from autotest.devserver import download
from autotest.devserver.depot import boot_id
from autotest.devserver.download import Pace
from autotest.devserver.sources.web import WebSource

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2


class Server:
    """A web server of one file, that may break off: after so many bytes of each answer."""

    def __init__(self, content=CONTENT, etag='"1"', breaks=()):
        self.content, self.etag = content, etag
        self.breaks = iter(breaks)

    def __call__(self, request):
        start = 0
        wanted = request.headers.get("range")
        if wanted and request.headers.get("if-range") == self.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        headers = {"ETag": self.etag} if self.etag else {}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        whole = answer(self.content[start:], 206 if start else 200, **headers)[0]
        head = whole.index(b"\r\n\r\n") + 4
        kept = next(self.breaks, None)
        return [whole if kept is None else whole[: head + kept]]


def fetch(folder, server, found=None):
    """Returns what fetch() does, the bytes it heard of, and the headers of the requests after the first look."""
    got: list[int] = []
    with ScriptedHttp(server).running() as http:
        url = f"{http.url}/b.tar"
        source = WebSource((http.url,), 60)
        found = found or source.find(url)
        before = len(http.requests)
        try:
            done = download.fetch(source, url, found, folder, Pace(got.append, lambda _: None))
        finally:
            fetch.requests = http.requests[before:]
    return done, sum(got)


def test_a_file_comes_with_its_checksum(tmp_path):
    (path, digest), got = fetch(tmp_path, Server())

    assert (path.read_bytes(), digest, got) == (CONTENT, DIGEST, len(CONTENT))


def test_a_download_that_breaks_off_goes_on(tmp_path):
    (path, digest), got = fetch(tmp_path, Server(breaks=[None, HALF, 100_000]))

    assert (path.read_bytes(), digest, got) == (CONTENT, DIGEST, len(CONTENT))
    ranges = [request.headers.get("range") for request in fetch.requests]
    assert ranges == [None, f"bytes={HALF}-", f"bytes={HALF + 100_000}-"]


def test_without_a_strong_etag_it_does_not_go_on(tmp_path):
    with pytest.raises(errors.HttpFailed, match="answered only a part"):
        fetch(tmp_path, Server(etag='W/"1"', breaks=[None, HALF]))


def test_a_server_that_brings_nothing_is_given_up_with_what_is_kept(tmp_path):
    with pytest.raises(errors.HttpFailed, match=f"{HALF:,} bytes are kept for the next attempt"):
        fetch(tmp_path, Server(breaks=[None, HALF, 0, 0, 0, 0, 0]))


def test_a_content_that_changes_on_the_way_is_fetched_anew(tmp_path):
    server = Server(breaks=[None, HALF])
    other = CONTENT[::-1]

    def script(request):
        if "range" in request.headers:
            server.content, server.etag = other, '"2"'
        return server(request)

    (path, digest), got = fetch(tmp_path, script)

    assert (path.read_bytes(), got) == (other, len(other))
    assert digest == hashlib.sha256(other).hexdigest()


def test_a_later_process_goes_on(tmp_path, monkeypatch):
    server = Server(breaks=[None, HALF, 0, 0, 0, 0])
    with ScriptedHttp(server).running() as http:
        url, source = f"{http.url}/b.tar", WebSource((http.url,), 60)
        pace = Pace(lambda _: None, lambda _: None)
        with pytest.raises(errors.HttpFailed):
            download.fetch(source, url, source.find(url), tmp_path, pace)
        http.requests.clear()

        path, digest = download.fetch(source, url, source.find(url), tmp_path, pace)

        assert (path.read_bytes(), digest) == (CONTENT, DIGEST)
        assert http.requests[-1].headers["range"] == f"bytes={HALF}-"


@pytest.mark.parametrize(
    "note", [{"validator": '"0"'}, {"size": 7}, {"url": "http://other/"}, {"boot": "before the crash"}]
)
def test_what_is_left_of_something_else_is_not_continued(tmp_path, note):
    with ScriptedHttp(Server()).running() as http:
        url, source = f"{http.url}/b.tar", WebSource((http.url,), 60)
        found = source.find(url)
        facts = {"url": url, "validator": found.validator, "size": found.size, "boot": boot_id(), **note}
        (tmp_path / "bundle.json").write_text(json.dumps(facts))
        (tmp_path / "bundle").write_bytes(b"x" * 1000)

        path, digest = download.fetch(source, url, found, tmp_path, Pace(lambda _: None, lambda _: None))

    assert (path.read_bytes(), digest) == (CONTENT, DIGEST)
    assert "range" not in http.requests[-1].headers


def test_a_server_that_gives_another_range_is_not_believed(tmp_path):
    def script(request):
        if "range" in request.headers:
            return answer(b"x", 206, Content_Range="bytes 0-0/1", ETag='"1"')
        return Server(breaks=[HALF])(request)

    with pytest.raises(errors.HttpFailed, match="another range than was asked for"):
        fetch(tmp_path, script)


def test_a_server_that_gives_more_than_it_announced_is_not_believed(tmp_path):
    def script(request):
        return [b'HTTP/1.1 200 OK\r\nETag: "1"\r\n\r\n' + CONTENT]

    with ScriptedHttp(Server()).running() as http:
        found = WebSource((http.url,), 60).find(f"{http.url}/b.tar")

    with pytest.raises(errors.HttpFailed, match="more than the 1,000 bytes came that were announced"):
        fetch(tmp_path, script, found._replace(size=1000))


@pytest.mark.parametrize("place", ["http://169.254.169.254/latest", "/../../x", "file:///etc/passwd", "/a?b=c"])
def test_a_redirection_out_of_the_sources_is_not_followed(place):
    with (
        ScriptedHttp(lambda _: answer("", 302, Location=place)).running() as http,
        pytest.raises(errors.ValidationError, match="archive_url: "),
    ):
        WebSource((f"{http.url}/builds",), 60).find(f"{http.url}/builds/b.tar")
    assert len(http.requests) == 1


def test_a_redirection_within_the_sources_is_followed():
    def script(request):
        return answer("", 302, Location="/builds/there.tar") if request.path == "builds/b.tar" else answer("tar")

    with ScriptedHttp(script).running() as http:
        assert WebSource((f"{http.url}/builds",), 60).find(f"{http.url}/builds/b.tar").size == 3


def test_redirections_in_a_circle_end():
    with (
        ScriptedHttp(lambda _: answer("", 302, Location="/b.tar")).running() as http,
        pytest.raises(errors.HttpFailed, match="more than 5 redirections"),
    ):
        WebSource((http.url,), 60).find(f"{http.url}/b.tar")
