"""worker_configs/: every example that we ship is one that the worker takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotest import plugins
from autotest.worker import lab_config

FOLDER = Path(__file__).parents[3] / "worker_configs"
FILES = sorted(FOLDER.glob("*.toml"))
GROUPS = {"power": "autotest.power", "provisioner": "autotest.provision", "repair": "autotest.repair"}


def test_there_is_an_example_of_a_desk_a_rack_and_a_remote_lab():
    assert {file.stem for file in FILES} >= {"desk", "rack", "remote"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_shipped_config_is_accepted_and_has_hosts(file):
    lab = lab_config.load(file)
    assert lab.name == file.stem
    assert lab.hosts


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_shipped_config_names_only_drivers_that_are_installed(file):
    for host in lab_config.load(file).hosts:
        for attribute, group in GROUPS.items():
            if host.get(attribute):
                assert plugins.one_of(group, host.get(attribute))


def test_every_machine_of_the_rack_can_be_switched():
    for host in lab_config.load(FOLDER / "rack.toml").hosts:
        assert "{state}" in host.get("power_command")


def test_the_remote_lab_goes_through_its_bastion_except_for_the_bastion_itself():
    ways = {host.hostname: host.get("bastion") for host in lab_config.load(FOLDER / "remote.toml").hosts}
    assert ways == {"lyon-host1": "gate.example.com", "lyon-host2": "gate.example.com", "lyon-gate": ""}


def test_what_the_desk_leaves_commented_out_is_accepted_as_well(tmp_path):
    text = (FOLDER / "desk.toml").read_text(encoding="utf-8")
    head, _, tail = text.partition("# Where this host differs")
    options = [line.removeprefix("# ") for line in tail.splitlines() if line.startswith("# ")]
    everything = tmp_path / "desk.toml"
    everything.write_text(head + "\n".join(options), encoding="utf-8")

    *_, last = lab_config.load(everything).hosts

    assert set(last.attributes) >= lab_config.ATTRIBUTES - {"port", "power"}
