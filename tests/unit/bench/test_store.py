"""The bench of the store, small: it measures what it says, and writes the rows that it compares with."""

from __future__ import annotations

import tempfile

from autotest.bench import store
from autotest.bench.installation import Plan


def test_a_small_run_gives_one_value_a_run_of_each_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    new, against, again, small = store.run(Plan(runs=2, full=False))

    for figure in (new, against, again, small):
        assert len(figure.values) == len(figure.bare) == 2
        assert min(*figure.values, *figure.bare) > 0
        assert figure.target is None
    assert "5 tests, 250 perf values" in new.name
    assert not list(tmp_path.iterdir())
