"""The demo writes into one folder of its own, and into nobody else's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from autotest import errors, settings
from autotest.demo.installation import BUILD, Installation

TESTS = Path(__file__).parents[3]


def test_everything_is_below_one_folder_and_the_build_is_staged(tmp_path):
    made = Installation(tmp_path / "demo", TESTS)
    made.lay_out()
    config = settings.load(made.settings_file, {})
    assert config.root_dir == tmp_path / "demo" / "root"
    assert (config.builds_dir / BUILD / "control" / "sleeptest" / "control").is_file()
    assert stat.S_IMODE(made.settings_file.stat().st_mode) == 0o600


def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(errors.ConfigError, match="not a demo's"):
        Installation(tmp_path, TESTS).lay_out()
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_former_demo_is_replaced(tmp_path):
    first = Installation(tmp_path / "demo", TESTS)
    first.lay_out()
    (first.folder / "root" / "old").touch()
    first.release()
    Installation(tmp_path / "demo", TESTS).lay_out()
    assert not (tmp_path / "demo" / "root" / "old").exists()


def test_a_folder_in_which_a_demo_runs_is_refused(tmp_path):
    first = Installation(tmp_path / "demo", TESTS)
    first.lay_out()
    with pytest.raises(errors.ConfigError, match="a demo runs in"):
        Installation(tmp_path / "demo", TESTS).lay_out()
    first.release()


def test_a_place_without_tests_is_named(tmp_path):
    with pytest.raises(errors.ConfigError, match="holds no control/"):
        Installation(tmp_path / "demo", tmp_path).lay_out()


def test_settings_from_outside_do_not_reach_the_demos_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOTEST_DATABASE", "sqlite:////elsewhere")
    made = Installation(tmp_path / "demo", TESTS)
    assert [name for name in made.environment if name.startswith("AUTOTEST_")] == ["AUTOTEST_CONFIG"]
