"""Tests of autotest.server.client_package and client_install."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server import client_install, client_package, fence
from autotest.server.hosts.stub import StubHost


def write_test(root, name, text="x = 1\n"):
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / f"{name}.py").write_text(text)
    return root / name


def test_the_client_is_one_file_that_holds_nothing_of_the_server():
    package = client_package.client()
    [(name, data, _)] = package.members
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()

    assert name == package.name
    assert {"__main__.py", "autotest/__init__.py", "autotest/client/__main__.py"} <= set(names)
    assert all(part == "__main__.py" or part.startswith(("autotest/__init__", "autotest/client/")) for part in names)


def test_the_client_runs_from_its_one_file(tmp_path):
    [(name, data, _)] = client_package.client().members
    (tmp_path / name).write_bytes(data)

    result = subprocess.run(
        [sys.executable, "-I", str(tmp_path / name), "--help"], capture_output=True, text=True, timeout=30
    )

    assert result.returncode == 0
    assert "follow" in result.stdout


def test_the_same_client_has_the_same_name():
    first = client_package.client()
    client_package.client.cache_clear()

    assert client_package.client() == first


def test_a_test_folder_is_named_by_its_content(tmp_path):
    folder = write_test(tmp_path, "pas")
    before = client_package.tests([str(tmp_path)])["pas"].name
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "pas.pyc").write_bytes(b"x")
    assert client_package.tests([str(tmp_path)])["pas"].name == before

    (folder / "pas.py").write_text("x = 2\n")
    changed = client_package.tests([str(tmp_path)])["pas"].name
    os.chmod(folder / "pas.py", 0o755)

    assert len({before, changed, client_package.tests([str(tmp_path)])["pas"].name}) == 3


def test_only_folders_with_a_test_of_their_name_count_and_the_first_root_wins(tmp_path):
    write_test(tmp_path / "one", "pas", "one = 1\n")
    write_test(tmp_path / "two", "pas", "two = 2\n")
    write_test(tmp_path / "two", "other")
    (tmp_path / "one" / "notes").mkdir()

    found = client_package.tests([str(tmp_path / "one"), str(tmp_path / "two")])

    assert sorted(found) == ["other", "pas"]
    assert found["pas"].members[0][1] == tmp_path / "one/pas/pas.py"


def test_a_test_root_that_is_not_there_is_named(tmp_path):
    with pytest.raises(errors.ConfigError, match="nowhere is not a folder"):
        client_package.tests([str(tmp_path / "nowhere")])


def install(tmp_path, present="", token=0):
    write_test(tmp_path, "pas")
    info = HostInfo("h1", attributes={"client_dir": "/opt/at"})
    host = StubHost({"ls /opt/at/packages": present}, info, fence.Fence.of(info, token))
    path = client_install.install(host, "7-1-ab", {"control": b"pass\n"}, client_package.tests([str(tmp_path)]))
    return host, path, tarfile.open(fileobj=io.BytesIO(host.received[0])).getnames()


def test_a_fresh_dut_gets_everything_in_one_archive(tmp_path):
    host, path, names = install(tmp_path)
    client, pas = client_package.client().name, client_package.tests([str(tmp_path)])["pas"].name

    assert path == f"/opt/at/packages/{client}"
    assert names == [f"packages/{client}", f"packages/{pas}/pas.py", "runs/7-1-ab/control", "runs/7-1-ab/tests/pas"]
    assert len(host.commands) == 2


def test_what_is_there_does_not_travel_again_and_what_is_replaced_goes(tmp_path):
    client = client_package.client().name
    host, _, names = install(tmp_path, present=f"{client} pas-0123456789abcdef other-0123456789abcdef strange")

    assert f"packages/{client}" not in names
    assert "packages/pas-0123456789abcdef" in host.commands[1]
    assert "other-" not in host.commands[1]
    assert "strange" not in host.commands[1]


@pytest.mark.parametrize(("token", "forgets"), [(0, False), (7, True)])
def test_a_lease_forgets_the_runs_of_others_and_a_run_by_hand_does_not(tmp_path, token, forgets):
    host, _, _ = install(tmp_path, token=token)

    assert ("for _at_run in runs/*" in host.commands[1]) is forgets


@pytest.mark.parametrize(
    "name", ["; rm -rf /", "pas-0123456789abcde", "$(x)-0123456789abcdef", "../x-0123456789abcdef"]
)
def test_a_name_that_we_did_not_give_is_never_removed(name):
    assert client_install.replaced([name], ["pas-fedcba9876543210", "x-fedcba9876543210"]) == []
