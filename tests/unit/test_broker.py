"""The embedded broker is private: loopback, password, append-only file."""

from __future__ import annotations

import stat

import pytest

from autotest import broker, errors
from autotest.settings import Settings


def test_the_server_listens_on_loopback_and_wants_the_password(tmp_path):
    config = Settings(root=tmp_path, broker="redis://:sesame@127.0.0.1:7777/0")
    _, file = broker.prepare(config)
    text = file.read_text()
    assert "bind 127.0.0.1\nport 7777\n" in text
    assert 'requirepass "sesame"' in text
    assert "appendonly yes" in text
    assert "maxmemory-policy noeviction" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("address", ["redis://broker.lab:6379/0", "rediss://127.0.0.1:6379/0", "unix:///run/redis"])
def test_an_address_elsewhere_is_refused_by_name(tmp_path, address):
    with pytest.raises(errors.ConfigError, match="the embedded broker serves"):
        broker.prepare(Settings(root=tmp_path, broker=address))


def test_a_password_that_could_break_out_of_the_file_is_refused(tmp_path):
    with pytest.raises(errors.ConfigError, match="must not hold quotes"):
        broker.prepare(Settings(root=tmp_path, broker="redis://:a%22b@127.0.0.1:7777/0"))
