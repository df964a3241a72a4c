"""Settings: a file, the environment over it, and a clear refusal of everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotest import settings
from autotest.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "autotest.toml"
        path.write_text(text)
        return path

    return write


def test_without_a_file_the_defaults_hold(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = settings.load(environment={})
    assert found == settings.Settings()
    assert found.source == "defaults"


def test_a_file_is_typed_and_named(file):
    path = file('root = "/lab"\nlease_length = 60\nmax_requeues = 1\n')
    found = settings.load(path, environment={})
    assert (found.root, found.lease_length, found.max_requeues) == (Path("/lab"), 60.0, 1)
    assert isinstance(found.lease_length, float)
    assert found.source == str(path)


def test_the_environment_names_a_file_and_overrides_it(file):
    path = file('root = "/lab"\nbeat_every = 9\n')
    found = settings.load(environment={"AUTOTEST_CONFIG": str(path), "AUTOTEST_BEAT_EVERY": "1.5"})
    assert (found.root, found.beat_every) == (Path("/lab"), 1.5)


def test_everything_has_a_place_below_root():
    found = settings.Settings(root=Path("/lab"))
    assert found.database_url == "sqlite:////lab/autotest.db"
    assert (found.results_dir, found.builds_dir) == (Path("/lab/results"), Path("/lab/builds"))


def test_named_places_win_over_root():
    found = settings.Settings(root=Path("/lab"), database="mysql://h/n", results="/big/results", builds="/big/builds")
    assert found.database_url == "mysql://h/n"
    assert (found.results_dir, found.builds_dir) == (Path("/big/results"), Path("/big/builds"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("colour = 1\n", "unknown key 'colour'; known: beat_every"),
        ("root = \n", "is not TOML"),
        ("beat_every = true\n", "beat_every must be a number, not True"),
        ('max_requeues = "many"\n', "max_requeues must be int, not 'many'"),
        ('source = "elsewhere"\n', "unknown key 'source'"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_key(file, text, reason):
    path = file(text)
    with pytest.raises(ConfigError, match=f"{path}.*{reason}"):
        settings.load(path, environment={})


def test_a_bad_variable_is_refused(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="environment: step_due must be float, not 'soon'"):
        settings.load(environment={"AUTOTEST_STEP_DUE": "soon"})


def test_a_named_file_must_be_there():
    with pytest.raises(ConfigError, match=r"/nowhere/a\.toml cannot be read: No such file"):
        settings.load(environment={"AUTOTEST_CONFIG": "/nowhere/a.toml"})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://lab:secret@db:3306/autotest", "mysql://lab:***@db:3306/autotest"),
        ("redis://:secret@broker/0", "redis://:***@broker/0"),
        ("redis://broker:6379/0", "redis://broker:6379/0"),
        ("sqlite:////lab/autotest.db", "sqlite:////lab/autotest.db"),
    ],
)
def test_passwords_are_never_shown(url, shown):
    assert settings.shown(url) == shown
