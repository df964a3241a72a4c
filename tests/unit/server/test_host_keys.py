"""Tests of autotest.server.hosts.host_keys: pinned, or trusted once and pinned from then on."""

from __future__ import annotations

import threading

import paramiko
import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts import host_keys


def key():
    return paramiko.ECDSAKey.generate()


def policy(path, name="trust_first"):
    client = paramiko.SSHClient()
    host_keys.apply(HostInfo("h1", attributes={"known_hosts": str(path), "host_key_policy": name}), client)
    return client, client._policy


def test_a_key_that_is_trusted_first_is_written_once(tmp_path):
    path, first = tmp_path / "new" / "known_hosts", key()
    for _ in range(2):
        client, trust = policy(path)
        trust.missing_host_key(client, "[h1]:22", first)

    assert path.read_text() == f"[h1]:22 {first.get_name()} {first.get_base64()}\n"


def test_a_second_key_for_the_same_host_is_refused(tmp_path):
    client, trust = policy(tmp_path / "known_hosts")
    trust.missing_host_key(client, "h1", key())

    with pytest.raises(errors.HostKeyRejected, match="another host key than the one pinned"):
        trust.missing_host_key(client, "h1", key())


def test_a_file_without_a_last_newline_is_not_torn(tmp_path):
    path = tmp_path / "known_hosts"
    path.write_text("# mine")
    client, trust = policy(path)
    trust.missing_host_key(client, "h1", key())

    assert path.read_text().splitlines()[0] == "# mine"
    assert len(path.read_text().splitlines()) == 2


def test_many_at_once_write_whole_lines(tmp_path):
    path = tmp_path / "known_hosts"
    client, trust = policy(path)
    keys = [key() for _ in range(8)]
    threads = [
        threading.Thread(target=trust.missing_host_key, args=(client, f"h{number}", each))
        for number, each in enumerate(keys)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    known = paramiko.HostKeys(str(path))
    assert all(known.check(f"h{number}", each) for number, each in enumerate(keys))


def test_a_pinned_policy_accepts_nothing_new(tmp_path):
    client, pinned = policy(tmp_path / "known_hosts", "pinned")

    with pytest.raises(errors.HostKeyRejected, match=r"h1 shows an ecdsa.* and .*known_hosts pins none for h1"):
        pinned.missing_host_key(client, "h1", key())
    assert not (tmp_path / "known_hosts").exists()


def test_an_unknown_policy_is_refused(tmp_path):
    with pytest.raises(errors.ConfigError, match="host_key_policy is 'blind'"):
        policy(tmp_path / "known_hosts", "blind")
