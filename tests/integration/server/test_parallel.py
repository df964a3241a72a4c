"""A server control file on several DUTs at once: each under its own lease, also on hosts that were made before."""

from __future__ import annotations

import pytest

CONTROL = """
made = {name: hosts.create_host(name) for name in machines}
for host in made.values():
    host.run('true')

def work(machine):
    host = made[machine]
    job.record('GOOD', None, 'token', host.run_output('cat %s/lease' % host.client_dir))

parallel_simple(work, machines)
for host in made.values():
    job.record('GOOD', None, 'after', host.run_output('cat %s/lease' % host.client_dir))
"""


@pytest.fixture
def two_duts(lab, numbers):
    return [lab.dut(f"dut{next(numbers)}") for _ in range(2)]


def test_each_dut_is_fenced_by_its_own_lease_and_connections_survive_the_fork(two_duts, run):
    infos = [dut.info for dut in two_duts]

    done = run("run_test", *infos, token=11, tokens=(11, 12), control_file=CONTROL, control_type="server")

    assert done.outcome.ok, done.outcome
    assert done.lines == ["GOOD after 11", "GOOD after 12"]
    for info, token in zip(infos, (11, 12), strict=True):
        log = (done.folder / info.hostname / "status.log").read_text()
        assert log.rstrip().endswith(f"\t{token}")


def test_a_newer_lease_on_one_dut_stops_the_job_of_both(two_duts, run):
    infos = [dut.info for dut in two_duts]
    assert run("run_test", infos[1], token=99, control_file=CONTROL, control_type="server").outcome.ok

    done = run("run_test", *infos, token=11, tokens=(11, 12), control_file=CONTROL, control_type="server")

    assert not done.outcome.ok
    assert "is held by lease 99" in done.outcome.reason
