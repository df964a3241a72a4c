"""The vectors: every case, of both versions, parses to what upstream's parser made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from autotest.results import command

VECTORS = Path(__file__).parents[2] / "vectors"
CASES = {
    f"{path.parent.name}/{path.stem}": case
    for path in sorted(VECTORS.glob("status_logs*/*.json"))
    if (case := json.loads(path.read_text()))
}


def test_the_vectors_are_all_here():
    assert len(CASES) == 40 + 31


@pytest.mark.parametrize("name", CASES)
def test_a_vector_parses_to_what_upstream_made_of_it(name, files):
    case = CASES[name]
    folder = files(case["files"]) / case["job_dir"]

    run = CliRunner().invoke(command.results, ["parse", "--strict", "--json", "--full", str(folder)])

    assert run.exit_code == 0
    found = json.loads(run.stdout)
    assert found["tests"] == case["expected"]
    assert found["kernels"] == case["expected_kernels"]
    assert found["job"] == case["expected_job"]


#: By default a test of version 0 that a cut log leaves open is a result, too (docs/decisions/0034).
CUT = "status_logs/v0_crash_open_groups_01"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.get("quirks") == [] and name != CUT])
def test_without_quirks_the_default_agrees_in_names_and_subdirs(name, files):
    case = CASES[name]
    folder = files(case["files"]) / case["job_dir"]

    run = CliRunner().invoke(command.results, ["parse", "--json", str(folder)])

    names = [(test["testname"], test["subdir"]) for test in json.loads(run.stdout)]
    assert names == [(test["testname"], test["subdir"]) for test in case["expected"]]
