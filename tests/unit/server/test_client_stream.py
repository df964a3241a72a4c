"""Tests of autotest.server.client_stream: what a DUT reports is checked, whole, and never doubled."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotest import errors
from autotest.server import client_stream
from autotest.server.client_stream import ClientStream

LOG = (
    b"START\t----\t----\ttimestamp=7\tlocaltime=x\t\n"
    b"\tSTART\tpas\tpas\ttimestamp=7\tlocaltime=x\t\n"
    b"\t\tFAIL\tpas\tpas\ttimestamp=7\tlocaltime=x\tboom\n"
    b"  Traceback\n"
    b"\tEND FAIL\tpas\tpas\ttimestamp=7\tlocaltime=x\t\n"
    b"END GOOD\t----\t----\ttimestamp=7\tlocaltime=x\t\n"
)
EXIT = b"AUTOTEST_EXIT:0\n"
SHOWN = ["START", "»START pas", "»»FAIL pas boom", "  Traceback", "»END FAIL pas", "END GOOD"]


@pytest.fixture
def stream(server_job):
    return ClientStream("h1", server_job)


def test_entries_are_recorded_with_their_own_time_and_the_exit_code_is_kept(stream, server_job, shown):
    stream.feed(LOG + EXIT)

    assert shown() == SHOWN
    assert stream.exit_code == "0"
    assert stream.last.code == "END GOOD"
    assert "timestamp=7\t" in (server_job.folder / "status.log").read_text()


def test_entries_stand_below_the_groups_of_the_server(server_job, shown):
    with server_job.group("outer"):
        ClientStream("h1", server_job).feed(LOG)

    assert shown()[:3] == ["START outer", "»START", "»»START pas"]


def test_a_torn_line_is_asked_for_again(stream, shown):
    stream.feed(LOG[:100])
    offset = stream.begin()
    stream.feed(LOG[offset:] + EXIT)

    assert shown() == SHOWN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, len(LOG)), max_size=6))
def test_a_stream_cut_anywhere_and_followed_from_the_offset_loses_and_doubles_nothing(tmp_path_factory, cuts):
    from autotest.job_file import JobFile
    from autotest.server.job import ServerJob
    from autotest.states import Step

    folder = tmp_path_factory.mktemp("job")
    stream = ClientStream("h1", ServerJob(folder, JobFile(Step.RUN_TEST, ())))
    for cut in cuts:
        offset = stream.begin()
        stream.feed(LOG[offset : max(offset, cut)])
    stream.feed(LOG[stream.begin() :] + EXIT)

    lines = (folder / "status.log").read_bytes().splitlines()
    assert [line for line in lines if not line.startswith(b"  ")] == [
        line for line in LOG.splitlines() if not line.startswith(b"  ")
    ]


def test_a_status_file_that_lost_its_tail_is_followed_from_its_end(stream):
    stream.feed(LOG)

    stream.resume(50)

    assert stream.begin() == 50


def test_a_client_that_was_started_again_is_not_rebooting_any_more(stream):
    stream.feed(b"START\t----\treboot\t\n\tGOOD\t----\treboot.start\t\n")

    stream.resume(1000)

    assert not stream.is_rebooting


def test_a_reboot_is_known_by_its_last_word(stream):
    stream.feed(b"START\t----\treboot\t\n\tGOOD\t----\treboot.start\t\n")
    assert stream.is_rebooting
    stream.feed(b"END GOOD\t----\treboot\t\n")
    assert not stream.is_rebooting


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"PASS\t----\tx\t",
        b"END GOOD\t----\t----\t",
        b"GOOD\t../../etc\tx\t",
        b"GOOD\t----\tx\ttimestamp=soon\t",
        b"GOOD\t----\tx\ttimestamp=99999999999999999999\t",
        b"\xff\xfe\t\x00\t\x01\t",
    ],
)
def test_what_is_no_entry_is_left_out_and_the_rest_goes_on(stream, server_job, shown, line):
    stream.feed(line + b"\n" + LOG)

    assert shown() == SHOWN


def test_a_client_that_talks_nonsense_is_given_up(stream):
    with pytest.raises(errors.ClientProtocolError, match="h1 reported 21 bad status entries"):
        stream.feed(b"nonsense\n" * 100)


def test_a_line_without_end_is_given_up(stream):
    stream.feed(b"x" * 1024 * 1024)

    with pytest.raises(errors.ClientProtocolError, match="h1: a status line is longer"):
        stream.feed(b"x")


def test_endless_status_is_given_up(stream, monkeypatch):
    monkeypatch.setattr(client_stream, "_MOST_BYTES", 1000)

    stream.feed(b"INFO\t----\t----\thello\n" * 40)

    with pytest.raises(errors.OutputFlood, match="h1 reported more than 1000 bytes"):
        stream.feed(b"INFO\t----\t----\thello\n" * 20)
