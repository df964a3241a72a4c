"""Staged builds: found by name, never left, and nothing in them is dropped silently."""

from __future__ import annotations

import os

import pytest
from servers.scripted_http import ScriptedHttp, answer

from autotest import errors
from autotest.scheduler import builds
from autotest.settings import Settings


@pytest.fixture
def root(build):
    return build.root.parent


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../R7-1", "R7-1/../..", "R7-1/.", "/etc", "R7-1/", "a//b", "R7\0", "R7\n-1", "x" * 300],
)
def test_what_is_no_name_reaches_no_folder(root, name):
    with pytest.raises(errors.StageBuildFailure, match="is not the name of a build"):
        builds.folder(root, name)


def test_without_dev_servers_a_build_is_what_lies_there(root):
    settings = Settings(builds=str(root))

    assert builds.stage(settings, "R7-1") == root / "R7-1"
    with pytest.raises(errors.StageBuildFailure, match=r"Failed to stage R7-2: .*staged builds: R7-1"):
        builds.stage(settings, "R7-2")


def test_no_dev_server_is_asked_for_what_is_there_or_has_no_name(root):
    settings = Settings(builds=str(root), devservers=("http://nobody.invalid",), build_archive="gs://b")

    assert builds.stage(settings, "R7-1") == root / "R7-1"
    with pytest.raises(errors.StageBuildFailure, match="is not the name of a build"):
        builds.stage(settings, "../R7-1")


@pytest.mark.parametrize("name", ["pi4-release/LATEST", "pi4-release/latest"])
def test_the_latest_build_is_the_newest_that_is_staged(root, name):
    for build in ("R8-9.2", "R8-10.1", "R7-99.0", "scratch"):
        (root / "pi4-release" / build).mkdir(parents=True)
    (root / "pi4-release" / "R99-1.0").touch()

    assert builds.newest(Settings(builds=str(root)), name) == "pi4-release/R8-10.1"


def test_the_latest_build_is_the_newest_that_a_dev_server_knows(root):
    (root / "pi4-release" / "R99-1.0").mkdir(parents=True)

    def script(request):
        return answer({"free_disk": 1} if request.path == "check_health" else "pi4-release/R8-10.1")

    with ScriptedHttp(script).running() as server:
        settings = Settings(builds=str(root), devservers=(server.url,), build_archive="gs://b")
        assert builds.newest(settings, "pi4-release/LATEST") == "pi4-release/R8-10.1"


def test_any_other_build_stands_for_itself(root):
    settings = Settings(builds=str(root), devservers=("http://nobody.invalid",), build_archive="gs://b")

    assert [builds.newest(settings, name) for name in ("R7-1", "pi4-release/R8-1.0", "LATEST", "")] == [
        "R7-1",
        "pi4-release/R8-1.0",
        "LATEST",
        "",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pi5-release/LATEST", r"No build of pi5-release: .*/pi5-release holds no R<milestone>-<version>"),
        ("../LATEST", "is not the name of a build"),
        ("/LATEST", "is not the name of a build"),
    ],
)
def test_a_target_without_builds_has_no_latest_one(root, name, text):
    with pytest.raises(errors.StageBuildFailure, match=text):
        builds.newest(Settings(builds=str(root)), name)


def test_what_is_being_fetched_is_no_build(root):
    (root / ".fetching" / "x").mkdir(parents=True)

    with pytest.raises(errors.StageBuildFailure, match="is not the name of a build"):
        builds.folder(root, ".fetching/x")
    with pytest.raises(errors.StageBuildFailure, match=r"staged builds: R7-1$"):
        builds.folder(root, "fetching")


def test_a_build_may_lie_in_folders_below_the_root(root):
    (root / "pi4-release" / "R8").mkdir(parents=True)

    assert builds.folder(root, "pi4-release/R8") == root / "pi4-release" / "R8"


def test_builds_in_folders_are_named_whole_when_one_is_not_there(root):
    (root / "pi4-release" / "R8-1.0" / "control").mkdir(parents=True)
    (root / "pi4-release" / "R8-2.0" / "5" / "test_suites").mkdir(parents=True)
    (root / "pi4-release" / "notes").mkdir()

    with pytest.raises(errors.StageBuildFailure, match=r"staged builds: pi4-release/R8-1\.0, pi4-release/R8-2\.0/5$"):
        builds.folder(root, "pi4-release/R8-3.0")


def test_a_build_that_is_not_there_is_named_with_its_nearest(root):
    with pytest.raises(errors.StageBuildFailure, match=r"Failed to stage R7-2: .*staged builds: R7-1"):
        builds.folder(root, "R7-2")


def test_without_any_build_the_message_says_so(tmp_path):
    with pytest.raises(errors.StageBuildFailure, match="staged builds: none"):
        builds.folder(tmp_path / "nowhere", "R7-2")


def test_the_control_file_of_a_suite_is_read(root, build):
    build.suite("bvt", "NAME = 'bvt' # é\n")

    assert builds.suite_control(root, "R7-1", "bvt") == "NAME = 'bvt' # é\n"


def test_an_unknown_suite_is_named_with_its_nearest(root):
    with pytest.raises(errors.ControlFileNotFound, match=r"control\.smoek\); nearest suites: smoke"):
        builds.suite_control(root, "R7-1", "smoek")


@pytest.mark.parametrize("name", ["../control/sleeptest/control", "", "smoke/../smoke"])
def test_a_suite_name_is_looked_up_and_never_a_path(root, build, name):
    build.test("sleeptest")

    with pytest.raises(errors.ControlFileNotFound):
        builds.suite_control(root, "R7-1", name)


def test_a_build_without_test_suites_says_so(root):
    (root / "bare").mkdir()

    with pytest.raises(errors.NoControlFileList, match="bare"):
        builds.suite_control(root, "bare", "smoke")


def test_an_empty_suite_file_is_refused(root, build):
    build.suite("smoke", " \n")

    with pytest.raises(errors.ControlFileEmpty, match=r"test_suites/control\.smoke of R7-1 returned no data"):
        builds.suite_control(root, "R7-1", "smoke")


def test_a_suite_file_that_is_no_text_is_refused_with_the_byte(root, build):
    (build.root / "test_suites" / "control.smoke").write_bytes(b"NAME = '\xff'")

    with pytest.raises(errors.ControlFileMalformed, match="not UTF-8 text: byte 8"):
        builds.suite_control(root, "R7-1", "smoke")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_suite_file_that_is_no_regular_file_is_refused(root, build, tmp_path, kind):
    path = build.root / "test_suites" / "control.odd"
    secret = tmp_path / "secret"
    secret.write_text("top secret", encoding="utf-8")
    {"link": lambda: path.symlink_to(secret), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()

    with pytest.raises(errors.ControlFileNotFound, match="not a regular file"):
        builds.suite_control(root, "R7-1", "odd")


def test_tests_come_slowest_first_then_by_name(root, build):
    build.test("quick", TIME="SHORT")
    build.test("slow", TIME="LONG")
    build.test("alpha", TIME="SHORT")

    assert [test.name for test in builds.tests(root, "R7-1").tests] == ["slow", "alpha", "quick"]


def test_paths_are_those_in_the_build_and_suites_are_no_tests(root, build):
    test = build.test("sleeptest")
    (build.root / "test_suites" / "control.full").write_text(test.read_text(encoding="utf-8"), encoding="utf-8")

    assert [test.path for test in builds.tests(root, "R7-1").tests] == ["control/sleeptest/control"]


def test_a_cache_changes_nothing_but_the_time(root, build, tmp_path):
    build.test("sleeptest")
    plain = builds.tests(root, "R7-1")

    for _ in range(2):
        assert builds.tests(root, "R7-1", tmp_path / "cache") == plain
    assert len(list((tmp_path / "cache").iterdir())) == 1
    build.test("another")
    assert len(builds.tests(root, "R7-1", tmp_path / "cache").tests) == 2


def test_every_control_file_of_a_test_counts(root, build):
    build.test("sleeptest")
    text = (build.root / "control/sleeptest/control").read_text(encoding="utf-8")
    build.file("sleeptest/control.long", text.replace("'sleeptest'", "'sleeptest.long'", 1))
    build.file("sleeptest/notcontrol", text)
    build.file("sleeptest/deps/control", text)

    assert [test.name for test in builds.tests(root, "R7-1").tests] == ["sleeptest", "sleeptest.long"]


def test_a_control_file_that_cannot_be_read_is_named(root, build, tmp_path):
    build.test("sleeptest")
    build.file("broken/control", "NAME = 'broken'\nTIME = (\n")
    build.file("binary/control", "")
    (build.root / "control/binary/control").write_bytes(b"\xff\xfe\x00")
    outside = tmp_path / "outside"
    outside.write_text("NAME = 'outside'", encoding="utf-8")
    (build.root / "control/linked").mkdir()
    (build.root / "control/linked/control").symlink_to(outside)
    (build.root / "control/piped").mkdir()
    os.mkfifo(build.root / "control/piped/control")

    shelf = builds.tests(root, "R7-1")

    assert [test.name for test in shelf.tests] == ["sleeptest"]
    reasons = {bad.path: bad.reason for bad in shelf.unreadable}
    assert set(reasons) == {f"control/{name}/control" for name in ("broken", "binary", "linked", "piped")}
    assert "not a regular file" in reasons["control/linked/control"]
    assert "line 2" in reasons["control/broken/control"]
    assert str(build.root) not in reasons["control/broken/control"]


def test_a_linked_folder_is_not_followed(root, build, tmp_path):
    build.test("sleeptest")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "control").write_text("NAME = 'x'", encoding="utf-8")
    (build.root / "control" / "linked").symlink_to(elsewhere)

    shelf = builds.tests(root, "R7-1")

    assert len(shelf.tests) == 1
    assert shelf.unreadable == []


def test_a_build_without_control_files_says_so(root):
    with pytest.raises(errors.NoControlFileList, match="No control files under"):
        builds.tests(root, "R7-1")
