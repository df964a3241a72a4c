"""The acceptance vectors of afe-scheduler-and-rpc.md section 10 that this version's slice meets, by number.

Where a vector says Reset, this version says Verify (run_reset off, reboot_before Never). Left out:
4, 23 to 25 (Cleanup and Reset come with the lab issue); 11, 49, 50 (ACL and host editing: RPC issue); 15 to 18, 29
(SYNC_COUNT above 1 is TEST_NA here); 32 (the child's own deadline, tested with autoserv); 33 (process throttling);
34, 35 and 36's synch_count (hostless jobs are suites here, made by create_suite_job); 38 (one-time hosts); 42 (no state
without its task row exists: one transaction writes both); 44 (pidfiles are read by the parser); 46, 47 (minimum
machines of suites); 51, 52 (RPC, recurring jobs).
"""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.models.afe import AbortedEntry, Host, HostQueueEntry, Job
from autotest.scheduler import entries, hosts, jobs, reconcile, upkeep
from autotest.scheduler.claims import Found
from autotest.states import ControlType, EntryStatus, HostStatus, Step, TaskKind


def parsed(lab, entry):
    entries.finish(entry.id)
    return lab.status(entry)


def test_vectors_1_and_3(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(host=host)
    token = lab.granted(entry)
    lab.begin(token)
    assert (lab.status(entry), lab.status(host)) == (EntryStatus.VERIFYING, HostStatus.VERIFYING)
    lab.end(token)
    assert (lab.status(entry), lab.status(host)) == (EntryStatus.STARTING, HostStatus.PENDING)
    lab.begin(token)
    assert (lab.status(entry), lab.status(host)) == (EntryStatus.RUNNING, HostStatus.RUNNING)


def test_vector_2(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(host=host, run_verify=False)
    assert lab.step(lab.granted(entry)) is Step.RUN_TEST
    assert lab.status(entry) is EntryStatus.STARTING


@pytest.mark.parametrize(("number", "needs", "any_of", "expected"), [(5, ["y"], "x", "h2"), (6, [], "x", "h1")])
def test_vectors_5_and_6(lab, number, needs, any_of, expected):
    lab.host("h1", labels=["x"])
    lab.host("h2", labels=["x", "y"] if number == 5 else ["y"])
    assert Host.get_by_id(lab.claim(lab.entry(needs=needs, any_of=any_of)).host_id).hostname == expected


@pytest.mark.parametrize(("second", "first_served"), [(50, 1), (40, 0)])
def test_vectors_7_and_8(lab, second, first_served):
    lab.host("h1", labels=["x"])
    waiting = [lab.entry(any_of="x", run_verify=False), lab.entry(any_of="x", priority=second, run_verify=False)]
    served, other = waiting[first_served], waiting[1 - first_served]
    token = lab.granted(waiting[0])
    assert (lab.fresh(served).active, lab.fresh(other).active) == (True, False)
    lab.run_step(token)
    lab.granted(waiting[0])
    assert lab.fresh(other).active


def test_vector_9(lab):
    host = lab.host("h1", labels=["x"])
    first = lab.entry(any_of="x", priority=80)
    second = lab.entry(host=host, priority=10)
    assert lab.claim(first).found is Found.NO_HOST
    assert [lease.entry_id for lease in lab.open_leases(host)] == [second.id]


def test_vector_10(lab):
    host = lab.host("h1", labels=["x"], groups=["G1"])
    entry = lab.entry(any_of="x", owner="v")
    assert lab.claim(entry).found is Found.NO_HOST
    with pytest.raises(errors.ValidationError, match=f"v does not have access to {host.hostname}"):
        jobs.create(jobs.JobSpec("j", "pass", ControlType.CLIENT, "v", hosts=["h1"]), lab.now)


@pytest.mark.parametrize(
    ("needs", "any_of", "bound", "served"),
    [([], "x", False, False), (["rare"], "x", False, True), ([], "rare", False, True), ([], None, True, True)],
)
def test_vector_12(lab, needs, any_of, bound, served):
    lab.only_if_needed("rare")
    host = lab.host("h1", labels=["x", "rare"])
    entry = lab.entry(needs=needs, any_of=any_of, host=host if bound else None)
    assert (lab.claim(entry).found is Found.GRANTED) == served


def test_vector_13(lab):
    host = lab.host("h1", labels=["x"], locked=True)
    entry = lab.entry(any_of="x")
    hosts.request_task("h1", TaskKind.VERIFY, "u")
    assert lab.claim(entry).found is Found.NO_HOST
    assert lab.grant_tasks() == []
    hosts.unlock("h1")
    lab.grant_tasks()
    lab.run_step(lab.open_leases(host)[0].id)
    assert lab.claim(entry).found is Found.GRANTED


def test_vector_14(lab):
    host = lab.host("h1", labels=["x"], status="Repair Failed")
    assert lab.claim(lab.entry(any_of="x")).found is Found.NO_HOST
    job_id, _ = jobs.create(jobs.JobSpec("j", "pass", ControlType.CLIENT, "u", hosts=["h1"]), lab.now)
    assert lab.status(host) is HostStatus.READY
    assert lab.step(lab.granted(HostQueueEntry.get(HostQueueEntry.job == job_id))) is Step.VERIFY


def test_vector_19(lab):
    host = lab.host("h1")
    entry = lab.entry(host=host)
    for _ in range(3):
        token = lab.granted(entry)
        lab.run_step(token, lab.broken)
        if lab.open_leases(host):
            lab.run_step(token)
    assert lab.status(host) is HostStatus.REPAIR_FAILED
    assert len(lab.tasks(host, "Repair")) == 2
    assert lab.status(entry) is EntryStatus.PARSING
    assert parsed(lab, entry) is EntryStatus.FAILED


def test_vector_20(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(any_of="x")
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)
    row = lab.fresh(entry)
    assert (row.status, row.host_id, lab.step(token)) == ("Queued", None, Step.REPAIR)
    other = lab.host("h2", labels=["x"])
    assert lab.claim(entry).host_id == other.id
    assert len(lab.tasks(host, "Repair")) == 1


def test_vector_21(lab):
    lab.host("h1", labels=["x"], attributes={"provisioner": "stub"})
    entry = lab.entry(needs=["x", "version:R7"])
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)
    assert lab.step(token) is Step.REPAIR
    assert parsed(lab, entry) is EntryStatus.FAILED


def test_vector_22(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(any_of="x")
    lab.end(lab.running(entry))
    assert lab.status(host) is HostStatus.READY
    assert parsed(lab, entry) is EntryStatus.COMPLETED


def test_vector_26(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(any_of="x")
    before = lab.fresh(host).__data__
    entries.abort([entry.id], "u", "not needed", lab.now)
    assert lab.status(entry) is EntryStatus.ABORTED
    assert AbortedEntry.get_by_id(entry.id).aborted_by.login == "u"
    assert lab.fresh(host).__data__ == before


def test_vector_27(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(any_of="x")
    token = lab.running(entry)
    entries.abort([entry.id], "u", "not needed", lab.now)
    assert reconcile.aborted(lab.row, lab.now)[0] == [token]
    lab.end(token, lab.killed)
    assert lab.status(entry) is EntryStatus.PARSING
    assert parsed(lab, entry) is EntryStatus.ABORTED


@pytest.mark.parametrize(("needs", "follows"), [(["x"], 0), (["x", "version:R7"], 1)])
def test_vector_28(lab, needs, follows):
    host = lab.host("h1", labels=["x"], attributes={"provisioner": "stub"})
    entry = lab.entry(needs=needs)
    token = lab.granted(entry)
    lab.begin(token)
    entries.abort([entry.id], "u", "not needed", lab.now)
    lab.end(token, lab.killed)
    assert lab.status(entry) is EntryStatus.ABORTED
    assert len(lab.tasks(host, "Repair")) == follows


def test_vector_30(lab):
    lab.host("h1", labels=["x"])
    suite = lab.job(name="s")
    parent = HostQueueEntry.create(job=suite, status="Running", active=True)
    children = [lab.entry(any_of="x", run_verify=False, parent_job_id=suite.id) for _ in range(3)]
    done, running, queued = children
    lab.completed(done)
    lab.running(running)
    aborted, _ = entries.abort([parent.id], "u", "not needed", lab.now)
    assert set(aborted) == {parent.id, running.id, queued.id}
    assert lab.status(done) is EntryStatus.COMPLETED


def test_vector_31(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(any_of="x", timeout_mins=60, max_runtime_mins=30)
    lab.later(minutes=40)
    token = lab.running(entry)
    upkeep.timed_out(lab.later(minutes=19, seconds=59))
    assert not lab.fresh(entry).aborted
    upkeep.timed_out(lab.later(seconds=2))
    assert lab.fresh(entry).reason == "not done within its timeout of 60 minutes"

    lab.end(token, lab.killed)
    assert parsed(lab, entry) is EntryStatus.ABORTED


def test_vector_31_by_runtime(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(any_of="x", timeout_mins=120, max_runtime_mins=30)
    lab.end(lab.running(entry), lab.late)
    assert parsed(lab, entry) is EntryStatus.ABORTED
    assert "30 minutes (max_runtime_mins)" in lab.fresh(entry).reason


def test_vectors_36_and_37(lab):
    lab.host("h1", labels=["x"])

    def refused(**fields):
        with pytest.raises(errors.ValidationError) as caught:
            jobs.create(jobs.JobSpec("j", "pass", ControlType.CLIENT, "u", **fields), lab.now)
        return caught.value.problems

    assert set(refused(hosts=["h1", "h1"])) == {"hosts"}
    assert set(refused(meta_hosts=["ghost"])) == {"meta_hosts"}
    assert "h1" in refused(hosts=["h1"], dependencies=["y"])["hosts"]
    jobs.create(
        jobs.JobSpec("j", "pass", ControlType.CLIENT, "u", hosts=["h1"], dependencies=["skip_provision"]), lab.now
    )
    assert Job.select().count() == 1


def test_vector_39(lab):
    host = lab.host("h1", labels=["x"])
    hosts.request_task("h1", TaskKind.VERIFY, "u")
    entry = lab.entry(host=host)
    assert lab.claim(entry).found is Found.NO_HOST
    lab.grant_tasks()
    lab.run_step(lab.open_leases(host)[0].id)
    assert lab.claim(entry).found is Found.GRANTED


def test_vector_40(lab):
    host = lab.host("h1")
    hosts.request_task("h1", TaskKind.VERIFY, "u")
    hosts.request_task("h1", TaskKind.REPAIR, "u")
    done = []
    while lab.grant_tasks():
        (lease,) = lab.open_leases(host)
        done.append(lease.step)
        lab.run_step(lease.id)
    assert done == ["repair", "verify"]


def test_vector_41(lab):
    host = lab.host("h1")
    assert hosts.request_task("h1", TaskKind.VERIFY, "u") == hosts.request_task("h1", TaskKind.VERIFY, "u")
    assert len(lab.tasks(host, "Verify")) == 1


def test_vector_43(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(any_of="x")
    lab.running(entry)
    lab.row = hosts.start_lab("desk", "node:2", [], lab.now)
    reconcile.predecessors(lab.row, lab.settings, lab.now)
    # Ours: the entry is queued again, up to max_requeues, instead of failing at once.
    assert (lab.status(entry), lab.fresh(entry).requeues) == (EntryStatus.QUEUED, 1)
    assert (lab.status(host), len(lab.tasks(host, "Verify"))) == (HostStatus.READY, 2)


def test_vector_48(lab):
    for hostname in ("h10", "h2", "h1"):
        lab.host(hostname, labels=["x", "version:R7"] if hostname == "h2" else ["x"])
    preferring, any_version = lab.entry(needs=["x", "version:R7"]), lab.entry(needs=["x"])
    assert Host.get_by_id(lab.claim(preferring).host_id).hostname == "h2"
    assert Host.get_by_id(lab.claim(any_version).host_id).hostname == "h1"
