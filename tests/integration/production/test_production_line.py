"""The straight line on production parts: real sshd, MariaDB, redis-server; then every row is read back."""

from __future__ import annotations

import itertools

from nodes.installation import BUILD
from nodes.waiting import until

from autotest import api
from autotest.models import afe, database, tko
from autotest.models.lab import Lab, LabelQueue, Lease
from autotest.states import EntryStatus

_TESTS = {
    "login": ("", "quick", "GOOD"),
    "measures": ("", "measures", "GOOD"),
    "pairs": ("bluetooth", "quick", "GOOD"),
    "shoots": ("camera", "quick", "GOOD"),
    "fails": ("", "gate", "FAIL"),
}


def rows(query):
    return list(query.dicts())


def test_a_suite_on_three_machines_leaves_every_row(lab, machines, mariadb, redis_server):
    gate = lab.gate()
    gate.open()
    for name, (needs, test, _) in _TESTS.items():
        arguments = f", place={str(gate.place)!r}, verdict='as it should \U0001f600'" if name == "fails" else ""
        lab.installation.add_test(name, f"job.run_test('{test}'{arguments})", needs)
    lab.installation.add_test("nowhere", "job.run_test('quick')", "servo")

    suite = lab.suite("pi4")
    lab.wait_for(suite, EntryStatus.COMPLETED, seconds=90)

    with database.connection():
        children = {job.name.rpartition("/")[2]: job for job in afe.Job.select().where(afe.Job.parent_job == suite)}
        assert sorted(children) == sorted(_TESTS)
        names = {job.id: name for name, job in children.items()}
        entries = {names.get(entry.job_id, "suite"): entry for entry in afe.HostQueueEntry.select()}
        _check_jobs(lab, suite, children)
        _check_entries(entries)
        _check_leases(entries)
        _check_results(suite, names)
    assert lab.status(suite) is EntryStatus.COMPLETED
    summary = api.suite_summary(suite)
    assert (summary.finished, summary.counts) == (True, {"GOOD": 4, "FAIL": 1, "TEST_NA": 1})
    for machine in machines:
        until(lambda machine=machine: not machine.processes, 10, f"{machine.root} is quiet")
        assert machine.decoys == []
        assert not (machine.root / "rebooted").exists()
    _check_where_it_lies(lab, mariadb, redis_server)


def _check_jobs(lab, suite, children):
    row = afe.Job.get_by_id(suite)
    assert (row.owner, row.parent_job_id, row.name) == ("tester", None, f"{BUILD}-test_suites/control.smoke")
    keyvals = dict(
        afe.JobKeyval.select(afe.JobKeyval.key, afe.JobKeyval.value).where(afe.JobKeyval.job == suite).tuples()
    )
    assert keyvals | {"build": BUILD, "suite": "smoke", "board": "pi4", "pool": "suites"} == keyvals
    for name, job in children.items():
        needs = _TESTS[name][0]
        assert "\U0001f600" in job.control_file or name != "fails"
        labels = (
            afe.Label.select(afe.Label.name)
            .join(afe.JobDependencyLabel)
            .where(afe.JobDependencyLabel.job == job.id)
            .tuples()
        )
        wanted = {"board:pi4", "pool:suites", f"version:{BUILD}", *filter(None, [needs])}
        assert {label for (label,) in labels} == wanted
    assert {user.login for user in afe.User.select()} == {"autotest_system", "tester"}
    assert LabelQueue.select().count() == 3
    (desk,) = Lab.select()
    assert (desk.name, desk.incarnation) == ("desk", 1)
    assert desk.seen_at > desk.started_at
    assert {host.hostname for host in afe.Host.select()} == {info.hostname for info in lab.installation.fleet.hosts}


def _check_entries(entries):
    for name, entry in entries.items():
        assert (name, entry.status, entry.complete, entry.active) == (name, "Completed", True, False)
        assert entry.started_on < entry.finished_on
    assert entries["pairs"].host.hostname == "rack1-host2"
    assert entries["shoots"].host.hostname == "rack1-host3"
    verified = rows(
        afe.SpecialTask.select(afe.SpecialTask.queue_entry, afe.SpecialTask.success).where(
            afe.SpecialTask.task == "Verify", afe.SpecialTask.queue_entry.is_null(False)
        )
    )
    assert {task["queue_entry"] for task in verified} == {entries[name].id for name in _TESTS}
    assert all(task["success"] for task in verified)


def _check_leases(entries):
    by_host = {}
    for lease in Lease.select().order_by(Lease.id):
        assert lease.released_at > lease.granted_at
        by_host.setdefault(lease.host_id, []).append(lease)
    for leases in by_host.values():
        for earlier, later in itertools.pairwise(leases):
            assert later.granted_at >= earlier.released_at
    tokens = {lease.entry_id: lease.id for lease in Lease.select().where(Lease.entry.is_null(False))}
    assert {name: entry.token for name, entry in entries.items() if name != "suite"} == {
        name: tokens[entry.id] for name, entry in entries.items() if name != "suite"
    }
    for host in afe.Host.select():
        assert (host.status, host.leased) == ("Ready", False)


def _check_results(suite, names):
    results = tko.TestResult
    for job_id, name in names.items():
        job = tko.TkoJob.get(tko.TkoJob.afe_job_id == job_id)
        assert job.tag.startswith(f"{job_id}-tester/rack1-host")
        assert (job.afe_parent_job_id, job.username) == (suite, "tester")
        keyvals = tko.TkoJobKeyval.select(tko.TkoJobKeyval.key, tko.TkoJobKeyval.value)
        kept = dict(keyvals.where(tko.TkoJobKeyval.job == job).tuples())
        assert (kept["build"], kept["suite"], kept["parent_job_id"]) == (BUILD, "smoke", str(suite))
        assert job.queued_time <= job.started_time <= job.finished_time
        test = _TESTS[name][1]
        row = results.get(results.job == job, results.test == test)
        assert row.status.word == _TESTS[name][2]
        assert row.machine.hostname == job.tag.rpartition("/")[2]
        reference = tko.TaskReference.get(tko.TaskReference.tko_job == job)
        assert (reference.task_id, reference.parent_task_id) == (str(job_id), str(suite))
        if name == "fails":
            assert "as it should \U0001f600" in row.reason
        if name == "measures":
            _check_measures(row)
    own = tko.TkoJob.get(tko.TkoJob.afe_job_id == suite)
    seen = results.select(results.test, tko.Status.word).join(tko.Status).where(results.job == own).tuples()
    assert {name: word for name, word in seen if not name.startswith("SERVER_JOB")} == {
        "quick": "GOOD",
        "measures": "GOOD",
        "gate": "FAIL",
        "nowhere": "TEST_NA",
    }


def _check_measures(row):
    numbers = tko.IterationResult.select().where(tko.IterationResult.test == row)
    assert {(one.iteration, one.attribute, one.value) for one in numbers} == {(1, "speed", 12.5), (1, "distance", 3.0)}
    texts = tko.IterationAttribute.select().where(tko.IterationAttribute.test == row)
    assert {(one.attribute, one.value) for one in texts} == {("colour", "gr\u00fcn")}
    own = tko.TestAttribute.get(tko.TestAttribute.test == row, tko.TestAttribute.attribute == "face")
    assert own.value == "\U0001f600"


def _check_where_it_lies(lab, mariadb, redis_server):
    """The rows are on the server, in its own connections' eyes; nothing went into an embedded database."""
    name = lab.settings.database_url.rpartition("/")[2]
    assert mariadb.as_root("SELECT COUNT(*) FROM afe_jobs", database=name) == [(1 + len(_TESTS),)]
    assert lab.installation.embedded.stat().st_size == 0
    assert mariadb.password not in lab.installation.settings_file.read_text()
    assert redis_server.password not in lab.installation.settings_file.read_text()
