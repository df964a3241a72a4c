"""job.json and outcome.json: written whole, read back equal, refused by name when they are something else."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotest import job_file
from autotest.errors import BadResultsFolder
from autotest.host_info import HostInfo
from autotest.job_file import JobFile, StepOutcome
from autotest.states import Step

WORDS = st.lists(st.text(), max_size=3).map(tuple)
JOBS = st.builds(
    JobFile,
    step=st.sampled_from(Step),
    hosts=st.lists(st.builds(HostInfo, hostname=st.text()), max_size=2).map(tuple),
    token=st.integers(0, 2**63),
    tokens=st.lists(st.integers(0, 2**63), max_size=2).map(tuple),
    control_file=st.text(),
    arguments=WORDS,
    args_dict=st.dictionaries(st.text(), st.integers() | st.lists(st.text()), max_size=3),
    test_roots=WORDS,
    job_labels=WORDS,
    deadline_s=st.none() | st.floats(0, 1e6),
)
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@SAME_FOLDER
@given(JOBS)
def test_a_job_file_is_read_back_as_written(tmp_path, job):
    job.write(tmp_path)
    assert JobFile.read(tmp_path) == job
    assert [path.name for path in tmp_path.iterdir()] == [job_file.JOB_FILE]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read"),
        (b"[]", "does not hold a JSON object"),
        (b"{}", "is not a job file: 'step'"),
        (b'{"step": "dance", "hosts": []}', "'dance' is not a valid Step"),
        (b'{"step": "verify", "hosts": [3]}', "a HostInfo is a JSON object"),
        (b'{"step": "verify", "hosts": [], "colour": 1}', "colour"),
        (b'{"step": "verify", "hosts": [], "args_dict": [1]}', "is not a job file"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_folder_with_another_job_file_is_refused(tmp_path, content, reason):
    (tmp_path / job_file.JOB_FILE).write_bytes(content)
    with pytest.raises(BadResultsFolder, match=reason):
        JobFile.read(tmp_path)


def test_a_folder_without_a_job_file_is_refused(tmp_path):
    with pytest.raises(BadResultsFolder, match=str(tmp_path)):
        JobFile.read(tmp_path)


def test_a_job_file_beyond_all_measure_is_refused(tmp_path):
    with (tmp_path / job_file.JOB_FILE).open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(BadResultsFolder, match="larger than"):
        JobFile.read(tmp_path)


def test_an_outcome_is_read_back_as_written(tmp_path):
    outcome = StepOutcome(ok=False, reason="no space", failed_tests=2, found_labels=("cros-version:R1",))
    outcome.write(tmp_path)
    assert StepOutcome.read(tmp_path) == outcome


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"ok": true, "failed_tests": "x"}'])
def test_a_killed_child_leaves_no_outcome(tmp_path, content):
    if content is not None:
        (tmp_path / job_file.OUTCOME_FILE).write_text(content)
    assert StepOutcome.read(tmp_path) is None


def test_a_short_outcome_is_enough(tmp_path):
    (tmp_path / job_file.OUTCOME_FILE).write_text(json.dumps({"ok": True}))
    assert StepOutcome.read(tmp_path) == StepOutcome(ok=True)


def test_each_host_of_a_group_has_the_token_of_its_own_lease():
    hosts = (HostInfo("m1"), HostInfo("m2"))
    group = JobFile(Step.RUN_TEST, hosts, token=11, tokens=(11, 12))
    assert [group.token_of(info.hostname) for info in hosts] == [11, 12]
    assert [group.alone(info) for info in hosts] == [
        JobFile(Step.RUN_TEST, (hosts[0],), token=11),
        JobFile(Step.RUN_TEST, (hosts[1],), token=12),
    ]
    assert JobFile(Step.VERIFY, hosts[:1], token=7).token_of("m1") == 7
