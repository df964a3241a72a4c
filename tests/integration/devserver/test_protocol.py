"""The protocol of section 6 on a real server: every method, every refusal, and files with ranges."""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import json
import tarfile
from urllib.parse import urlencode

import pytest
from bundles import CONTROL, FILES
from click.testing import CliRunner
from nodes.waiting import until

from autotest import errors
from autotest.devserver import command
from autotest.devserver_client import fleet

BUILD = "pi4-release/R8-1.0"


@pytest.fixture
def node(desk):
    """A dev server that has staged BUILD."""
    desk.bundle()
    node = desk.started()
    fleet.stage(BUILD, f"{desk.url}/{BUILD}", [node.url], 60)
    return node


def test_a_staged_build_tells_its_control_files(node):
    client = node.client

    assert client.control_files(BUILD) == ["control/a/control", "test_suites/control.smoke"]
    assert client.control_files(BUILD, "smoke") == ["control/a/control"]
    assert client.control_files(BUILD, "bvt") == []
    assert client.control_file(BUILD, "control/a/control") == CONTROL.format(name="a", needs="bluetooth")
    assert client.suite_controls(BUILD, "smoke") == {"control/a/control": CONTROL.format(name="a", needs="bluetooth")}
    assert client.dependency_info(BUILD) == {"smoke": {"control/a/control": ["bluetooth"]}}


def test_a_staged_build_tells_its_files(node, desk):
    client = node.client

    assert client.image_dir(f"{desk.url}/{BUILD}") == ["image.bin"]
    assert client.locate_file(BUILD, "a.py") == f"{node.url}/static/{BUILD}/autotest/control/a/a.py"
    with pytest.raises(errors.HttpFailed, match=r"HTTP 404: pi4-release/R8-1\.0 has no 'b.py'"):
        client.locate_file(BUILD, "b.py")
    assert client.latest_build("pi4-release") == BUILD


def test_the_newest_build_is_newest_by_number_and_may_still_lie_in_the_archive(node, desk):
    desk.bundle("pi4-release/R10-0.9")
    desk.bundle("pi4-release/R9-1.10")
    desk.bundle("pi4-release/R9-1.9")
    (desk.archive / "pi4-release/SHA256SUMS").touch()

    assert node.client.latest_build("pi4-release") == "pi4-release/R10-0.9"
    assert node.client.latest_build("pi4-release", "9") == "pi4-release/R9-1.10"
    with pytest.raises(errors.HttpFailed, match="HTTP 404: no build pi5-release/R"):
        node.client.latest_build("pi5-release")


def test_health_tells_what_the_protocol_names(node):
    assert set(node.client.check_health()) == {
        "free_disk",
        "cpu_percent",
        "disk_total_bytes_per_second",
        "network_total_bytes_per_second",
        "apache_client_count",
        "au_process_count",
        "staging_thread_count",
    }


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/stage", 400, b"artifacts: Must specify something to stage."),
        ("/stage?artifacts=x", 400, b"archive_url: '' lies below none"),
        ("/stage?artifacts=x&archive_url=file:///etc/passwd", 400, b"lies below none of this server's sources"),
        ("/stage?artifacts=x&local_path=/etc/passwd", 400, b"lies below none of this server's sources"),
        ("/stage?artifacts=x&archive_url={url}/R1&sha256=1", 400, b"sha256: '1' is not 64"),
        ("/stage?artifacts=x&local_path=/R1&delete_source=True", 400, b"deletes nothing that it did not make"),
        ("/stage?artifacts=x&archive_url={url}/R1", 404, b"there is no bundle at "),
        ("/stage?artifacts=x&archive_url={url}/evil", 422, b"'../x' leads out of the archive"),
        ("/is_staged?artifacts=x&archive_url={url}/../etc", 400, b"'..' or unprintable parts are not taken"),
        ("/xbuddy_translate", 404, b"GET /xbuddy_translate: Not Found"),
        ("/controlfiles", 400, b"/controlfiles: missing or wrong: build"),
        ("/controlfiles?build=R1", 404, b"R1 is not staged here"),
        ("/controlfiles?build=../../etc", 400, b"is not the name of a build"),
        (f"/controlfiles?build={BUILD}&control_path=../../record.json", 404, b"is no path of a control file"),
        (f"/controlfiles?build={BUILD}&control_path=/etc/passwd", 404, b"is no path of a control file"),
        (f"/controlfiles?build={BUILD}&control_path=control/a", 404, b"is not there"),
        (f"/static/{BUILD}/../../../record.json", 404, b""),
        (f"/static/{BUILD}/%2e%2e/record.json", 404, b"has no file"),
        (f"/static/{BUILD}/autotest", 404, b"has no file"),
        ("/static/etc/passwd", 404, b"no build that is staged here has the file"),
        ("/tests_archive?build=R1", 404, b"R1 is not staged here"),
    ],
)
def test_what_is_refused_says_why(node, desk, path, status, reason):
    with tarfile.open(desk.archive / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../x"))

    found, _, body = node.get(path.format(url=desk.url))

    assert (found, reason in body) == (status, True), body


def test_escaped_values_mean_what_they_say(desk):
    desk.bundle("a b&c=d/R1 +%2F")
    node = desk.started()

    query = urlencode({"archive_url": f"{desk.url}/a%20b&c=d/R1%20+%252F", "artifacts": "x"})
    assert node.get(f"/stage?{query}")[2] == b"Success"
    assert node.client.control_files("a b&c=d/R1 +%2F", "smoke") == ["control/a/control"]


def test_a_local_path_below_a_source_is_staged(desk):
    path = desk.bundle()
    node = desk.started()

    assert node.get(f"/stage?artifacts=x&local_path={path}")[2] == b"Success"
    assert node.depot.staged(BUILD) is not None


def test_files_are_sent_in_ranges_with_conditions(node):
    content = FILES["image.bin"]
    path = f"/static/{BUILD}/image.bin"

    status, headers, body = node.get(path)
    assert (status, body) == (200, content)
    etag = headers["etag"]

    assert node.get(path, Range="bytes=10-19")[0::2] == (206, content[10:20])
    assert node.get(path, Range="bytes=-5", **{"If-Range": etag})[0::2] == (206, content[-5:])
    assert node.get(path, Range="bytes=10-19", **{"If-Range": '"other"'})[0::2] == (200, content)
    assert node.get(path, Range="bytes=99999-")[0] == 416
    assert node.get(path, **{"If-None-Match": etag})[0::2] == (304, b"")


def test_a_build_is_free_again_once_its_files_are_sent(node):
    for _ in range(3):
        node.get(f"/static/{BUILD}/image.bin")
        node.get(f"/static/{BUILD}/nothing")
        node.get(f"/tests_archive?build={BUILD}")

    # The last byte arrives a moment before its sender lets go.
    evict = ["evict", "--config", str(node.config), BUILD]
    until(lambda: CliRunner().invoke(command.devserver, evict).output == f"evicted {BUILD}\n", 30, "the eviction")

    assert node.get(f"/static/{BUILD}/image.bin")[0] == 404


def test_what_is_staged_is_listed_and_evicted_after_a_dry_run(node):
    config = ["--config", str(node.config)]
    run = CliRunner().invoke

    (one,) = json.loads(run(command.devserver, ["list", *config, "--json"]).output)
    assert (one["build"], one["checked"]) == (BUILD, False)
    assert f"{BUILD} " in run(command.devserver, ["list", *config]).output
    assert run(command.devserver, ["evict", *config, "--to-gb", "0", "--dry-run"]).output == f"would evict {BUILD}\n"
    assert node.depot.staged(BUILD) is not None
    assert run(command.devserver, ["evict", *config, "--to-gb", "0"]).output == f"evicted {BUILD}\n"
    assert node.depot.all() == []
    assert run(command.devserver, ["evict", *config]).exit_code == 2


def test_many_callers_stage_a_build_once(desk):
    desk.bundle(size=5_000_000)
    node = desk.started()
    path = "/stage?" + urlencode({"archive_url": f"{desk.url}/{BUILD}", "artifacts": "x"})

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: node.get(path)[2], range(20)))

    assert answers == [b"Success"] * 20
    assert node.log().count(f"staged {BUILD}:") == 1


def test_two_servers_of_one_folder_stage_a_build_once(desk):
    desk.bundle(size=5_000_000)
    one = desk.started("ds")
    other = desk.node("ds")
    other.server.start()
    path = "/stage?" + urlencode({"archive_url": f"{desk.url}/{BUILD}", "artifacts": "x"})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: (one, other)[number % 2].get(path)[2], range(8)))

    assert answers == [b"Success"] * 8
    assert one.log().count(f"staged {BUILD}:") == 1


def test_a_dev_server_stages_from_the_files_of_another(desk):
    origin_archive = desk.root / "origin"
    origin_archive.mkdir()
    bundle = desk.bundle()
    raw = bundle.read_bytes()
    sums = f"{hashlib.sha256(raw).hexdigest()}  R8-1.0.tar.gz\n".encode()
    with tarfile.open(origin_archive / "all.tar", "w") as tar:
        for name, content in (("pi4-release/R8-1.0.tar.gz", raw), ("pi4-release/SHA256SUMS", sums)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    origin = desk.started("one", sources=[f"file://{origin_archive}"])
    fleet.stage("all", f"file://{origin_archive}/all", [origin.url], 60)
    node = desk.started("two", sources=[f"{origin.url}/static/all"], require_checksum=True)

    fleet.stage(BUILD, f"{origin.url}/static/all/{BUILD}", [node.url], 60)

    assert node.client.control_files(BUILD, "smoke") == ["control/a/control"]
    assert node.depot.staged(BUILD).record.checked
