"""An attempt has a folder of its own; the accepted one comes to its place, and an entry that never ran says why."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from autotest.client import keyval
from autotest.host_info import HostInfo
from autotest.job_file import JobFile
from autotest.models import database
from autotest.models.afe import HostQueueEntry
from autotest.models.database import utc_now
from autotest.results import parser
from autotest.scheduler import entries, hosts, steps
from autotest.scheduler.steps import Work
from autotest.states import Step
from autotest.tasks import run_folders


@pytest.fixture
def entry(installation):
    from autotest import api

    installation.host("rack1-host3")
    job_id = api.create_job("sleep", "job.run_test('sleeptest')", hosts=["rack1-host3"])
    with database.connection():
        yield HostQueueEntry.get(HostQueueEntry.job == job_id)


def work(entry: HostQueueEntry, token: int) -> Work:
    job_file = JobFile(step=Step.RUN_TEST, hosts=(HostInfo("rack1-host3"),), token=token)
    return Work(token, Step.RUN_TEST, steps.run_folder(entry.job, token), job_file, {"user": "ann", "note": "a#b\nc"})


def test_an_attempt_gets_its_job_file_and_keyvals_that_fit_on_a_line(entry, tmp_path):
    folder = run_folders.write(tmp_path, work(entry, 7))
    assert folder == tmp_path / entry.job.tag / ".runs" / "7"
    assert JobFile.read(folder).token == 7
    assert keyval.read(str(folder)) == {"user": "ann", "note": "a b c"}


def test_an_attempt_never_writes_into_a_folder_that_is_there(entry, tmp_path):
    run_folders.write(tmp_path, work(entry, 7))
    with pytest.raises(FileExistsError):
        run_folders.write(tmp_path, work(entry, 7))


def test_the_end_of_a_step_is_noted(entry, tmp_path):
    folder = run_folders.write(tmp_path, work(entry, 7))
    run_folders.close(tmp_path, work(entry, 7), datetime.datetime.fromtimestamp(2000, datetime.timezone.utc))
    assert keyval.read(str(folder))["job_finished"] == 2000


def test_who_aborted_is_noted(entry, installation, tmp_path):
    token = installation.lease("rack1-host3", entry.job_id).id
    entries.abort([entry.id], "bob", "wrong build", utc_now())
    folder = run_folders.write(tmp_path, work(entry, token))
    run_folders.close(tmp_path, work(entry, token), utc_now())
    assert keyval.read(str(folder))["aborted_by"] == "bob"


def accepted(entry: HostQueueEntry, token: int) -> HostQueueEntry:
    HostQueueEntry.update(token=token, execution_subdir="rack1-host3").where(HostQueueEntry.id == entry.id).execute()
    return HostQueueEntry.get_by_id(entry.id)


def test_the_accepted_attempt_comes_to_its_place_and_stays_there(entry, tmp_path):
    run_folders.write(tmp_path, work(entry, 6))
    run_folders.write(tmp_path, work(entry, 7))
    place = run_folders.accept(tmp_path, accepted(entry, 7))
    assert place == tmp_path / entry.job.tag / "rack1-host3"
    assert JobFile.read(place).token == 7
    assert run_folders.accept(tmp_path, accepted(entry, 7)) == place
    assert JobFile.read(place).token == 7


def test_a_folder_that_stood_in_the_place_is_kept_beside(entry, tmp_path):
    run_folders.write(tmp_path, work(entry, 6))
    run_folders.accept(tmp_path, accepted(entry, 6))
    run_folders.write(tmp_path, work(entry, 7))
    place = run_folders.accept(tmp_path, accepted(entry, 7))
    assert JobFile.read(place).token == 7
    kept = tmp_path / entry.job.tag / ".runs" / "7.replaced"
    assert JobFile.read(kept).token == 6


def test_an_entry_that_never_ran_is_parsed_as_failed_with_its_reason(entry, tmp_path):
    HostQueueEntry.update(execution_subdir="rack1-host3", reason="repair of rack1-host3\tfailed").where(
        HostQueueEntry.id == entry.id
    ).execute()
    place: Path = run_folders.accept(tmp_path, HostQueueEntry.get_by_id(entry.id))
    (record,) = parser.read(place).tests
    assert (record.name, record.status) == ("SERVER_JOB", "FAIL")
    assert record.reason == "repair of rack1-host3 failed"
    assert hosts.named("rack1-host3").hostname == place.name


def test_each_machine_of_a_group_is_a_job_of_its_own_besides_the_group(tmp_path):
    for name in ("h1", "h2"):
        (tmp_path / name).mkdir()
    (tmp_path / "status.log").touch()
    (tmp_path / ".machines").write_text("h1\nh2\nh3\n")
    assert run_folders.parsed(tmp_path) == [tmp_path / "h1", tmp_path / "h2", tmp_path]


def test_a_list_of_machines_that_is_a_link_is_not_read(tmp_path):
    place = tmp_path / "group0"
    (place / "h1").mkdir(parents=True)
    (tmp_path / "list").write_text("h1\n")
    (place / ".machines").symlink_to(tmp_path / "list")
    assert run_folders.parsed(place) == [place]


def test_a_folder_without_machines_is_one_job(tmp_path):
    assert run_folders.parsed(tmp_path) == [tmp_path]
    (tmp_path / ".machines").write_text("h1\n")
    assert run_folders.parsed(tmp_path) == [tmp_path]


def test_machines_never_lead_out_of_the_folder(tmp_path):
    place, outside = tmp_path / "group0", tmp_path / "outside"
    for folder in (place, outside, place / "h1"):
        folder.mkdir()
    (place / "h2").symlink_to(outside)
    (place / ".machines").write_text(f"../outside\n{outside}\n..\n.\n\nh1\nh2\n")
    assert run_folders.parsed(place) == [place / "h1"]
