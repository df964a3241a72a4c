"""Archives: what goes in comes out, whatever a machine left in a folder; what arrived otherwise is not relied on."""

from __future__ import annotations

import datetime
import os
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotest import errors
from autotest.results.retention import archive, contents, prune, records, restore
from autotest.results.retention.archive import Store
from autotest.settings import Settings

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
TAG = "17-ann"
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 255
)


@pytest.fixture
def config(tmp_path) -> Settings:
    (tmp_path / "results").mkdir()
    return Settings(root=tmp_path, results_floor=0)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "archive"))


def filled(config: Settings, files: dict[str, bytes]) -> Path:
    folder = config.results_dir / TAG
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file with its content, every folder with None."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_folder_comes_back_as_it_was(config, store):
    folder = filled(config, {"h1/status.log": b"GOOD\n", "h1/debug/big": os.urandom(3 << 20), "h1/empty": b""})
    (folder / "h1" / "nothing").mkdir()
    before = tree(folder)

    assert prune.let_go(config.results_dir, TAG, store, NOW) is True
    assert not folder.exists()
    assert restore.restore(config, TAG, NOW) == folder
    assert tree(folder) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(files=st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=4))
def test_every_content_comes_back_whatever_the_names(config, store, files):
    folder = filled(config, {f"h1/{name}": content for name, content in files.items()})

    prune.let_go(config.results_dir, TAG, store, NOW)
    restore.restore(config, TAG, NOW)

    found = [content for content in tree(folder).values() if content is not None]
    assert sorted(found) == sorted(files.values())
    # Back in the archive at once, and nothing is left for the next example.
    prune.let_go(config.results_dir, TAG, store, NOW)
    (config.results_dir / records.FOLDER / f"{TAG}.json").unlink()


def test_names_that_no_archive_holds_are_replaced(config, store):
    deep = "/".join(["d" * 200] * 6)
    folder = filled(config, {"h1/a\x1bb": b"1", os.fsdecode(b"h1/\xff"): b"2", f"{deep}/x": b"3"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    restore.restore(config, TAG, NOW)
    assert sorted(filter(None, tree(folder).values())) == [b"1", b"2", b"3"]
    assert len(list((folder / "renamed").glob("*-a_b"))) == 1


def test_links_are_not_followed_and_job_json_stays_here(config, store, tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = filled(config, {"h1/status.log": b"GOOD\n", "h1/job.json": b"{}", ".parse.7.lock": b""})
    (folder / "h1" / "link").symlink_to(tmp_path / "secret")
    (folder / "h1" / "up").symlink_to("../..")
    os.mkfifo(folder / "h1" / "pipe")

    prune.let_go(config.results_dir, TAG, store, NOW)

    record = records.read(config.results_dir, TAG)
    assert record.left_out == 5
    with (
        open(record.url.removeprefix("file://"), "rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        assert [member.name for member in tar] == ["h1", "h1/status.log"]
    assert (tmp_path / "secret").read_text() == "secret"


def test_one_line_a_million_times_comes_back(config, store):
    filled(config, {"h1/status.log": b"\0" * (90 << 20)})
    prune.let_go(config.results_dir, TAG, store, NOW)
    folder = restore.restore(config, TAG, NOW)
    assert (folder / "h1" / "status.log").stat().st_size == 90 << 20


def test_a_folder_of_a_job_is_opened_wherever_it_is(config, store):
    folder = filled(config, {"h1/status.log": b"GOOD\n"})
    assert restore.open_folder(config, f"{TAG}/h1") == folder / "h1"
    prune.let_go(config.results_dir, TAG, store, NOW)
    assert restore.open_folder(config, f"{TAG}/h1") == folder / "h1"
    assert (folder / "h1" / "status.log").read_bytes() == b"GOOD\n"


@pytest.mark.parametrize("tag", ["18-ann", "17-ann/h2", "17-ann/../18-ann", "../x", ".archived", "", "17-ann//h1"])
def test_a_folder_that_is_nowhere_is_not_found(config, store, tag):
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    with pytest.raises(errors.NotFound):
        restore.open_folder(config, tag)


def test_a_folder_that_was_imported_under_a_name_comes_back_as_well(config, store):
    tag = "lab2010/17-ann"
    folder = config.results_dir / tag
    folder.mkdir(parents=True)
    (folder / "status.log").write_bytes(b"GOOD")

    assert prune.let_go(config.results_dir, tag, store, NOW)
    (config.results_dir / "lab2010").rmdir()

    assert f"`autotest results restore {tag}` brings" in restore.whereabouts(config.results_dir, f"{tag}/x")
    assert (restore.open_folder(config, tag) / "status.log").read_bytes() == b"GOOD"


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("17-ann/h1", "17-ann"),
        ("lab2010/17-ann/h1", "lab2010/17-ann"),
        ("17-ann", "17-ann"),
        ("hosts/h1/3-verify", None),
        ("../17-ann", None),
        ("", None),
    ],
)
def test_a_path_lies_in_the_folder_of_one_job(path, tag):
    assert records.tag_in(path) == tag


def test_a_link_is_no_folder_of_a_job(config, tmp_path):
    folder = filled(config, {"h1/status.log": b"GOOD\n"})
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(errors.NotFound):
        restore.open_folder(config, f"{TAG}/out/results")


def test_a_restored_folder_is_not_archived_again(config, store, monkeypatch):
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    restore.restore(config, TAG, NOW)
    monkeypatch.setattr(Store, "put", lambda *_: pytest.fail("archived again"))

    assert prune.let_go(config.results_dir, TAG, store, NOW) is True

    restore.restore(config, TAG, NOW)


def test_a_restored_folder_that_changed_is_archived_anew(config, store):
    folder = filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    restore.restore(config, TAG, NOW)
    (folder / "h1" / "note").write_text("looked at it")
    prune.let_go(config.results_dir, TAG, store, NOW)
    assert "h1/note" in tree(restore.restore(config, TAG, NOW))


def test_a_folder_that_came_anew_never_replaces_the_archive(config, store):
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    folder = filled(config, {"h1/keyval": b"a=1\n"})
    with pytest.raises(errors.BadResultsFolder, match="was archived and is here again"):
        prune.let_go(config.results_dir, TAG, store, NOW)
    assert tree(folder) == {"h1": None, "h1/keyval": b"a=1\n"}


def test_locks_of_a_late_parser_do_not_stand_in_the_way(config, store):
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    filled(config, {".parse.9.lock": b""})
    assert prune.let_go(config.results_dir, TAG, store, NOW) is True
    filled(config, {".parse.9.lock": b""})
    assert (restore.restore(config, TAG, NOW) / "h1" / "status.log").exists()


@pytest.mark.parametrize("damage", [b"", b"x", b"x" * 5000])
def test_an_archive_that_is_damaged_is_never_relied_on(config, store, monkeypatch, damage):
    folder = filled(config, {"h1/status.log": b"GOOD\n"})
    monkeypatch.setattr(Store, "_settle", lambda self, path: Path(path).write_bytes(damage))
    with pytest.raises(errors.ArchiveFailed, match="is not what was archived"):
        prune.let_go(config.results_dir, TAG, store, NOW)
    assert tree(folder)["h1/status.log"] == b"GOOD\n"
    assert records.read(config.results_dir, TAG) is None


def test_an_archive_that_was_lost_restores_nothing_and_says_so(config, store):
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    Path(records.read(config.results_dir, TAG).url.removeprefix("file://")).unlink()
    with pytest.raises(errors.ArchiveFailed, match="FileNotFoundError"):
        restore.restore(config, TAG, NOW)
    assert not (config.results_dir / TAG).exists()


def test_a_folder_that_changes_meanwhile_stays(config, store, monkeypatch):
    folder = filled(config, {"h1/status.log": b"GOOD\n"})
    pack = archive._pack

    def late(*arguments):
        pack(*arguments)
        (folder / "h1" / "late").write_text("x")

    monkeypatch.setattr(archive, "_pack", late)
    with pytest.raises(errors.BadResultsFolder, match="changed while it was archived"):
        prune.let_go(config.results_dir, TAG, store, NOW)
    assert (folder / "h1" / "late").exists()


class Killed(BaseException):
    """The process ends here."""


STEPS = [
    (archive, "_pack"),
    (Store, "_settle"),
    (Store, "check"),
    (records, "write"),
    (records, "sync"),
    (prune, "_remove"),
    (Path, "rename"),
    (prune.shutil, "rmtree"),
]


@pytest.mark.parametrize(("place", "name"), STEPS, ids=[name for _, name in STEPS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_step_the_folder_is_somewhere_and_the_next_run_ends_it(
    config, store, monkeypatch, place, name, after
):
    folder = filled(config, {"h1/status.log": b"GOOD\n" * 100})
    act = getattr(place, name)

    def die(*arguments, **named):
        if after:
            act(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, name, die)
        with pytest.raises(Killed):
            prune.let_go(config.results_dir, TAG, store, NOW)

    if folder.exists():
        assert prune.let_go(config.results_dir, TAG, store, NOW) is True
    prune.finish_others(config.results_dir)

    left = {path.name for path in (config.results_dir / records.FOLDER).iterdir()}
    assert left == {":lock", f"{TAG}.json"}
    assert tree(restore.restore(config, TAG, NOW))["h1/status.log"] == b"GOOD\n" * 100


def test_what_the_dead_had_begun_is_removed_and_nothing_else(config, store):
    filled(config, {"a": b"1"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    workshop = config.results_dir / records.FOLDER
    (workshop / ".17-ann.json.4711").write_bytes(b"{")
    for name in ("leaving:18-ann", "incoming:19-ann"):
        (workshop / name / "h1").mkdir(parents=True)

    prune.finish_others(config.results_dir)

    assert {path.name for path in workshop.iterdir()} == {"17-ann.json", ":lock"}


def test_killed_while_it_comes_back_it_comes_back_the_next_time(config, store, monkeypatch):
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)

    def die(*_):
        raise Killed

    for place, name in ((restore.unpack, "into"), (records, "write"), (Path, "rename")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, die)
            with pytest.raises(Killed):
                restore.restore(config, TAG, NOW)
        assert not (config.results_dir / TAG).exists()
    assert (restore.restore(config, TAG, NOW) / "h1" / "status.log").read_bytes() == b"GOOD\n"


def test_nothing_comes_back_onto_a_full_disk(tmp_path, config, store):
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    with pytest.raises(errors.NoRoom, match="of it its floor"):
        restore.restore(Settings(root=tmp_path, results_floor=1 << 60), TAG, NOW)


def test_an_object_store_holds_archives_as_well(config):
    store = Store("memory://lab/archive")
    filled(config, {"h1/status.log": b"GOOD\n"})
    prune.let_go(config.results_dir, TAG, store, NOW)
    assert records.read(config.results_dir, TAG).url.startswith("memory://")
    assert (restore.restore(config, TAG, NOW) / "h1" / "status.log").read_bytes() == b"GOOD\n"


def test_an_address_that_nobody_knows_is_refused():
    with pytest.raises(errors.ConfigError, match="nostore://"):
        Store("nostore://bucket")


@given(st.text(max_size=60) | st.sampled_from(['{"tag": 1}', "[]", "null", "1"]))
def test_a_damaged_record_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - json's own errors are ValueErrors
        records.Record.parse(text)


@given(st.builds(records.Record, *[st.text()] * 2, st.integers(), st.text(), *[st.integers()] * 3, *[st.text()] * 3))
def test_a_record_reads_back_as_it_was(record):
    assert records.Record.parse(record.render()) == record


def test_what_a_folder_takes_is_told_without_following_links(config, tmp_path):
    folder = filled(config, {"a": b"x" * 10_000})
    (folder / "out").symlink_to(tmp_path)
    found = contents.of(folder)
    assert found.bytes == 10_000
    assert contents.on_disk(folder) == found.on_disk >= 10_000
    assert (found.entries, found.left_out) == (1, 1)
