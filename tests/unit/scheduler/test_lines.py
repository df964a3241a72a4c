"""Lines: entries come in order of service, from the index, in pages."""

from __future__ import annotations

from autotest.models.afe import Job
from autotest.scheduler import entries, lines


def first_of(key):
    return next((line.first for line in lines.busy() if line.queue.key == key), None)


def test_waiting_entries_come_in_order_of_service_from_any_number_of_pages(lab):
    rows = [lab.entry(needs=["x"], priority=priority) for priority in (40, 10, 40, 80, 40, 10, -5)]
    lab.entry(needs=["y"])
    first = first_of(rows[0].queue_key)

    pages = list(lines.after(rows[0].queue_key, first, page=2))

    assert max(map(len, pages)) == 2
    found = [first, *(entry for page in pages for entry in page)]
    assert [[row.id for row in rows].index(entry.id) for entry in found] == [3, 0, 2, 4, 1, 5, 6]
    assert first_of("0" * 20) is None


def test_busy_queues_come_with_their_first_entry(lab):
    lab.host("h1", labels=["x"])
    old, first = lab.entry(needs=["x"], priority=40), lab.entry(needs=["x"], priority=50, name="b/smoke/wifi")
    gone = lab.entry(needs=["y"])
    entries.abort([gone.id], "alice", "not wanted", lab.now)

    heads = {line.queue.key: line.first for line in lines.busy()}

    assert heads[gone.queue_key] is None
    assert heads[old.queue_key]._replace(owner="") == (
        first.id,
        50,
        first.meta_host_id,
        None,
        first.job_id,
        "",
        "b/smoke/wifi",
        True,
    )


def test_what_is_asked_is_known_for_many_entries_at_once(lab):
    host = lab.host("h1", labels=["x"])
    job = lab.job(owner="alice", run_verify=False)
    done, left = lab.entry(any_of="x", job=job), lab.entry(any_of="x", job=job)
    lab.completed(done)
    waiting = left, lab.entry(needs=["y", "version:R1"])
    Job.update(owner="ghost").where(Job.id == waiting[1].job_id).execute()
    queued = [first_of(entry.queue_key) for entry in waiting]

    asked = lines.asked(queued)

    assert asked[waiting[0].id].wanted == {"x"}
    assert asked[waiting[0].id].refused == {host.id}
    assert asked[waiting[0].id].owner_id is not None
    assert asked[waiting[1].id] == ({"y", "version:R1"}, frozenset(), None, 0)


def test_the_wake_of_a_queued_entry_is_the_same_from_its_line(lab):
    bound = lab.entry(host=lab.host("h1"), priority=80)
    for entry in (bound, lab.entry(needs=["x"])):
        assert lines.wake_of_family(entry.queue_key) == entries.queued_wake(entry)
    assert lines.wake_of_family("0" * 20) is None


def test_queues_are_counted_and_ranked(lab):
    keys = [lab.entry(needs=["x"], priority=priority).queue_key for priority in (40, 80)]
    other = lab.entry(needs=["y"], priority=10).queue_key
    assert lines.highest_priorities() == lines.highest_priority([keys[0], other]) == {keys[0]: 80, other: 10}
