"""Claims: which entries free hosts get, and which host an entry."""

from __future__ import annotations

import pytest

from autotest.models.afe import Host, HostQueueEntry, IneligibleHostQueue, Label
from autotest.models.database import transaction
from autotest.models.lab import Lab, LabelQueue
from autotest.scheduler import claims, entries, hosts, leases, lines, quotas
from autotest.scheduler.claims import Found
from autotest.scheduler.matching import Candidate
from autotest.states import EntryStatus, HostStatus, Protection, Step, TaskKind

from .conftest import DUE_IN


def test_a_free_host_with_the_labels_is_leased_and_its_verify_is_due(lab):
    host = lab.host("rack1-host3", labels=["board:pi4", "wifi"])
    entry = lab.entry(needs=["board:pi4"])

    claim = lab.claim(entry)

    assert claim.found is Found.GRANTED
    assert claim.host_id == host.id
    assert lab.step(claim.token) is Step.VERIFY
    assert [(wake.queue, wake.task, wake.args, wake.step) for wake in claim.wakes] == [
        ("lab.desk", "autotest.verify", (claim.token,), 0)
    ]
    assert claim.wakes[0].shown == f"sleeptest on rack1-host3, job {entry.job_id}"
    row = lab.fresh(entry)
    assert (row.status, row.active, row.host_id) == ("Queued", True, host.id)
    assert lab.fresh(host).leased


def test_a_job_without_verify_is_due_to_run_at_once(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"], run_verify=False)

    token = lab.granted(entry)

    assert lab.step(token) is Step.RUN_TEST
    assert lab.status(entry) is EntryStatus.STARTING
    assert lab.status(host) is HostStatus.PENDING


def test_without_a_fitting_host_the_entry_stays_queued(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x", "y"])

    assert lab.claim(entry).found is Found.NO_HOST
    assert lab.status(entry) is EntryStatus.QUEUED
    assert lab.busy(entry)


def test_an_empty_queue_is_marked_idle_and_busy_again_with_its_next_entry(lab):
    lab.host("h1", labels=["x"])
    first = lab.entry(needs=["x"])
    lab.granted(first)

    assert lab.claim(first).found is Found.NO_ENTRY
    assert not lab.busy(first)

    lab.entry(needs=["x"])
    assert lab.busy(first)


def test_a_queue_that_nobody_ever_used_has_no_entry(lab):
    assert claims.claim(lab.row, "0" * 20, lab.now, lab.now - lab.now).found is Found.NO_ENTRY


def test_higher_priority_goes_first_and_older_first_within_it(lab):
    hosts_ = [lab.host(f"h{number}", labels=["x"]) for number in range(4)]
    waiting = [lab.entry(needs=["x"], priority=priority) for priority in (40, 50, 40, 80)]

    served = []
    for _ in hosts_:
        lab.claim(waiting[0])
        served.append([lab.fresh(entry).active for entry in waiting])

    assert served == [
        [False, False, False, True],
        [False, True, False, True],
        [True, True, False, True],
        [True, True, True, True],
    ]


def test_the_entry_that_a_queue_serves_next_may_be_any_number_of_rows_down(lab):
    lab.host("h1", labels=["x"], groups=["phones"])
    lab.acl_group("phones", members=["bob"])
    job = lab.job(owner="alice")
    with transaction():
        for _ in range(250):
            lab.entry(needs=["x"], job=job)
    late = lab.entry(needs=["x"], owner="bob", priority=10)

    assert lab.claim(late).found is Found.GRANTED
    assert lab.fresh(late).active


def test_a_scarce_host_is_kept_for_the_entries_that_need_it(lab):
    rich = lab.host("h1", labels=["x", "modem"])
    plain = lab.host("h2", labels=["x"])
    lab.entry(needs=["x", "modem"], priority=10)
    entry = lab.entry(needs=["x"], priority=80)

    assert lab.claim(entry).host_id == plain.id
    assert not lab.open_leases(rich)


def test_hosts_that_fit_alike_are_taken_in_natural_order(lab):
    for hostname in ("h10", "h2", "h1"):
        lab.host(hostname, labels=["x"])
    entry = lab.entry(needs=["x"])

    assert Host.get_by_id(lab.claim(entry).host_id).hostname == "h1"


def test_a_host_that_carries_the_wanted_version_is_preferred(lab):
    lab.host("h1", labels=["x"])
    carrier = lab.host("h2", labels=["x", "version:R7"])
    entry = lab.entry(needs=["x", "version:R7"])

    claim = lab.claim(entry)

    assert claim.host_id == carrier.id
    assert lab.step(claim.token) is Step.VERIFY


def test_a_host_without_the_wanted_version_is_provisioned_where_something_can(lab):
    lab.host("h1", labels=["x"], attributes={"provisioner": "stub"})

    assert lab.step(lab.granted(lab.entry(needs=["x", "version:R7"]))) is Step.PROVISION


@pytest.mark.parametrize("needs", [["x", "version:R7", "skip_provision"], ["x"]])
def test_provisioning_is_left_out_when_nothing_asks_for_it(lab, needs):
    lab.host("h1", labels=["x"], attributes={"provisioner": "stub"})

    assert lab.step(lab.granted(lab.entry(needs=needs))) is Step.VERIFY


def test_a_host_that_asks_not_to_be_verified_is_not(lab):
    lab.host("h1", labels=["x"], protection=int(Protection.DO_NOT_VERIFY))

    assert lab.step(lab.granted(lab.entry(needs=["x"]))) is Step.RUN_TEST


def test_who_names_a_host_goes_before_any_priority(lab):
    host = lab.host("h1", labels=["x"])
    metahost = lab.entry(needs=["x"], priority=80)
    bound = lab.entry(host=host, priority=10)

    assert lab.claim(metahost).found is Found.NO_HOST
    assert [lease.entry_id for lease in lab.open_leases(host)] == [bound.id]


def test_an_entry_that_names_a_host_it_may_not_use_keeps_nobody_away(lab):
    host = lab.host("h1", labels=["x"], groups=["phones"])
    lab.acl_group("phones", members=["bob"])
    lab.entry(host=host, owner="alice")
    unfit = lab.entry(host=host, owner="bob", needs=["gone"])
    metahost = lab.entry(needs=["x"], owner="bob")

    assert lab.claim(unfit).found is Found.NO_HOST
    assert lab.claim(metahost).host_id == host.id


def test_an_entry_of_a_user_without_access_waits_and_the_next_is_served(lab):
    lab.host("h1", labels=["x"], groups=["phones"])
    lab.acl_group("phones", members=["bob"])
    without = lab.entry(needs=["x"], owner="alice", priority=80)
    allowed = lab.entry(needs=["x"], owner="bob")

    assert lab.claim(allowed).found is Found.GRANTED
    assert lab.fresh(allowed).active
    assert not lab.fresh(without).active


def test_a_superuser_may_use_every_host(lab):
    lab.host("h1", labels=["x"], groups=[])

    assert lab.claim(lab.entry(needs=["x"], owner="autotest_system")).found is Found.GRANTED


def test_a_job_never_takes_one_host_twice(lab):
    first = lab.host("h1", labels=["x"])
    job = lab.job(owner="alice", run_verify=False)
    one = lab.entry(any_of="x", job=job)
    other = lab.entry(any_of="x", job=job)
    lab.completed(one)

    assert lab.status(first) is HostStatus.READY
    assert lab.claim(other).found is Found.NO_HOST

    second = lab.host("h2", labels=["x"])
    assert lab.claim(other).host_id == second.id


def test_a_metahost_entry_leaves_alone_the_host_that_its_job_names(lab):
    host = lab.host("h1", labels=["x"])
    job = lab.job(run_verify=False)
    lab.completed(lab.entry(host=host, job=job))
    other = lab.entry(any_of="x", job=job)

    assert lab.claim(other).found is Found.NO_HOST


def test_what_a_job_took_is_forgotten_once_all_its_entries_are_final(lab):
    lab.host("h1", labels=["x"])
    entry = lab.completed(lab.entry(needs=["x"], run_verify=False))

    assert entry.complete
    assert not IneligibleHostQueue.select().exists()


def test_a_host_with_an_only_if_needed_label_waits_for_who_asks_for_it(lab):
    lab.only_if_needed("rare")
    host = lab.host("h1", labels=["x", "rare"])

    assert lab.claim(lab.entry(needs=["x"])).found is Found.NO_HOST
    assert lab.claim(lab.entry(needs=["x", "rare"])).host_id == host.id


@pytest.mark.parametrize(
    "columns",
    [{"locked": True}, {"invalid": True}, {"status": "Repair Failed"}, {"status": "Repairing"}, {"status": "Running"}],
)
def test_a_host_that_is_not_ready_is_left_alone(lab, columns):
    host = lab.host("h1", labels=["x"], **columns)
    entry = lab.entry(needs=["x"])

    assert lab.claim(entry).found is Found.NO_HOST
    assert not lab.open_leases(host)


def test_a_host_of_another_lab_is_left_alone(lab):
    lab.host("h1", labels=["x"], lab=Lab.create(name="attic", incarnation=1))

    assert lab.claim(lab.entry(needs=["x"])).found is Found.NO_HOST


def test_a_worker_whose_lab_has_a_newer_one_gets_nothing(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    hosts.request_task("h1", TaskKind.VERIFY, "alice")
    Lab.update(incarnation=2).where(Lab.id == lab.row.id).execute()

    assert lab.claim(entry).found is Found.NO_HOST
    assert lab.grant_tasks() == []
    assert not lab.open_leases(host)


def test_a_claim_that_meets_a_lease_it_did_not_see_takes_another_host(lab, monkeypatch):
    taken, spare = lab.host("h1", labels=["x"]), lab.host("h2", labels=["x"])
    with transaction():
        leases.grant(lab.row, taken.id, None, None, Step.VERIFY, lab.now)
    blind = [Candidate(host.id, host.hostname, frozenset({"x"})) for host in (taken, spare)]
    monkeypatch.setattr(hosts, "free", lambda *_: list(blind))
    entry = lab.entry(needs=["x"])

    assert lab.claim(entry).host_id == spare.id
    assert len(lab.open_leases(taken)) == 1


def test_a_label_that_was_deleted_counts_for_nobody(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    Label.update(invalid=True).where(Label.name == "x").execute()

    assert lab.claim(entry).found is Found.NO_HOST


def test_a_claim_costs_the_same_number_of_queries_whatever_waits(lab, monkeypatch):
    lab.host("h1", labels=["x"])
    first = lab.entry(needs=["x"])

    def cost():
        asked = []
        execute = type(Host._meta.database.obj).execute_sql
        with monkeypatch.context() as patch:
            patch.setattr(
                type(Host._meta.database.obj),
                "execute_sql",
                lambda self, sql, *rest: (asked.append(sql), execute(self, sql, *rest))[1],
            )
            token = lab.granted(first)
        lab.run_step(token, lab.lost)
        lab.run_step(lab.open_leases()[0].id) if lab.open_leases() else None
        entries_requeued = lab.fresh(first)
        entries_requeued.requeues = 0
        entries_requeued.save()
        return len(asked)

    alone = cost()
    with transaction():
        for number in range(60):
            lab.entry(needs=["x"])
            lab.entry(needs=["x", f"rare{number % 3}"])
    for number in range(20):
        lab.host(f"other{number}", labels=["y"])

    assert cost() == alone
    assert alone < 50
    assert LabelQueue.select().count() == 4
    assert {line.queue.key: line.first for line in lines.busy()}[first.queue_key].id == first.id


def test_whichever_message_comes_first_the_highest_priority_goes_first(lab):
    lab.host("h1", labels=["x", "y"])
    late = lab.entry(needs=["x", "y"], priority=30)
    urgent = lab.entry(needs=["x"], priority=80)

    claim = lab.claim(late)

    assert (claim.found, claim.served, len(claim.wakes)) == (Found.NO_HOST, 0, 1)
    assert lab.fresh(urgent).active
    assert claim.waiting == entries.queued_wake(late)


def test_of_equal_priorities_the_older_goes_first_whatever_its_labels(lab):
    lab.host("h1", labels=["x", "y"])
    older, younger = lab.entry(needs=["x"]), lab.entry(needs=["y"])

    assert lab.claim(younger).found is Found.NO_HOST
    assert lab.fresh(older).active


def test_who_goes_before_takes_nothing_that_he_does_not_need(lab):
    lab.host("h1", labels=["x"])
    rich = lab.host("h2", labels=["x", "y"])
    urgent = lab.entry(needs=["x"], priority=80)
    other = lab.entry(needs=["y"])

    assert lab.claim(other).host_id == rich.id
    assert lab.fresh(urgent).active


def test_a_claim_serves_as_many_entries_as_it_is_asked_to(lab):
    for number in range(5):
        lab.host(f"h{number}", labels=["x"])
    waiting = [lab.entry(needs=["x"], run_verify=bool(number % 2), priority=80 - number) for number in range(12)]

    claim = claims.claim(lab.row, waiting[0].queue_key, lab.now, DUE_IN, most=3)

    assert (claim.found, claim.served, claim.waiting) == (Found.GRANTED, 3, None)
    assert [lab.fresh(entry).active for entry in waiting] == [True] * 3 + [False] * 9
    assert sorted((wake.task, wake.shown) for wake in claim.wakes) == [
        ("autotest.run_test", f"sleeptest on h0, job {waiting[0].job_id}"),
        ("autotest.run_test", f"sleeptest on h2, job {waiting[2].job_id}"),
        ("autotest.verify", f"sleeptest on h1, job {waiting[1].job_id}"),
    ]
    assert {wake.args[0] for wake in claim.wakes} == {lease.id for lease in lab.open_leases()}


def test_a_claim_that_runs_out_of_hosts_tells_who_waits_next(lab):
    for number in range(2):
        lab.host(f"h{number}", labels=["x"])
    waiting = [lab.entry(needs=["x"]) for _ in range(12)]

    claim = claims.claim(lab.row, waiting[0].queue_key, lab.now, DUE_IN, most=10)

    assert (claim.found, claim.served) == (Found.GRANTED, 2)
    assert claim.waiting == entries.queued_wake(waiting[2])
    tasks = [task for host in Host.select() for task in lab.tasks(host, "Verify")]
    assert [(task.queue_entry_id, task.requested_by.login) for task in tasks] == [
        (entry.id, "alice") for entry in waiting[:2]
    ]


def test_entries_of_several_owners_are_served_together(lab):
    for number in range(3):
        lab.host(f"h{number}", labels=["x"])
    lab.host("h3", labels=["x"], groups=["phones"])
    lab.acl_group("phones", members=["bob"])
    waiting = [lab.entry(needs=["x"], owner=owner) for owner in ("alice", "bob", "carol", "dave", "bob")]

    claim = claims.claim(lab.row, waiting[0].queue_key, lab.now, DUE_IN, most=9)

    assert claim.served == 4
    assert [lab.fresh(entry).active for entry in waiting] == [True, True, True, False, True]
    granted = {lease.entry_id: lease.task.requested_by.login for lease in lab.open_leases()}
    assert granted == {entry.id: entry.job.owner for entry in waiting if lab.fresh(entry).active}


def test_a_claim_of_several_that_meets_an_aborted_entry_serves_the_others(lab, monkeypatch):
    for number in range(3):
        lab.host(f"h{number}", labels=["x"])
    waiting = [lab.entry(needs=["x"]) for _ in range(3)]
    settled = quotas.settled

    def abort_meanwhile(suites):
        monkeypatch.setattr(quotas, "settled", settled)
        HostQueueEntry.update(aborted=True, status="Aborted", complete=True).where(
            HostQueueEntry.id == waiting[1].id
        ).execute()
        return settled(suites)

    monkeypatch.setattr(quotas, "settled", abort_meanwhile)
    served = 0
    while (claim := claims.claim(lab.row, waiting[0].queue_key, lab.now, DUE_IN, most=3)).found is Found.GRANTED:
        served += claim.served

    assert served == 2
    assert {lease.entry_id for lease in lab.open_leases()} == {waiting[0].id, waiting[2].id}
