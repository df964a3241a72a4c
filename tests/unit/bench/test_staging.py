"""The staging bench at its small size: what it stages is staged, and nothing is left behind."""

from __future__ import annotations

import tempfile

from autotest.bench import command, staging
from autotest.bench.installation import Plan


def test_a_small_run_gives_one_value_a_run_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    for figure in staging.run(Plan(runs=2, full=False)):
        assert (len(figure.values), len(figure.bare)) == (2, 2)
        assert figure.median > 0
        assert figure.target is None
    assert list(tmp_path.iterdir()) == []
    assert "staging" in command.BENCHES
