"""The offloader's instructions: only where every test passed and somebody asked for failures does a folder stay."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.results import offload, parser

KEYVAL = "status_version=1\nhostname=h1\noffload_failures_only=True\n"
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_parse_is_the_inverse_of_render(instructions):
    assert offload.parse(offload.render(instructions)) == instructions


@given(st.binary(max_size=60))
def test_any_bytes_are_instructions_or_none(content):
    assert isinstance(offload.parse(content), dict)


@pytest.mark.parametrize(
    ("status", "keyval", "stays"),
    [("GOOD", KEYVAL, True), ("FAIL", KEYVAL, False), ("WARN", KEYVAL, False), ("GOOD", "status_version=1\n", False)],
)
def test_what_passed_stays_if_failures_were_asked_for(folder, status, keyval, stays):
    path = folder(f"{status}|t|t|timestamp=1|", {"keyval": keyval})

    assert offload.write(path, parser.read(path))

    assert (path / offload.NAME).exists() is stays
    assert not stays or json.loads((path / offload.NAME).read_bytes()) == {"no_offload": True}


def test_other_instructions_are_kept_and_an_old_word_is_taken_back(folder):
    path = folder("FAIL|t|t|timestamp=1|", {"keyval": KEYVAL, offload.NAME: '{"no_offload": true, "to": "there"}'})

    assert offload.write(path, parser.read(path))

    assert json.loads((path / offload.NAME).read_bytes()) == {"to": "there"}


def test_a_link_or_a_fifo_is_left_alone(folder, tmp_path):
    path = folder("GOOD|t|t|timestamp=1|", {"keyval": KEYVAL})
    outside = tmp_path / "outside"
    (path / offload.NAME).symlink_to(outside)
    assert not offload.write(path, parser.read(path))
    assert not outside.exists()

    (path / offload.NAME).unlink()
    os.mkfifo(path / offload.NAME)
    assert not offload.write(path, parser.read(path))
