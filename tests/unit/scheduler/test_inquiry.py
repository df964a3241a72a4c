"""Inquiry: an entry that waits says why, also where hosts are kept for somebody else."""

from __future__ import annotations

from autotest.models.lab import Lab
from autotest.scheduler import inquiry, listing


def why(lab, entry):
    Lab.update(seen_at=lab.now).execute()
    row = lab.fresh(entry)
    return inquiry.why_waiting(row, row.job, listing.states(lab.now), lab.now, 30)


def test_an_entry_whose_suite_has_all_its_machines_names_the_suite(lab):
    for name in ("h1", "h2"):
        lab.host(name, labels=["x"])
    suite = lab.suite(num=1)
    first, second = [lab.entry(needs=["x"], parent_job_id=suite.id) for _ in range(2)]
    lab.granted(first)
    assert why(lab, second).summary == f"suite job {suite.id} holds 1 of the 1 machine that it may (num)"


def test_a_host_that_is_kept_for_a_group_names_its_job(lab):
    hosts = [lab.host(name, labels=["x"]) for name in ("h1", "h2")]
    lab.granted(lab.entry(host=hosts[0]))
    group = lab.group(2, needs=["x"])
    single = lab.entry(needs=["x"])
    lab.later(minutes=2)
    assert why(lab, single).blocked["h2"].text == f"kept for job {group[0].job_id}, which runs on 2 hosts at once"
    assert why(lab, group[0]).free == ("h2",)


def test_a_host_that_is_kept_for_a_suite_below_its_minimum_says_so(lab):
    lab.host("h1", labels=["x", "y"])
    suite = lab.suite(suite_min_duts=1)
    child = lab.entry(needs=["x"], parent_job_id=suite.id)
    other = lab.entry(needs=["y"])
    assert why(lab, other).blocked["h1"].text == f"kept for job {child.job_id}, which is of a suite below its minimum"


def test_a_group_of_named_hosts_names_them_all(lab):
    hosts = [lab.host(name) for name in ("h10", "h2")]
    group = lab.group(2, named=hosts)
    found = why(lab, group[0])
    assert found.host == "h2, h10"
    assert found.summary.startswith("host h2, h10, 2 of one lab are needed at once; free and about to be claimed")


def test_queues_tell_lines_of_suites_and_groups(lab):
    lab.host("h1", labels=["x"])
    suite = lab.suite(num=1)
    lab.entry(needs=["x"], parent_job_id=suite.id)
    lab.group(2, needs=["x"])
    shown = {(row["suite_job_id"], row["together"]): row["entries"] for row in listing.queues(lab.now, 30)}
    assert shown == {(suite.id, 1): 1, (None, 2): 2}
