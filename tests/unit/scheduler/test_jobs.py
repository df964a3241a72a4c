"""Jobs are checked argument by argument, then written with all their rows or not at all."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.models.afe import Host, HostQueueEntry, Job, JobDependencyLabel, JobKeyval, Label
from autotest.models.database import transaction
from autotest.scheduler import entries, jobs, labels, leases
from autotest.scheduler.jobs import JobSpec
from autotest.states import ControlType, EntryStatus, HostStatus, Step


def spec(**fields):
    defaults = {
        "name": "sleeptest",
        "control_file": "job.run_test('sleeptest')",
        "control_type": ControlType.CLIENT,
        "owner": "alice",
        "dependencies": ["x"],
    }
    return JobSpec(**{**defaults, **fields})


@pytest.fixture
def host(lab):
    return lab.host("h1", labels=["x", "board:pi4"])


def create(lab, **fields):
    return jobs.create(spec(**fields), lab.now)


def entries_of(job_id):
    return list(HostQueueEntry.select().where(HostQueueEntry.job == job_id).order_by(HostQueueEntry.id))


def test_a_job_is_written_with_keyvals_labels_and_entries(lab, host):
    job_id, (wake,) = create(lab, dependencies=["x", "version:R7"], keyvals={"build": "R7"}, priority=70)

    job = Job.get_by_id(job_id)
    assert (job.owner, job.tag, job.created_on, job.control_type) == ("alice", f"{job_id}-alice", lab.now, 2)
    assert JobKeyval.get().key == "build"
    assert JobDependencyLabel.select().count() == 2
    (entry,) = entries_of(job_id)
    assert (entry.status, entry.meta_host.name, entry.priority) == ("Queued", "x", 70)
    assert (wake.args, wake.step) == ((entry.queue_key,), 2)


def test_one_entry_for_each_host_and_each_metahost(lab, host):
    lab.host("h2", labels=["x"])
    job_id, woken = create(lab, dependencies=[], hosts=["h1"], meta_hosts=["x", "board:pi4"])

    assert [(entry.host_id, entry.meta_host and entry.meta_host.name) for entry in entries_of(job_id)] == [
        (host.id, None),
        (None, "x"),
        (None, "board:pi4"),
    ]
    assert [wake.step for wake in woken] == [1, 5, 5]


@pytest.mark.parametrize(
    ("fields", "error", "problems"),
    [
        ({"name": " "}, errors.ValidationError, {"name": "a job needs a name"}),
        ({"name": "n" * 256}, errors.ValidationError, {"name": "the name has 256 characters, of 255 at most"}),
        ({"control_file": "\n"}, errors.ValidationError, {"control_file": "the control file is empty"}),
        (
            {"dependencies": ["skip_provision"]},
            errors.ValidationError,
            {"arguments": "name hosts, metahosts or dependencies to say where the job runs"},
        ),
        ({"hosts": ["h1", "h1"]}, errors.ValidationError, {"hosts": "a host is named twice"}),
        ({"timeout_mins": 0}, errors.ValidationError, {"timeout_mins": "limits are at least one minute"}),
        ({"max_runtime_mins": 0}, errors.ValidationError, {"timeout_mins": "limits are at least one minute"}),
        (
            {"owner": "../alice"},
            errors.ValidationError,
            {"owner": "'../alice' is not a login: up to 64 letters, digits and _.@+-"},
        ),
        (
            {"owner": ".."},
            errors.ValidationError,
            {"owner": "'..' is not a login: up to 64 letters, digits and _.@+-"},
        ),
        (
            {"keyvals": {"a=b": "c"}},
            errors.ValidationError,
            {"keyvals": "'a=b' is not a key: up to 90 letters, digits and _.-"},
        ),
        (
            {"keyvals": {"a" * 91: "c"}},
            errors.ValidationError,
            {"keyvals": f"{'a' * 40!r} is not a key: up to 90 letters, digits and _.-"},
        ),
        (
            {"keyvals": {"a": "c" * 301}},
            errors.ValidationError,
            {"keyvals": "the value of 'a' has 301 characters, of 300 at most"},
        ),
        ({"dependencies": ["x", " "]}, errors.ValidationError, {"dependencies": "a label has 1 to 255 characters"}),
        ({"meta_hosts": ["m" * 256]}, errors.ValidationError, {"meta_hosts": "a label has 1 to 255 characters"}),
        (
            {"hosts": ["h1"], "dependencies": ["y"]},
            errors.ValidationError,
            {"hosts": "Host(s) failed to meet job dependencies (y): h1"},
        ),
        (
            {"meta_hosts": ["board:pi5"]},
            errors.ValidationError,
            {"meta_hosts": 'Label "board:pi5" not found; nearest: board:pi4'},
        ),
        (
            {"meta_hosts": ["board:pi4"], "dependencies": ["y"]},
            errors.NoEligibleHost,
            {"meta_hosts": "No hosts within board:pi4 satisfy y."},
        ),
        (
            {"dependencies": ["y"]},
            errors.NoEligibleHost,
            {"meta_hosts": "No hosts within the inventory satisfy y."},
        ),
        (
            {"meta_hosts": ["nobody"], "dependencies": []},
            errors.NoEligibleHost,
            {"meta_hosts": "No hosts within nobody are known."},
        ),
    ],
)
def test_what_cannot_run_is_refused_by_argument_and_leaves_nothing(lab, host, fields, error, problems):
    Label.create(name="nobody")

    with pytest.raises(errors.ValidationError) as caught:
        create(lab, **fields)

    assert type(caught.value) is error
    assert caught.value.problems == problems
    assert Job.select().count() == 0


def test_all_problems_are_told_at_once(lab):
    with pytest.raises(errors.ValidationError) as caught:
        create(lab, name="", control_file="", owner="", dependencies=[])

    assert set(caught.value.problems) == {"name", "control_file", "owner", "arguments"}


def test_unknown_hosts_are_named(lab, host):
    lab.host("gone", invalid=True)

    with pytest.raises(errors.NotFound, match=r"^The following hosts do not exist: ghost, gone$"):
        create(lab, dependencies=[], hosts=["h1", "ghost", "gone"])


def test_a_host_of_another_group_is_refused(lab, host):
    lab.host("h2", groups=["phones"])

    with pytest.raises(errors.ValidationError) as caught:
        create(lab, dependencies=[], hosts=["h1", "h2"])

    assert caught.value.problems == {"hosts": "alice does not have access to h2"}


def test_labels_that_ask_for_an_action_never_fail_a_check(lab, host):
    job_id, _ = create(lab, dependencies=["skip_provision", "rpm", "version:R9"], hosts=["h1"])

    assert len(entries_of(job_id)) == 1


def test_who_names_a_dead_host_gives_it_another_try(lab, host):
    Host.update(status="Repair Failed", status_reason="no answer").execute()
    create(lab, dependencies=["x"])
    assert lab.status(host) is HostStatus.REPAIR_FAILED

    create(lab, dependencies=[], hosts=["h1"])

    assert lab.status(host) is HostStatus.READY
    assert lab.fresh(host).status_reason == ""


def test_a_dead_host_that_is_being_verified_is_left_alone(lab, host):
    Host.update(status="Repair Failed").execute()
    with transaction():
        leases.grant(lab.row, host.id, None, None, Step.VERIFY, lab.now)

    create(lab, dependencies=[], hosts=["h1"])

    assert lab.status(host) is HostStatus.REPAIR_FAILED


def test_a_new_priority_reaches_the_entries_that_wait(lab, host):
    job_id, _ = create(lab, meta_hosts=["x", "x"], dependencies=[])
    first, second = entries_of(job_id)
    entries.abort([first.id], "bob", "not needed", lab.now)

    (wake,) = jobs.reprioritize(job_id, 80)

    assert (wake.args, wake.step) == ((second.queue_key,), 1)
    assert (lab.fresh(second).priority, lab.fresh(first).priority) == (80, 40)
    assert lab.status(first) is EntryStatus.ABORTED


def test_a_deleted_label_that_a_job_needs_is_alive_again(lab):
    Label.create(name="board:pi6", invalid=True)

    lab.entry(needs=["board:pi6"])

    assert not Label.get(Label.name == "board:pi6").invalid


def test_a_deleted_label_is_no_metahost(lab, host):
    Label.create(name="board:pi6", invalid=True)

    with pytest.raises(errors.ValidationError, match='Label "board:pi6" not found'):
        create(lab, meta_hosts=["board:pi6"])


def test_entries_with_the_same_needs_share_a_queue_and_others_do_not(lab, host):
    one, same, actions, other, bound = (
        lab.entry(needs=["x", "board:pi4"]),
        lab.entry(needs=["board:pi4"], any_of="x"),
        lab.entry(needs=["x", "board:pi4", "version:R7", "skip_provision"]),
        lab.entry(needs=["x"]),
        lab.entry(needs=["x"], host=host),
    )

    assert one.queue_key == same.queue_key == actions.queue_key
    assert len({one.queue_key, other.queue_key, bound.queue_key}) == 3
    assert labels.queue_named(bound.queue_key) == labels.queue_of({"x"}, host.id)


@pytest.fixture
def pair_of_hosts(lab, host):
    return [host, lab.host("h2", labels=["x", "board:pi4"])]


@pytest.mark.parametrize(
    ("where", "metahosts"),
    [
        ({"dependencies": ["x"]}, ["x", "x"]),
        ({"meta_hosts": ["x", "x"]}, ["x", "x"]),
        ({"hosts": ["h1", "h2"]}, [None, None]),
        ({"meta_hosts": ["x"] * 4}, ["x"] * 4),
    ],
)
def test_hosts_that_run_together_wait_in_one_queue(lab, pair_of_hosts, where, metahosts):
    job_id, _ = create(lab, synch_count=2, **where)
    made = entries_of(job_id)
    assert [entry.meta_host and entry.meta_host.name for entry in made] == metahosts
    assert len({entry.queue_key for entry in made}) == 1
    assert labels.queue_named(made[0].queue_key).size == 2
    assert Job.get_by_id(job_id).synch_count == 2


@pytest.mark.parametrize(
    ("fields", "argument"),
    [
        ({"synch_count": 3, "hosts": ["h1", "h2"]}, "hosts"),  # Vector 36
        ({"synch_count": 2, "meta_hosts": ["x"]}, "hosts"),
        ({"synch_count": 2, "hosts": ["h1"], "meta_hosts": ["x"]}, "meta_hosts"),
        ({"synch_count": 2, "meta_hosts": ["x", "board:pi4"]}, "meta_hosts"),
        ({"synch_count": -1}, "synch_count"),
    ],
)
def test_hosts_that_cannot_run_together_are_told_by_argument(lab, pair_of_hosts, fields, argument):
    with pytest.raises(errors.ValidationError) as told:
        create(lab, **fields)
    assert set(told.value.problems) == {argument}
    assert Job.select().count() == 0


def test_a_group_needs_so_many_eligible_hosts_of_one_lab(lab, host):
    attic = type(lab.row).create(name="attic", incarnation=1)
    away = lab.host("h2", labels=["x"], lab=attic)
    with pytest.raises(errors.NoEligibleHost, match="2 hosts are to run together, and only 1 host of one lab"):
        create(lab, synch_count=2)
    with pytest.raises(errors.ValidationError, match="hosts of several labs"):
        create(lab, synch_count=2, hosts=["h1", "h2"])
    Host.update(lab=lab.row).where(Host.id == away.id).execute()
    assert len(entries_of(create(lab, synch_count=2)[0])) == 2


def test_children_that_run_on_several_hosts_have_an_entry_for_each(lab, pair_of_hosts):
    suite = lab.suite(num=5)
    child = spec(meta_hosts=["board:pi4"] * 2, synch_count=2, parent_job_id=suite.id)
    single = spec(meta_hosts=["board:pi4"], parent_job_id=suite.id)
    with transaction():
        made = jobs.insert_children(suite, [child, single], lab.now)
    found = [[entry.queue_key for entry in entries_of(job_id)] for job_id, _ in made]
    assert [len(keys) for keys in found] == [2, 1]
    assert len(set(found[0])) == 1
    assert all(key.endswith(f".{suite.id}") for keys in found for key in keys)
    assert [wake.queue for _, wake in made] == [f"label.{keys[0].partition('.')[0]}" for keys in found]
