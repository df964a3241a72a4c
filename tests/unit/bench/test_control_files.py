"""The bench of control files at its small size: one value a run for each figure, and nothing is left behind."""

from __future__ import annotations

import tempfile

from autotest.bench import command, control_files
from autotest.bench.installation import Plan


def test_a_small_run_gives_one_value_a_run_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    figures = control_files.run(Plan(runs=2, full=False))
    assert [(len(figure.values), len(figure.bare)) for figure in figures] == [(2, 2), (2, 0), (2, 2)]
    assert all(figure.median > 0 for figure in figures)
    assert list(tmp_path.iterdir()) == []
    assert "control-files" in command.BENCHES
