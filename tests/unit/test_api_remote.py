"""The RPC's create_suite_job: the original's names, its answer -1, and its errors."""

from __future__ import annotations

import pytest

from autotest import api_remote, api_suites, errors
from autotest.models import database
from autotest.models.afe import JobKeyval

BUILD = "pi4-release/R1-1.0"


@pytest.fixture
def lab(installation):
    installation.build()
    installation.host("rack1-h1", ["board:pi4", "pool:suites"])
    return installation


def test_a_suite_is_created_under_the_names_of_the_rpc(lab):
    job_id = api_remote.create_suite_job(name="smoke", builds={"cros-version": BUILD}, pool="suites", timeout=2)

    job = lab.job(job_id)
    assert (job.name, job.timeout_mins) == (f"{BUILD}-test_suites/control.smoke", 120)
    with database.connection():
        assert JobKeyval.get(JobKeyval.job == job_id, JobKeyval.key == "board").value == "pi4"


def test_what_the_rpc_does_not_know_is_named_and_has_no_effect(lab, caplog):
    assert api_remote.create_suite_job(name="smoke", board="pi4", build=BUILD, suite_name="bvt", sharding_factor=3) > 0
    assert "create_suite_job for suite 'smoke': no such argument: sharding_factor, suite_name" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"build": "pi4-release/R9-9.9"}, errors.StageBuildFailure),
        ({"name": "smok"}, errors.ControlFileNotFound),
        ({"control_file": " "}, errors.ControlFileEmpty),
        ({"control_file": "\ud800"}, errors.ControlFileMalformed),
        ({"board": "pi5"}, errors.NoEligibleHost),
        ({"timeout": "soon"}, errors.ValidationError),
    ],
)
def test_what_the_caller_can_answer_is_raised(lab, arguments, error):
    with pytest.raises(error):
        api_remote.create_suite_job(**{"name": "smoke", "board": "pi4", "build": BUILD, **arguments})


def test_trouble_of_the_installation_is_minus_one_and_stands_in_the_log(monkeypatch, caplog):
    def refuse(suite_name):
        raise errors.DatabaseUnreachable("the database does not answer")

    monkeypatch.setattr(api_suites, "create_suite_job", refuse)

    assert api_remote.create_suite_job("smoke") == api_remote.NOT_CREATED == -1
    assert "suite 'smoke' is not created: the database does not answer" in caplog.text
