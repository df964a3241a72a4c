"""Config: typed, and refused with file and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autotest import errors
from autotest.devserver import config

HOW_TO = Path(__file__).parents[3] / "docs/how-to/devserver.md"


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "devserver.toml"
        path.write_text(text)
        return path

    return write


def test_a_file_is_read(file):
    found = config.load(file('folder = "/srv/ds"\nsources = ["GS://bucket/"]\nquota_gb = 5\nport = 0\n'))

    assert (found.folder, found.sources, found.quota, found.port) == (Path("/srv/ds"), ("gs://bucket",), 5 * 10**9, 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("folder =", "is not TOML"),
        ('sources = ["gs://b"]', "folder is missing"),
        ('folder = "/x"\nsources = []', "sources is missing"),
        ('folder = "/x"\nsources = "gs://b"', "sources must be a list"),
        ('folder = "/x"\nsources = ["/srv"]', "'/srv' is no address such as"),
        ('folder = 1\nsources = ["gs://b"]', "folder must be a path, not 1"),
        ('folder = "/x"\nsources = ["gs://b"]\ncolour = 1', "unknown key 'colour'; known: address, "),
        ('folder = "/x"\nsources = ["gs://b"]\nquota_gb = "5"', "quota_gb must be a number, not '5'"),
        ('folder = "/x"\nsources = ["gs://b"]\nquota_gb = 0', "quota_gb must be more than 0"),
        ('folder = "/x"\nsources = ["gs://b"]\nport = true', "port must be a whole number, not True"),
        ('folder = "/x"\nsources = ["gs://b"]\nrequire_checksum = 1', "require_checksum must be true or false, not 1"),
    ],
)
def test_what_cannot_be_used_is_named(file, text, reason):
    path = file(text)

    with pytest.raises(errors.ConfigError, match=re.escape(str(path))) as caught:
        config.load(path)
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_says_how_to_name_one(tmp_path):
    with pytest.raises(errors.ConfigError, match=r"cannot be read: No such file.*--config"):
        config.load(tmp_path / "nothing.toml")


def test_the_file_is_named_or_stands_in_the_environment_or_in_etc():
    assert config.find(Path("a"), {config.VARIABLE: "b"}) == Path("a")
    assert config.find(None, {config.VARIABLE: "b"}) == Path("b")
    assert config.find(None, {}) == Path("/etc/autotest/devserver.toml")


def test_the_example_of_the_documentation_is_a_configuration(file):
    example = re.search(r"# /etc/autotest/devserver\.toml\n.*?(?=\n\n\S)", HOW_TO.read_text(), re.DOTALL)
    assert example is not None

    found = config.load(file(re.sub("(?m)^    ", "", example[0])))

    assert found.sources
