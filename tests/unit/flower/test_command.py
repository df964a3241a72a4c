"""``autotest flower``: on loopback without a password, elsewhere only with one, which no argument holds."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from autotest import errors
from autotest.flower import app
from autotest.flower.command import flower


@pytest.fixture
def called(monkeypatch, tmp_path):
    """What the command makes of its arguments."""
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path / "root"))
    monkeypatch.delenv("AUTOTEST_FLOWER_PASSWORD", raising=False)
    calls = []
    monkeypatch.setattr(app, "run", lambda config, *rest: calls.append(rest))

    def call(*arguments, **environment):
        calls.clear()
        return CliRunner().invoke(flower, arguments, env=environment), [*calls]

    return call


def test_it_listens_on_loopback_without_a_password(called):
    assert called()[1] == [("127.0.0.1", 5555, "")]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1"])
def test_it_listens_elsewhere_only_with_a_password(called, address):
    result, calls = called("--address", address)
    assert (result.exit_code, calls) == (2, [])
    assert f"listening on {address} needs a password" in result.output
    assert called("--address", address, AUTOTEST_FLOWER_PASSWORD="pw")[1] == [(address, 5555, "autotest:pw")]


def test_the_password_is_the_first_line_of_a_file(called, tmp_path):
    file = tmp_path / "password"
    file.write_text(" pass,word \nrest\n")
    _, calls = called("--port", "6000", "--user", "ann", "--password-file", str(file), AUTOTEST_FLOWER_PASSWORD="other")
    assert calls == [("127.0.0.1", 6000, "ann:pass,word")]


def test_a_password_file_without_a_password_lets_nobody_in(called, tmp_path):
    file = tmp_path / "password"
    file.write_text("\nsecond line\n")
    result, calls = called("--password-file", str(file))
    assert isinstance(result.exception, errors.ConfigError)
    assert "holds no password in its first line" in str(result.exception)
    assert calls == []


def test_a_password_file_that_cannot_be_read_is_named(called, tmp_path):
    result, calls = called("--password-file", str(tmp_path / "none"))
    assert isinstance(result.exception, errors.ConfigError)
    assert "none cannot be read: No such file" in str(result.exception)
    assert calls == []
