"""Claims: which entry a free host gets, and which host an entry; leases: one open a host, kept by the schema."""

from __future__ import annotations

import peewee
import pytest

from autotest.models.afe import Host, IneligibleHostQueue, Label
from autotest.models.database import transaction
from autotest.models.lab import Lab, LabelQueue, Lease
from autotest.scheduler import entries, hosts, leases
from autotest.scheduler.leases import Found
from autotest.states import EntryStatus, HostStatus, Protection, Step, TaskKind


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
    assert leases.claim(lab.row, "0" * 20, lab.now, lab.now - lab.now).found is Found.NO_ENTRY


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
    assert lab.claim(bound).host_id == host.id


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


def test_a_task_of_the_host_goes_before_any_entry(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"], priority=80)
    hosts.request_task("h1", TaskKind.VERIFY, "alice")

    assert lab.claim(entry).found is Found.NO_HOST
    (wake,) = lab.grant_tasks()
    assert (wake.task, wake.shown) == ("autotest.verify", "verify of h1")
    (lease,) = lab.open_leases(host)
    lab.run_step(lease.id)
    assert lab.claim(entry).host_id == host.id


def test_tasks_of_one_host_go_repair_first_one_at_a_time(lab):
    host = lab.host("h1")
    for kind in (TaskKind.VERIFY, TaskKind.REPAIR):
        hosts.request_task("h1", kind, "alice")

    assert len(lab.grant_tasks()) == 1
    assert lab.grant_tasks() == []
    (lease,) = lab.open_leases(host)
    assert lease.step == Step.REPAIR.value


def test_a_task_of_a_locked_host_waits(lab):
    host = lab.host("h1", locked=True)
    hosts.request_task("h1", TaskKind.VERIFY, "alice")

    assert lab.grant_tasks() == []
    hosts.unlock("h1")
    assert len(lab.grant_tasks()) == 1
    assert len(lab.open_leases(host)) == 1


def _second_lease(lab, token, **columns):
    first = Lease.get_by_id(token)
    fields = {"host": first.host_id, "entry": None, "lab": lab.row, "incarnation": 1, "step": "verify", **columns}
    return Lease.create(**fields)


def test_the_schema_refuses_a_second_open_lease_of_a_host(lab):
    lab.host("h1", labels=["x"])
    token = lab.granted(lab.entry(needs=["x"]))

    with pytest.raises(peewee.IntegrityError), transaction():
        _second_lease(lab, token)


def test_the_schema_refuses_a_second_open_lease_of_an_entry(lab):
    lab.host("h1", labels=["x"])
    other = lab.host("h2")
    entry = lab.entry(needs=["x"])
    token = lab.granted(entry)

    with pytest.raises(peewee.IntegrityError), transaction():
        _second_lease(lab, token, host=other, entry=entry)


def test_a_released_lease_leaves_the_host_to_the_next_with_a_higher_token(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    tokens = []
    for _ in range(3):
        tokens.append(lab.granted(entry))
        lab.run_step(tokens[-1], lab.lost)

    assert tokens == sorted(set(tokens))
    assert not lab.open_leases()


def test_a_claim_that_meets_a_lease_it_did_not_see_takes_another_host(lab, monkeypatch):
    taken, spare = lab.host("h1", labels=["x"]), lab.host("h2", labels=["x"])
    with transaction():
        leases.grant(lab.row, taken.id, None, None, Step.VERIFY, lab.now)
    blind = [leases.Candidate(host.id, host.hostname, frozenset({"x"})) for host in (taken, spare)]
    monkeypatch.setattr(hosts, "free", lambda *_: list(blind))
    entry = lab.entry(needs=["x"])

    assert lab.claim(entry).host_id == spare.id
    assert len(lab.open_leases(taken)) == 1


def test_a_beat_counts_for_open_leases_and_tells_which_are_lost(lab):
    lab.host("h1", labels=["x"])
    lab.host("h2", labels=["x"])
    kept, lost = lab.granted(lab.entry(needs=["x"])), lab.granted(lab.entry(needs=["x"]))
    with transaction():
        leases.release(Lease.get_by_id(lost), "taken back", lab.now)

    assert leases.beat([kept, lost]) == {kept}
    assert Lease.get_by_id(kept).beat == 1
    assert Lease.get_by_id(lost).beat == 0
    assert leases.beat([]) == set()


def test_a_lease_is_released_once(lab):
    lab.host("h1", labels=["x"])
    lease = Lease.get_by_id(lab.granted(lab.entry(needs=["x"])))

    with transaction():
        assert leases.release(lease, "first", lab.now)
        assert not leases.release(lease, "second", lab.later(seconds=1))
    assert Lease.get_by_id(lease.id).release_reason == "first"


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
    assert entries.next_queued(first.queue_key) == first
