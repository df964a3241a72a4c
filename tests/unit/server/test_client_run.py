"""A client run believes no number that a DUT makes up."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.server.client_run import ClientRun
from autotest.server.hosts.stub import StubHost

NUMBERS = ["\u00b2", "-1", "9" * 5000, "", "12 34"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_client_that_starts_as_no_process_group_is_told(server_job, number):
    dut = StubHost({" start ": f"started {number}\n"})

    with pytest.raises(errors.ClientProtocolError, match="stub: the client did not start but said"):
        ClientRun(dut, server_job, server_job.folder).execute()


@pytest.mark.parametrize("size", NUMBERS)
def test_a_size_that_is_no_number_is_no_reason_to_read_again(server_job, size):
    """After a reboot; the client then ends."""
    dut = StubHost(
        {
            " start ": "started 77\n",
            " follow ": [errors.HostUnreachable("stub", "gone"), "AUTOTEST_EXIT:1\n"],
            "wc -c": size,
            "boot_id": ["before\n", "after\n"],
        }
    )

    with pytest.raises(errors.JobAborted, match="ended with 1 before its job was done"):
        ClientRun(dut, server_job, server_job.folder).execute()
    assert sum("wc -c" in command for command in dut.commands) == 2
