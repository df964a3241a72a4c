"""lab_config: what a worker configuration says, and a refusal with file and key of everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotest.errors import ConfigError
from autotest.host_info import HostInfo
from autotest.worker import lab_config

HOST = '[[host]]\nhostname = "h1"\n'


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "lab.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    """What the refusal of *path* says behind the name of the file."""
    with pytest.raises(ConfigError) as refused:
        lab_config.load(path)
    message = str(refused.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path)).lstrip(": ")


# What is taken


def test_a_host_has_its_labels_platform_protection_and_attributes(file):
    lab = lab_config.load(
        file(
            'name = "desk"\n'
            '[[host]]\nhostname = "h1"\nlabels = ["board:pi4", "bluetooth"]\nplatform = "pi4"\nprotection = 2\n'
            'address = "10.0.0.7"\nport = 2222\n'
        )
    )
    assert lab.name == "desk"
    assert lab.hosts == (
        HostInfo(
            "h1",
            frozenset({"board:pi4", "bluetooth"}),
            {"address": "10.0.0.7", "port": "2222"},
            platform="pi4",
            protection=2,
        ),
    )


def test_a_host_takes_the_defaults_and_its_own_word_goes_first(file):
    lab = lab_config.load(
        file(
            'name = "desk"\n[defaults]\nuser = "root"\nport = 22\n'
            '[[host]]\nhostname = "h1"\n[[host]]\nhostname = "h2"\nuser = "tester"\n'
        )
    )
    first, second = lab.hosts
    assert first.attributes == {"user": "root", "port": "22"}
    assert second.attributes == {"user": "tester", "port": "22"}


def test_a_driver_has_attributes_of_its_own(file):
    text = (
        'name = "desk"\n'
        + HOST
        + 'power = "acme"\npower_outlet = 7\nprovision_server = "tftp1"\nstub_provision = "fail"\n'
    )
    (host,) = lab_config.load(file(text)).hosts
    assert host.attributes == {
        "power": "acme",
        "power_outlet": "7",
        "provision_server": "tftp1",
        "stub_provision": "fail",
    }


def test_paths_may_begin_at_home(file, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    text = 'name = "desk"\n[defaults]\nkey = "~/.ssh/lab"\nknown_hosts = "~/known"\ntmp_dirs = "~/tmp"\n' + HOST
    (host,) = lab_config.load(file(text)).hosts
    assert host.get("key") == "/home/ada/.ssh/lab"
    assert host.get("known_hosts") == "/home/ada/known"
    # A place on the DUT: its home is not ours.
    assert host.get("tmp_dirs") == "~/tmp"


def test_slots_are_the_hosts_and_four_unless_the_file_says_otherwise(file):
    assert lab_config.load(file('name = "desk"\n' + HOST)).slots == 5
    assert lab_config.load(file('name = "desk"\nslots = 2\n' + HOST)).slots == 2


def test_a_lab_may_have_no_host_yet(file):
    assert lab_config.load(file('name = "desk"\n')).hosts == ()


# What is refused


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "nowhere.toml") == "cannot be read: No such file or directory"


def test_a_folder_is_no_file(tmp_path):
    assert refusal(tmp_path).startswith("cannot be read: ")


def test_a_file_that_is_not_toml_is_named_with_the_line(file):
    said = refusal(file('name = "desk"\nslots = \n'))
    assert said.startswith("is not TOML: ")
    assert "line 2" in said


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_bytes(b'name = "\xff"\n')
    assert refusal(path).startswith("is not TOML: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "name must be letters, digits, '-' and '_', not None"),
        ("name = 7\n", "name must be letters, digits, '-' and '_', not 7"),
        ('name = ""\n', "name must be letters, digits, '-' and '_', not ''"),
        ('name = "desk 1"\n', "name must be letters, digits, '-' and '_', not 'desk 1'"),
        ('name = "../desk"\n', "name must be letters, digits, '-' and '_', not '../desk'"),
    ],
)
def test_a_lab_needs_a_name_that_can_name_a_queue(file, text, said):
    assert refusal(file(text)) == said


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        ('name = "desk"\nslot = 3\n', "", "slot"),
        ('name = "desk"\npower_command = "x"\n', "", "power_command"),
        ('name = "desk"\n[default]\nuser = "root"\n', "", "default"),
        ('name = "desk"\n[defaults]\nusr = "root"\n', "defaults: ", "usr"),
        ('name = "desk"\n[defaults]\nhostname = "h1"\n', "defaults: ", "hostname"),
        ('name = "desk"\n[defaults]\nlabels = ["x"]\n', "defaults: ", "labels"),
        ('name = "desk"\n' + HOST + 'adress = "10.0.0.7"\n', "host h1: ", "adress"),
        ('name = "desk"\n' + HOST + "slots = 3\n", "host h1: ", "slots"),
    ],
)
def test_an_unknown_key_is_named_with_its_place_and_what_is_known(file, text, place, key):
    assert refusal(file(text)).startswith(f"{place}unknown key {key!r}; known: ")


def test_a_host_that_is_there_twice_is_named(file):
    assert refusal(file('name = "desk"\n' + HOST + HOST)) == "host h1 is there twice"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[host]]\n", "host 1: hostname None is not a host name"),
        (HOST + "[[host]]\nhostname = 7\n", "host 2: hostname 7 is not a host name"),
        ('[[host]]\nhostname = "../h1"\n', "host 1: hostname '../h1' is not a host name"),
        ('[[host]]\nhostname = "h 1"\n', "host 1: hostname 'h 1' is not a host name"),
        ('[[host]]\nhostname = "-h1"\n', "host 1: hostname '-h1' is not a host name"),
    ],
)
def test_a_hostname_must_be_able_to_name_a_folder(file, text, said):
    assert refusal(file('name = "desk"\n' + text)) == said


@pytest.mark.parametrize("port", ["0", "65536", "-1", '"ssh"', '""', '"2 2"', '"²"'])
def test_a_port_is_1_to_65535(file, port):
    assert refusal(file('name = "desk"\n' + HOST + f"port = {port}\n")).startswith(
        "host h1: port must be 1 to 65535, not "
    )


@pytest.mark.parametrize("bastion", ["jump@gate", "gate:22", "ssh://gate", "-oProxyCommand=x", "a b"])
def test_a_bastion_is_a_host_name(file, bastion):
    said = refusal(file('name = "desk"\n' + HOST + f'bastion = "{bastion}"\n'))
    assert said.startswith(f"host h1: bastion must be a host name, not {bastion!r}; user and port are bastion_user and")


def test_the_port_of_a_bastion_is_a_port(file):
    assert refusal(file('name = "desk"\n' + HOST + "bastion_port = 0\n")) == (
        "host h1: bastion_port must be 1 to 65535, not 0"
    )


def test_a_host_may_do_without_the_bastion_of_the_others(file):
    (host,) = lab_config.load(file('name = "desk"\n[defaults]\nbastion = "gate"\n' + HOST + 'bastion = ""\n')).hosts
    assert host.get("bastion") == ""


def test_a_bad_port_among_the_defaults_is_named_there(file):
    assert refusal(file('name = "desk"\n[defaults]\nport = 99999\n')) == "defaults: port must be 1 to 65535, not 99999"


@pytest.mark.parametrize("policy", ["none", "Pinned", "accept", ""])
def test_a_host_key_policy_that_accepts_blindly_does_not_exist(file, policy):
    text = 'name = "desk"\n' + HOST + f'host_key_policy = "{policy}"\n'
    assert refusal(file(text)) == f"host h1: host_key_policy must be pinned or trust_first, not {policy!r}"


@pytest.mark.parametrize("value", ["true", "1.5", '["root"]', "{ name = 'root' }", "2026-03-01"])
def test_an_attribute_is_a_text_or_a_number(file, value):
    said = refusal(file('name = "desk"\n' + HOST + f"user = {value}\n"))
    assert said.startswith("host h1: user must be a text or a number, not ")


@pytest.mark.parametrize("labels", ['"board:pi4"', "[7]", '[""]', '["  "]', '["x", ["y"]]'])
def test_labels_are_a_list_of_texts(file, labels):
    said = refusal(file('name = "desk"\n' + HOST + f"labels = {labels}\n"))
    assert said.startswith("host h1: labels must be a list of texts, not ")


@pytest.mark.parametrize("name", ["board:pi4,wifi", ",", "a\\u001b[31m", "x" * 1000])
def test_what_nobody_could_ask_for_is_no_label(file, name):
    wanted = "is not a label of 1 to 255 printable characters without comma"
    said = refusal(file('name = "desk"\n' + HOST + f'labels = ["board:pi4", "{name}"]\n'))
    assert said.startswith("host h1: labels: ")
    assert said.endswith(wanted)
    said = refusal(file('name = "desk"\n' + HOST + f'platform = "{name}"\n'))
    assert said.startswith("host h1: platform: ")
    assert said.endswith(wanted)


def test_a_platform_is_a_text(file):
    text = 'name = "desk"\n' + HOST + 'platform = ["pi4"]\n'
    assert refusal(file(text)) == "host h1: platform must be a text, not ['pi4']"


@pytest.mark.parametrize("protection", ["-1", "5", '"1"', "true", "1.0", "[]"])
def test_protection_is_0_to_4(file, protection):
    said = refusal(file('name = "desk"\n' + HOST + f"protection = {protection}\n"))
    assert said.startswith("host h1: protection must be 0 to 4, not ")


@pytest.mark.parametrize("slots", ["0", "-3", "1.5", "true", '"8"'])
def test_slots_are_a_number_above_0(file, slots):
    assert refusal(file(f'name = "desk"\nslots = {slots}\n')).startswith("slots must be a number above 0, not ")


@pytest.mark.parametrize("text", ['host = "h1"\n', 'host = ["h1"]\n', '[host]\nhostname = "h1"\n'])
def test_hosts_are_tables_of_an_array(file, text):
    assert refusal(file('name = "desk"\n' + text)) == "hosts are written as [[host]] tables"


def test_defaults_are_a_table(file):
    assert refusal(file('name = "desk"\ndefaults = "root"\n')) == "defaults must be a table"
