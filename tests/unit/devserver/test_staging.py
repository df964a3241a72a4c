"""Staging: a build is there whole, checked and once, or not at all; and what was begun goes on."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest
from bundles import tarred
from servers.scripted_http import ScriptedHttp, answer

from autotest import errors
from autotest.devserver.jobs import Jobs
from autotest.devserver.staging import Progress, Stopped, in_words


def content(staged) -> dict[str, bytes]:
    return {
        path.relative_to(staged.tree).as_posix(): path.read_bytes() for path in staged.tree.rglob("*") if path.is_file()
    }


@pytest.fixture
def files(desk):
    """What the usual bundle holds."""
    desk.bundle("other.tar")
    staged = desk.stage("other")
    return content(staged)


def test_a_bundle_becomes_a_staged_build(desk):
    desk.bundle()

    staged = desk.stage()

    assert content(staged)["image.bin"] == b"image" * 1000
    assert (staged.record.sha256, staged.record.checked, staged.record.tests_root) == ("", False, "autotest")
    facts = desk.depot.index(staged)
    assert facts["control/a/control"] == {"suites": ["smoke"], "dependencies": ["bluetooth"]}
    assert (staged.folder / "tests.tar").stat().st_size > 1000
    assert desk.left() == []


@pytest.mark.parametrize("name", ["R8-1.0/bundle.tar", "R8-1.0.tar"])
def test_a_bundle_lies_in_the_folder_of_the_build_or_beside_it(desk, name):
    desk.bundle(name)

    assert desk.stage().record.bundle == f"{desk.url}/{name}"


def test_a_build_without_a_bundle_is_told_where_it_was_looked_for(desk):
    with pytest.raises(errors.NotFound, match=r"there is no bundle at .*/R8-1\.0; looked for bundle\.tar, "):
        desk.stage()


def test_staged_twice_is_staged_once(desk):
    desk.bundle()
    first = desk.stage().record

    (desk.archive / "R8-1.0.tar").unlink()

    assert desk.stage().record == first


def test_many_callers_stage_it_once(desk, monkeypatch):
    desk.bundle()
    looks = []
    find = desk.stager.find
    monkeypatch.setattr(desk.stager, "find", lambda wanted: looks.append(wanted) or find(wanted))

    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda _: desk.stage().record, range(8)))

    assert len({record.staged_at for record in records}) == 1
    assert len(looks) == 1


def test_a_bundle_is_compared_with_the_sums_beside_it(desk):
    digest = desk.bundle(listed=True)

    record = desk.stage().record

    assert (record.sha256, record.checked) == (digest, True)


@pytest.mark.parametrize("given", [True, False])
def test_a_bundle_with_another_checksum_leaves_nothing(desk, given):
    digest = desk.bundle(listed=not given)
    if not given:
        with (desk.archive / "R8-1.0.tar").open("ab") as file:
            file.write(bytes(512))
        digest = hashlib.sha256((desk.archive / "R8-1.0.tar").read_bytes()).hexdigest()

    with pytest.raises(errors.HttpFailed, match=r"has the sha256 .* instead of "):
        desk.stage(sha256="0" * 64 if given else "")

    assert desk.depot.staged("R8-1.0") is None
    assert desk.left() == []
    assert desk.stage(sha256=digest).record.checked


def test_a_server_may_insist_on_checksums(desk):
    desk.configure(require_checksum=True)
    digest = desk.bundle()

    with pytest.raises(errors.ArchiveRefused, match="comes without a sha256, and there is no SHA256SUMS beside it"):
        desk.stage()

    assert desk.stage(sha256=digest).record.checked


def test_a_bundle_that_is_refused_leaves_nothing_and_names_the_member(desk):
    desk.bundle(files={"good": b"x", "../evil": b"x"})

    with pytest.raises(errors.ArchiveRefused, match=r"R8-1\.0\.tar: '\.\./evil' leads out of the archive"):
        desk.stage()

    assert (desk.left(), desk.depot.all()) == ([], [])
    assert not list(desk.root.rglob("evil"))


def test_the_limits_are_those_of_the_configuration(desk):
    desk.configure(largest_build_gb=0.000001)
    desk.bundle()

    with pytest.raises(errors.ArchiveRefused, match=r"'image\.bin' brings the archive to 5,000 bytes; 1,000 are"):
        desk.stage()


def test_a_build_larger_than_the_quota_leaves_nothing(desk):
    desk.configure(quota_gb=0.000005)
    desk.bundle()

    with pytest.raises(errors.NoRoom, match=r"R8-1\.0 needs"):
        desk.stage()

    assert desk.left() == []


def test_the_same_name_from_elsewhere_is_another_build(desk):
    desk.bundle()
    desk.stage()
    desk.bundle("more/R8-1.0.tar")
    desk.configure(sources=(f"{desk.url}/more", desk.url))

    with pytest.raises(errors.ValidationError, match=r"R8-1\.0 is staged from .*/R8-1\.0\.tar; evict it first"):
        desk.stage("more/R8-1.0")
    with pytest.raises(errors.ValidationError, match="is staged from a bundle of the sha256"):
        desk.stage(sha256="0" * 64)


def test_a_link_out_of_the_archive_is_not_read(desk):
    outside = desk.root / "outside.tar"
    outside.write_bytes(b"secret")
    (desk.archive / "R8-1.0.tar").symlink_to(outside)

    with pytest.raises(errors.ValidationError, match="is a link that leads out of this server's sources"):
        desk.stage()


def test_a_pipe_in_the_archive_is_no_bundle(desk):
    os.mkfifo(desk.archive / "R8-1.0.tar")

    with pytest.raises(errors.NotFound, match="there is no bundle"):
        desk.stage()


def test_tests_may_be_an_archive_within_the_bundle(desk, files):
    inner = {name.removeprefix("autotest/"): text for name, text in files.items() if name.startswith("autotest/")}
    desk.bundle(files={"image.bin": b"i", "autotest.tar": tarred(inner)})

    staged = desk.stage()

    assert "control/a/control" in desk.depot.index(staged)
    assert sorted(content(staged)) == sorted(files)


def test_an_archive_within_the_bundle_is_refused_like_any_other(desk):
    desk.bundle(files={"autotest.tar": tarred({"/evil": b"x"})})

    with pytest.raises(errors.ArchiveRefused, match=r"autotest\.tar of the bundle: '/evil' has an absolute name"):
        desk.stage()


def test_a_bundle_of_tests_alone_needs_no_folder_for_them(desk, files):
    desk.bundle(files={name.removeprefix("autotest/"): text for name, text in files.items()})

    staged = desk.stage()

    assert staged.record.tests_root == "."
    assert "control/a/control" in desk.depot.index(staged)


def test_a_bundle_from_a_web_server_is_checked_and_unpacked(desk, files):
    raw = tarred(files)
    sums = f"{hashlib.sha256(raw).hexdigest()}  bundle.tar\n"
    there = {"b/pi4/R8/bundle.tar": raw, "b/pi4/R8/SHA256SUMS": sums}
    with ScriptedHttp(
        lambda one: answer(there.get(one.path, "no"), 200 if one.path in there else 404)
    ).running() as http:
        desk.configure(sources=(f"{http.url}/b",))
        staged = desk.stager.run(Progress(desk.stager.build(f"{http.url}/b/pi4/R8")), "")

    assert content(staged) == files
    assert staged.record.checked


def test_a_web_server_that_fails_is_a_fact(desk):
    with ScriptedHttp(lambda _: answer("oh", 500)).running() as http:
        desk.configure(sources=(http.url,))
        with pytest.raises(errors.HttpFailed, match=r"/R8/bundle\.tar: HTTP 500"):
            desk.stager.run(Progress(desk.stager.build(f"{http.url}/R8")), "")


def test_a_bundle_from_an_object_store_is_unpacked(desk, files):
    store = fsspec.filesystem("memory")
    store.pipe("/builds/pi4/R8.tar", tarred(files))
    try:
        desk.configure(sources=("memory://builds",))
        staged = desk.stager.run(Progress(desk.stager.build("memory://builds/pi4/R8")), "")

        assert content(staged) == files
        assert desk.stager.known("pi4") == ["pi4/R8"]
    finally:
        store.rm("/builds", recursive=True)


def test_a_store_that_nobody_can_read_is_named_at_the_start(desk):
    with pytest.raises(errors.ConfigError, match="sources: nosuch:// cannot be read"):
        desk.configure(sources=("nosuch://bucket",))


def test_a_staging_that_is_stopped_leaves_only_its_download(desk, files):
    desk.stop.set()
    desk.bundle()

    with pytest.raises(Stopped, match="the server ends"):
        desk.stage()

    assert desk.left() == []
    desk.stop.clear()
    assert content(desk.stage()) == files


def test_jobs_stage_in_the_background_and_tell_how_it_ended(desk):
    jobs = Jobs(desk.config, desk.depot)
    try:
        wanted = desk.wanted()
        assert jobs.state("R8-1.0") == "unknown"
        with pytest.raises(errors.NotFound):
            jobs.start(wanted).result(30)
        with pytest.raises(errors.NotFound, match="there is no bundle"):
            jobs.state("R8-1.0")

        desk.bundle()
        jobs.start(wanted).result(30)

        assert jobs.state("R8-1.0") == "staged"
        assert jobs.progress() == []
    finally:
        jobs.close()
    with pytest.raises(Stopped, match="this server ends"):
        jobs.start(wanted)


def test_a_failure_is_one_line():
    assert in_words(OSError(28, "No space left on device")) == "the disk of this dev server: No space left on device"
    assert in_words(errors.NoRoom("a\nb")) == "a b"
    assert in_words(RuntimeError()) == "RuntimeError"
