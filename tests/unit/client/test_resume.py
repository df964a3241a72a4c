"""After an unexpected death: the log tells what to close."""

from __future__ import annotations

from autotest.client import resume, status_log
from autotest.client.status_log import StatusEntry, StatusLogger


def codes(folder):
    return [entry.code for entry in status_log.read_file(str(folder / "status"))]


def test_a_log_that_stops_in_a_line_is_mended(tmp_path):
    StatusLogger(str(tmp_path)).record(StatusEntry("START"))
    whole = (tmp_path / "status").read_text()
    (tmp_path / "status").write_text(whole + "\tGOOD\tt\tt")
    assert resume.reopen(str(tmp_path)).depth == 1
    assert (tmp_path / "status").read_text() == whole


def test_tests_fail_and_other_groups_abort_innermost_first(tmp_path):
    log = StatusLogger(str(tmp_path))
    for entry in (StatusEntry("START"), StatusEntry("START", "", "group"), StatusEntry("START", "t", "t")):
        log.record(entry)
    resume.close_interrupted(resume.reopen(str(tmp_path)), keep=1)
    assert codes(tmp_path)[3:] == ["FAIL", "END FAIL", "ABORT", "END ABORT"]
    assert "unexpected reboot" in (tmp_path / "t" / "status").read_text()


def test_logs_of_tasks_come_home_in_order_each_closed(tmp_path):
    StatusLogger(str(tmp_path)).record(StatusEntry("START"))
    for number in (10, 2):
        task = StatusLogger(str(tmp_path), f"status.{number}", depth=1, copy_name="status")
        task.record(StatusEntry("START", f"t{number}", f"t{number}"))
    logger = resume.reopen(str(tmp_path))
    resume.merge_tasks(logger)
    log = (tmp_path / "status").read_text()
    assert codes(tmp_path) == ["START", "START", "FAIL", "END FAIL", "START", "FAIL", "END FAIL"]
    assert log.index("t2") < log.index("t10")
    assert logger.depth == 1
    assert [path.name for path in tmp_path.glob("status*")] == ["status"]
