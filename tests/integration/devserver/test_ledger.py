"""The ledger's builds come from dev servers when settings name some: once, whole, and from whichever server can."""

from __future__ import annotations

import multiprocessing

import pytest
from servers.scripted_http import ScriptedHttp, answer

from autotest import errors
from autotest.scheduler import builds
from autotest.settings import Settings

BUILD = "pi4-release/R8-1.0"


def test_the_tests_of_a_build_come_from_a_dev_server(desk):
    desk.bundle()
    settings = desk.ledger(desk.started())

    assert builds.stage(settings, BUILD) == settings.builds_dir / BUILD

    shelf = builds.tests(settings.builds_dir, BUILD)
    assert [(test.name, set(test.dependencies)) for test in shelf.tests] == [("a", {"bluetooth"})]
    assert builds.suite_control(settings.builds_dir, BUILD, "smoke") == "# smoke\n"
    assert (settings.builds_dir / BUILD / "control/a/a.py").read_bytes() == b"pass\n"
    assert not (settings.builds_dir / BUILD / "image.bin").exists()


def test_a_build_that_is_there_needs_no_dev_server(desk):
    desk.bundle()
    node = desk.started()
    settings = desk.ledger(node)
    builds.stage(settings, BUILD)
    node.server.stop()

    assert builds.stage(settings, BUILD) == settings.builds_dir / BUILD


def test_a_dev_server_that_is_down_is_no_reason_to_fail(desk):
    desk.bundle()
    down, up = desk.node("down"), desk.started("up")

    builds.stage(desk.ledger(down, up), BUILD)
    with pytest.raises(errors.StageBuildFailure, match=f"Failed to stage {BUILD}: {down.url}: .*Connection refused"):
        builds.stage(desk.ledger(down, name="other"), BUILD)


def test_a_build_that_no_server_has_leaves_nothing(desk):
    settings = desk.ledger(desk.started())

    with pytest.raises(errors.StageBuildFailure, match=r"HTTP 404: there is no bundle at .*/R9; looked for"):
        builds.stage(settings, "R9")

    assert not (settings.builds_dir / "R9").exists()
    with pytest.raises(errors.StageBuildFailure, match="staged builds: none"):
        builds.folder(settings.builds_dir, "R9")


def test_tests_that_are_not_what_they_should_be_leave_nothing(desk):
    whole = {"check_health": answer({}), "stage": answer("Success"), "is_staged": answer("True")}
    garbage = answer("<html>", Repr_Digest="sha-256=:AA==:")
    with ScriptedHttp(lambda request: whole.get(request.path, garbage)).running() as http:
        settings = Settings(root=desk.root, devservers=(http.url,), build_archive="gs://b")
        with pytest.raises(errors.StageBuildFailure, match=f"Failed to stage {BUILD} on {http.url}: tests_archive: "):
            builds.stage(settings, BUILD)

    assert not (settings.builds_dir / "pi4-release").exists()


def stage(settings):
    builds.stage(settings, BUILD)


def test_several_processes_fetch_a_build_once(desk):
    desk.bundle()
    node = desk.started()
    settings = desk.ledger(node)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=stage, args=(settings,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0] * 4
    assert [test.name for test in builds.tests(settings.builds_dir, BUILD).tests] == ["a"]
    assert [path.suffix for path in (settings.builds_dir / ".fetching").iterdir()] == [".lock"]
