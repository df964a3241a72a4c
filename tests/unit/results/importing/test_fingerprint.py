"""Fingerprint: it changes with what the parser reads, and with nothing else."""

from __future__ import annotations

import os

import pytest

from autotest.results.importing import fingerprint

FILES = {
    ".autoserv_execute": "1\n0\n0\n",
    "keyval": "status_version=1\n",
    "host_keyvals/h1": "platform=eve\n",
    "h1/status.log": "",
    "h1/keyval": "hostname=h1\n",
    "h1/t1/keyval": "version=1\n",
    "h1/t1/results/keyval": "a=1\n",
    "h1/debug/autoserv.DEBUG": "x\n",
}


def changed(path):
    path.write_text(path.read_text() + "more=1\n")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("name", [name for name in FILES if "debug" not in name])
def test_a_file_that_the_parser_reads_counts(files, name):
    root = files(FILES)
    before = fingerprint.of(root / "h1")
    changed(root / name)
    assert fingerprint.of(root / "h1") != before


@pytest.mark.parametrize("name", ["h1/debug/autoserv.DEBUG", "h1/parse.log"])
def test_other_files_do_not(files, name):
    root = files({**FILES, "h1/parse.log": ""})
    before = fingerprint.of(root / "h1")
    changed(root / name)
    assert fingerprint.of(root / "h1") == before


def test_a_file_that_comes_or_goes_counts(files):
    root = files(FILES)
    before = fingerprint.of(root / "h1")
    (root / "h1" / "t1" / "results" / "keyval").unlink()
    assert fingerprint.of(root / "h1") != before


def test_without_an_exit_file_the_folders_above_do_not_end_at_the_root(files):
    root = files({"h1/status.log": ""})
    assert len(fingerprint.of(root / "h1")) == 64
