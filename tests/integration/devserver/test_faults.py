"""Dev servers that are killed or stopped and started again, archives that break off, clients who notice none of it."""

from __future__ import annotations

import signal
import threading

import pytest
from nodes.waiting import until
from servers.scripted_http import SILENCE, ScriptedHttp, answer

from autotest import errors
from autotest.devserver_client import fleet

BUILD = "pi4-release/R8-1.0"


class Archive:
    """A web server of one bundle that stops in the middle until it is told to go on."""

    def __init__(self, content: bytes):
        self._content = content
        self.stalls = True

    def __call__(self, request):
        if not request.path.endswith(".tar"):
            return answer("", 404)
        start = 0
        if request.headers.get("if-range") == '"1"':
            start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        head = {"ETag": '"1"', **({"Content_Range": f"bytes {start}-x/x"} if start else {})}
        whole = answer(self._content[start:], 206 if start else 200, **head)[0]
        return [whole[: len(whole) // 2], SILENCE] if self.stalls else [whole]


@pytest.fixture
def archive(desk):
    """A web server whose bundle never comes to its end, at first."""
    content = desk.bundle(suffix=".tar", size=8_000_000).read_bytes()
    (desk.archive / f"{BUILD}.tar").unlink()
    script = Archive(content)
    with ScriptedHttp(script).running() as http:
        yield http


def begun(node):
    """How much of the bundle the server has written."""
    bundle = node.depot.incoming(BUILD) / "bundle"
    return bundle.stat().st_size if bundle.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_ends_in_the_middle_goes_on_at_its_next_start(desk, archive, number):
    node = desk.started(sources=[archive.url])
    node.client.stage(f"{archive.url}/{BUILD}", "x")
    until(lambda: begun(node) > 3_000_000, 30, "half of the bundle")
    node.server.stop(number)
    had = begun(node)
    archive.script.stalls = False
    archive.requests.clear()

    node.server.start()
    fleet.stage(BUILD, f"{archive.url}/{BUILD}", [node.url], 60)

    ranges = [request.headers["range"] for request in archive.requests if "range" in request.headers]
    assert ranges == [f"bytes={had}-"]
    assert node.client.control_files(BUILD, "smoke") == ["control/a/control"]
    assert begun(node) == 0


def test_a_server_killed_while_it_unpacks_leaves_nothing_that_counts(desk):
    desk.bundle(suffix=".tar", more=20_000)
    node = desk.started()
    node.client.stage(f"{desk.url}/{BUILD}", "x")
    until(lambda: (node.depot.incoming(BUILD) / "tree/padding/9").exists(), 30, "the unpacking")
    node.server.stop(signal.SIGKILL)
    assert node.depot.staged(BUILD) is None
    desk.bundle(suffix=".tar")

    node.server.start()

    assert not (node.depot.incoming(BUILD) / "tree").exists()
    assert node.client.is_staged(f"{desk.url}/{BUILD}", "x") == (False, "unknown")
    fleet.stage(BUILD, f"{desk.url}/{BUILD}", [node.url], 60)
    assert not (node.depot.staged(BUILD).tree / "padding").exists()


def test_who_waits_does_not_notice_that_the_server_was_started_again(desk, archive):
    node = desk.started(sources=[archive.url])
    done: list[str] = []
    waiting = threading.Thread(
        target=lambda: done.append(fleet.stage(BUILD, f"{archive.url}/{BUILD}", [node.url], 60).url)
    )
    waiting.start()
    until(lambda: begun(node) > 3_000_000, 30, "half of the bundle")
    node.server.stop(signal.SIGKILL)
    archive.script.stalls = False
    node.server.start()
    waiting.join(60)

    assert done == [node.url]


def test_a_second_server_stages_what_the_first_dies_over(desk, archive):
    nodes = {node.url: node for node in (desk.started(name, sources=[archive.url]) for name in ("one", "two"))}
    done: list[str] = []
    urls = list(nodes)
    waiting = threading.Thread(
        target=lambda: done.append(
            fleet.stage(BUILD, f"{archive.url}/{BUILD}", urls, 100, call_s=5.0, lost_after_s=0.5).url
        )
    )
    waiting.start()
    until(lambda: any(begun(node) > 3_000_000 for node in nodes.values()), 30, "half of the bundle")
    first = next(node for node in nodes.values() if begun(node))
    archive.script.stalls = False
    first.server.stop(signal.SIGKILL)
    waiting.join(100)

    assert done == [url for url in urls if url != first.url]


def test_an_archive_that_hangs_is_given_up_by_who_waits(desk, archive):
    node = desk.started(sources=[archive.url])

    with pytest.raises(errors.StageBuildFailure, match=f"{node.url}: is_staged: not within the time that was left"):
        fleet.stage(BUILD, f"{archive.url}/{BUILD}", [node.url], 1.0)


def test_the_reason_of_a_failed_staging_reaches_who_waits(desk):
    path = desk.bundle(suffix=".tar")
    path.write_bytes(path.read_bytes()[:3000])
    node = desk.started()

    with pytest.raises(errors.StageBuildFailure, match=r"HTTP 422: .*R8-1\.0\.tar is no sound tar archive"):
        fleet.stage(BUILD, f"{desk.url}/{BUILD}", [node.url], 60)
