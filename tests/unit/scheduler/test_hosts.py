"""Hosts come into the inventory, are locked and unlocked, and are read back as HostInfo."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.models.afe import AclGroup, AclGroupHost, Host, SpecialTask
from autotest.models.database import transaction
from autotest.models.lab import Lab
from autotest.scheduler import hosts, labels
from autotest.states import TaskKind


def put(info, lab_row):
    with transaction():
        return hosts.put(info, lab_row)


INFO = HostInfo(
    "rack1-host3",
    labels=frozenset({"board:pi4", "wifi"}),
    attributes={"address": "10.0.0.3", "port": "2222"},
    platform="pi4",
    protection=1,
)


def test_a_new_host_reads_back_as_it_was_given(lab):
    host = put(INFO, lab.row)

    read = hosts.info(host)

    assert read == HostInfo(INFO.hostname, INFO.labels | {"pi4"}, INFO.attributes, "pi4", 1)
    assert (host.lab_id, host.status) == (lab.row.id, "Ready")
    groups = AclGroup.select(AclGroup.name).join(AclGroupHost).where(AclGroupHost.host == host.id)
    assert [group.name for group in groups] == ["Everyone"]


def test_a_host_without_attributes_reads_back_without(lab):
    assert hosts.info(put(HostInfo("h1"), lab.row)) == HostInfo("h1")


def test_a_host_put_again_is_brought_to_what_it_is_now(lab):
    first = put(INFO, lab.row)

    again = put(HostInfo(INFO.hostname, labels=frozenset({"board:pi5"}), attributes={"port": "22"}), lab.row)

    assert again.id == first.id
    assert hosts.info(again) == HostInfo(INFO.hostname, frozenset({"board:pi5"}), {"port": "22"})


def test_versions_that_a_provisioner_put_there_stay(lab):
    host = put(INFO, lab.row)
    with transaction():
        hosts.set_labels(host.id, {"board:pi4", "version:R7"})

    put(INFO, lab.row)

    assert labels.of_hosts([host.id])[host.id] == {"board:pi4", "wifi", "pi4", "version:R7"}


def test_a_deleted_host_that_comes_back_keeps_its_id(lab):
    host = put(INFO, lab.row)
    Host.update(invalid=True, lab=None).execute()

    assert put(INFO, lab.row).id == host.id
    assert not lab.fresh(host).invalid


def test_a_host_belongs_to_one_lab(lab):
    put(INFO, lab.row)

    with pytest.raises(errors.HostBusy, match="rack1-host3 belongs to lab desk; remove it there before lab attic"):
        put(INFO, Lab.create(name="attic"))
    put(INFO, None)
    assert hosts.named("rack1-host3").lab_id == lab.row.id


@pytest.mark.parametrize("hostname", ["", "..", "../h1", "a/b", "a b", "a\nb", ".hidden", "x" * 300])
def test_what_cannot_name_a_folder_is_no_hostname(lab, hostname):
    with pytest.raises(errors.ValidationError, match="is not a hostname"):
        put(HostInfo(hostname), lab.row)
    assert Host.select().count() == 0


def test_a_lab_that_starts_is_a_new_incarnation_with_its_hosts(lab):
    first = hosts.start_lab("attic", "node:1", [INFO], lab.now)
    second = hosts.start_lab("attic", "node:2", [INFO], lab.later(hours=1))

    assert (first.id, first.incarnation) == (second.id, 1)
    assert (second.incarnation, second.worker, second.seen_at) == (2, "node:2", lab.now)
    assert Host.select().count() == 1


def test_a_lab_with_a_host_of_another_lab_does_not_start(lab):
    put(INFO, lab.row)

    with pytest.raises(errors.HostBusy):
        hosts.start_lab("attic", "node:1", [HostInfo("h9"), INFO], lab.now)
    assert Lab.get_or_none(Lab.name == "attic") is None
    assert Host.get_or_none(Host.hostname == "h9") is None


def test_a_lock_says_who_why_and_when(lab):
    host = lab.host("h1")

    hosts.lock("h1", "bob", "a new antenna", lab.now)

    row = lab.fresh(host)
    assert (row.locked, row.locked_by.login, row.lock_reason, row.lock_time) == (True, "bob", "a new antenna", lab.now)
    with pytest.raises(errors.HostBusy, match=r"h1 is locked by bob \(a new antenna\); unlock it first"):
        hosts.lock("h1", "carol", "mine", lab.now)


def test_a_lock_needs_a_reason(lab):
    lab.host("h1")

    with pytest.raises(errors.ValidationError, match="say why h1 is locked"):
        hosts.lock("h1", "bob", " ", lab.now)


def test_an_unlocked_host_forgets_its_lock(lab):
    host = lab.host("h1")
    hosts.lock("h1", "bob", "a new antenna", lab.now)

    assert hosts.unlock("h1") == []

    row = lab.fresh(host)
    assert (row.locked, row.locked_by, row.lock_reason, row.lock_time) == (False, None, "", None)
    with pytest.raises(errors.ValidationError, match="h1 is not locked"):
        hosts.unlock("h1")


@pytest.mark.parametrize(
    "ask",
    [
        lambda lab: hosts.lock("ghost", "bob", "why", lab.now),
        lambda lab: hosts.unlock("ghost"),
        lambda lab: hosts.request_task("ghost", TaskKind.VERIFY, "bob"),
    ],
)
def test_a_host_that_is_not_there_is_named(lab, ask):
    with pytest.raises(errors.NotFound, match="no host is called 'ghost'; see: autotest host list"):
        ask(lab)


def test_a_task_that_already_waits_is_not_asked_for_twice(lab):
    lab.host("h1")

    first = hosts.request_task("h1", TaskKind.VERIFY, "bob")

    assert hosts.request_task("h1", TaskKind.VERIFY, "carol") == first
    assert hosts.request_task("h1", TaskKind.REPAIR, "carol") != first
    assert SpecialTask.select().count() == 2
    lab.grant_tasks()
    lab.begin(lab.open_leases()[0].id)
    assert hosts.request_task("h1", TaskKind.REPAIR, "carol") > first + 1


def test_a_freed_host_wakes_the_queues_that_it_could_serve(lab):
    host = lab.host("h1", labels=["x", "y"])
    fitting = [lab.entry(needs=["x"]), lab.entry(needs=["x", "y"]), lab.entry(host=host)]
    lab.entry(needs=["z"])

    assert {wake.args for wake in hosts.freed([host.id])} == {(entry.queue_key,) for entry in fitting}
    assert hosts.freed([]) == []


def test_a_host_that_its_lab_names_no_more_gets_no_work_and_may_go_to_another_lab(lab):
    desk = hosts.start_lab("attic", "node:1", [INFO, HostInfo("h9")], lab.now)
    assert {each.hostname for each in hosts.free(desk.id)} == {INFO.hostname, "h9"}

    assert hosts.keep_only(desk, ["h9"]) == [INFO.hostname]
    assert hosts.keep_only(desk, ["h9"]) == []
    assert {each.hostname for each in hosts.free(desk.id)} == {"h9"}
    assert hosts.named(INFO.hostname).lab is None
    assert hosts.put(INFO, hosts.start_lab("cellar", "node:2", [], lab.now)).lab.name == "cellar"
