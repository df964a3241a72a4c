"""Every bench runs at its small size: what it measures is there, positive, and nothing is left behind."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from autotest import errors
from autotest.bench import claim, command, fan_out, installation, no_op_worker, paper_lab, parser, questions, tko_rows
from autotest.bench.installation import Plan
from autotest.job_file import JobFile, StepOutcome
from autotest.models import database, schema, tko
from autotest.models.afe import HostQueueEntry
from autotest.scheduler import hosts, labels
from autotest.states import Step

SMALL = Plan(runs=2, full=False)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Everything that a bench writes lies below its own folder, and that is gone in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(tmp_path.glob("autotest-bench-*"))


@pytest.mark.parametrize("bench", [claim, fan_out, parser, questions])
def test_a_small_run_gives_one_value_a_run(bench):
    for figure in bench.run(SMALL):
        assert len(figure.values) == 2
        assert figure.median > 0
        assert figure.target is None


def test_the_command_writes_json(tmp_path):
    file = tmp_path / "parser.json"

    done = CliRunner().invoke(command.bench, ["parser", "--runs", "1", "--size", "small", "--json", str(file)])

    assert done.exit_code == 0, done.output
    (report,) = json.loads(file.read_text())
    assert (report["bench"], report["size"], report["database"]) == ("parser", "small", "sqlite")
    assert report["figures"][0]["bare"]["median"] > 0


def test_an_unknown_bench_is_refused():
    assert CliRunner().invoke(command.bench, ["speed"]).exit_code == 2


def test_a_database_that_is_not_empty_is_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path / 'somebodys.db'}"
    database.connect(url)
    with database.connection():
        database.db.execute_sql("CREATE TABLE precious (x INTEGER)")

    with pytest.raises(errors.ConfigError, match="not empty"), installation.fresh(Plan(database=url), False):
        pass


def test_each_label_set_of_the_paper_lab_has_hosts_and_an_even_share_of_the_entries():
    with installation.fresh(SMALL, with_broker=False), database.connection():
        lab = paper_lab.register(40)
        keys = paper_lab.queue_entries(60)

        assert [HostQueueEntry.select().where(HostQueueEntry.queue_key == key).count() for key in keys] == [3] * 20
        queues = [labels.queue_named(key) for key in keys]
        assert [len(hosts.free(lab.id, queue)) for queue in queues] == [4] * 10 + [2] * 10


def test_the_no_op_launcher_lets_a_step_succeed_and_notes_when(tmp_path):
    launcher = no_op_worker.NoOpLauncher(tmp_path / "steps", 0.0)
    JobFile(Step.VERIFY, (), token=7).write(tmp_path)

    assert launcher.run(tmp_path).cause == "ended"

    assert StepOutcome.read(tmp_path) == StepOutcome(ok=True)
    (ran,) = no_op_worker.read(tmp_path / "steps")
    assert (ran.token, ran.step) == (7, "verify")
    assert ran.began <= ran.ended
    launcher.close()
    assert launcher.run(tmp_path).cause == "killed"


def test_the_same_seed_gives_the_same_results(tmp_path):
    tables = []
    for name in ("first", "second"):
        url = f"sqlite:///{tmp_path / name}.db"
        done = CliRunner().invoke(tko_rows.main, [url, "--rows", "2000"])
        assert done.exit_code == 0, done.output
        assert "2,046 test rows, builds R100-14000.0.0 to R100-14000.0.0" in done.output
        database.connect(url)
        with database.connection():
            rows = tko.TestResult.select().order_by(tko.TestResult.test_idx)
            tables.append(list(rows.tuples()))
            assert schema.differences() == []

    assert tables[0] == tables[1]
    again = CliRunner().invoke(tko_rows.main, [url])
    assert again.exit_code == 1
    assert "has results already; nothing was written" in again.output
