"""A host that cannot be provisioned: what the provision left is what the job shows."""

from __future__ import annotations

from autotest.models import database, tko
from autotest.models.afe import Host, HostAttribute
from autotest.states import EntryStatus


def test_a_provision_that_fails_for_good_is_the_result_of_its_job(lab):
    with database.connection():
        host = Host.get(Host.hostname == "dut1")
        for attribute, value in (("provisioner", "stub"), ("stub_provision", "fail")):
            HostAttribute.create(host=host, attribute=attribute, value=value)

    job_id = lab.job(needs=["board:sim", "os-version:12.4"])
    lab.wait_for(job_id, EntryStatus.FAILED)

    with database.connection():
        rows = tko.TestResult.select().join(tko.TkoJob).where(tko.TkoJob.afe_job_id == job_id)
        found = {row.test: (row.status.word, row.reason) for row in rows}
    told = "provision of dut1 failed: dut1: the stub provisioner was told to fail"
    assert found == {"SERVER_JOB": ("FAIL", told), "provision": ("FAIL", told)}
    assert "the stub provisioner was told to fail" in (lab.results(job_id) / "debug" / "autoserv.DEBUG").read_text()
