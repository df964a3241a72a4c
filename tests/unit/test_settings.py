"""Settings: a file, the environment over it, and a clear refusal of everything else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

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


def test_dev_servers_are_a_list_in_the_file_and_words_in_the_environment(file):
    path = file('devservers = ["http://a:1/", "https://b"]\nbuild_archive = "gs://builds"\n')

    assert settings.load(path, environment={}).devservers == ("http://a:1", "https://b")
    found = settings.load(path, environment={"AUTOTEST_DEVSERVERS": "http://c:1 http://d:2"})
    assert found.devservers == ("http://c:1", "http://d:2")


@pytest.mark.parametrize("value", ['"a:1"', '["a:1"]', "[1]", '["http://u@h"]', '["http://h/path"]', "1"])
def test_what_is_no_list_of_dev_servers_is_refused(file, value):
    with pytest.raises(ConfigError, match=r"devservers must be a list of http://HOST:PORT"):
        settings.load(file(f'devservers = {value}\nbuild_archive = "gs://builds"\n'), environment={})


def test_dev_servers_need_an_archive_to_stage_from(file):
    with pytest.raises(ConfigError, match="devservers is set, and build_archive '' is no address of builds"):
        settings.load(file('devservers = ["http://a:1"]\n'), environment={})


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
        ('max_requeues = "many"\n', "max_requeues must be a whole number, not 'many'"),
        ("max_requeues = inf\n", "max_requeues must be a whole number, not inf"),
        ('step_due = "soon"\n', "step_due must be a number, not 'soon'"),
        ("root = 7\n", "root must be a path, not 7"),
        ('overridden = ["root"]\n', "unknown key 'overridden'"),
        ('source = "elsewhere"\n', "unknown key 'source'"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_key(file, text, reason):
    path = file(text)
    with pytest.raises(ConfigError, match=f"{path}.*{reason}"):
        settings.load(path, environment={})


def test_a_bad_variable_is_refused_by_its_name_whatever_the_file_says(file):
    path = file("step_due = 5\n")
    with pytest.raises(ConfigError, match=r"^environment: AUTOTEST_STEP_DUE must be a number, not 'soon'$"):
        settings.load(path, environment={"AUTOTEST_STEP_DUE": "soon"})


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


def test_a_password_that_was_not_escaped_is_not_shown_either():
    assert settings.shown("redis://ann:se/cr@et@broker:6379/0") == "redis://ann:***@broker:6379/0"
    assert settings.shown("redis://ann:se?cr@et@broker:6379/0") == "redis://ann:***@broker:6379/0"


def test_what_is_asked_of_an_address_is_not_shown():
    assert settings.shown("redis://broker/0?password=secret&db=1") == "redis://broker/0"
    assert settings.shown("rediss://:secret@broker/0?ssl_cert_reqs=required") == "rediss://:***@broker/0"


# Passwords in files of their own


@pytest.fixture
def secret(tmp_path):
    def write(content=b"p@ss/w:rd%?\n"):
        path = tmp_path / "secret"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("address", "merged"),
    [
        ("redis://broker:6380/2", "redis://:p%40ss%2Fw%3Ard%25%3F@broker:6380/2"),
        ("redis://ann@broker", "redis://ann:p%40ss%2Fw%3Ard%25%3F@broker"),
        ("redis+socket:///run/broker.sock", "redis+socket://:p%40ss%2Fw%3Ard%25%3F@/run/broker.sock"),
    ],
)
def test_the_brokers_password_comes_from_its_file(secret, address, merged):
    found = settings.load(environment={"AUTOTEST_BROKER": address, "AUTOTEST_BROKER_PASSWORD_FILE": str(secret())})
    assert found.broker == merged


def test_the_databases_password_comes_from_its_file(file, secret):
    path = file(f'database = "mysql://lab@db/autotest"\ndatabase_password_file = "{secret()}"\n')
    assert settings.load(path, environment={}).database_url == "mysql://lab:p%40ss%2Fw%3Ard%25%3F@db/autotest"


def test_settings_that_are_printed_show_no_password(secret):
    found = settings.load(
        environment={
            "AUTOTEST_BROKER_PASSWORD_FILE": str(secret(b"hunter2")),
            "AUTOTEST_DATABASE": "mysql://lab:hunter3@db/autotest",
        }
    )
    assert "hunter" not in repr(found)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('broker_password_file = "/nowhere/secret"\n', "broker_password_file /nowhere/secret cannot be read: No such"),
        ('database_password_file = "{secret}"\n', r"database \(not set\) knows no password"),
        ('database = "sqlite:////a.db"\ndatabase_password_file = "{secret}"\n', "sqlite:////a.db knows no password"),
        (
            'broker = "redis://:other@broker"\nbroker_password_file = "{secret}"\n',
            r"broker redis://:\*\*\*@broker holds a password as well; keep one of them",
        ),
    ],
)
def test_a_password_file_that_cannot_be_meant_is_refused(file, secret, text, reason):
    path = file(text.replace("{secret}", str(secret())))
    with pytest.raises(ConfigError, match=f"{path}: .*{reason}"):
        settings.load(path, environment={})


def test_a_password_file_of_the_environment_is_blamed_on_its_variable(file):
    path = file('root = "/lab"\n')
    with pytest.raises(ConfigError, match=r"^environment: AUTOTEST_BROKER_PASSWORD_FILE /nowhere/secret cannot"):
        settings.load(path, environment={"AUTOTEST_BROKER_PASSWORD_FILE": "/nowhere/secret"})


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2\nhunter3\n", b"hunter2\xff", b"hunter2\0"])
def test_a_password_file_holds_one_line_of_text_and_is_never_quoted(secret, content):
    path = secret(content)
    with pytest.raises(ConfigError, match=str(path)) as refused:
        settings.load(environment={"AUTOTEST_BROKER_PASSWORD_FILE": str(path)})
    assert "hunter" not in str(refused.value)


def test_an_address_with_a_password_that_was_not_escaped_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match=r"AUTOTEST_BROKER redis://:\*\*\*@broker/0 is no address; escape") as refused:
        settings.load(environment={"AUTOTEST_BROKER": "redis://:hun/ter2@broker/0"})
    assert "hun" not in str(refused.value)


# TLS


def test_a_broker_with_tls_is_always_checked(tmp_path):
    (tmp_path / "ca.pem").write_text("a certificate")
    found = settings.load(environment={"AUTOTEST_BROKER": "rediss://broker/0"})
    assert found.broker == "rediss://broker/0?ssl_cert_reqs=required"
    found = settings.load(
        environment={"AUTOTEST_BROKER": "rediss://broker/0", "AUTOTEST_BROKER_CA": str(tmp_path / "ca.pem")}
    )
    assert parse_qs(urlsplit(found.broker).query) == {
        "ssl_ca_certs": [str(tmp_path / "ca.pem")],
        "ssl_cert_reqs": ["required"],
    }


def test_what_the_address_says_of_tls_is_kept():
    address = "rediss://broker/0?ssl_cert_reqs=none&ssl_certfile=%2Fown.pem"
    assert settings.load(environment={"AUTOTEST_BROKER": address}).broker == address


@pytest.mark.parametrize(
    ("broker", "reason"),
    [("redis://broker/0", "broker redis://broker/0 is not rediss://"), ("rediss://broker/0", "/nowhere is not there")],
)
def test_an_authority_that_cannot_be_meant_is_refused(broker, reason):
    with pytest.raises(ConfigError, match=reason):
        settings.load(environment={"AUTOTEST_BROKER": broker, "AUTOTEST_BROKER_CA": "/nowhere"})
