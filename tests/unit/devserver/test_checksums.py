"""Checksums: found in what sha256sum writes, and compared in one form."""

from __future__ import annotations

import contextlib
import hashlib

import hypothesis
import pytest
from hypothesis import strategies

from autotest import errors
from autotest.devserver import checksums

DIGEST = "ab" * 32
OTHER = "cd" * 32


@pytest.mark.parametrize(
    "text",
    [
        f"{OTHER}  other.tar\n{DIGEST}  b.tar\n",
        f"{DIGEST} *b.tar\r\n",
        f"{DIGEST.upper()}  ./b.tar",
        f"SHA256 (b.tar) = {DIGEST}\n",
        f"# made by CI\n{DIGEST}  b.tar\n{DIGEST}  b.tar\n",
    ],
)
def test_a_checksum_is_found_by_the_file_name(text):
    assert checksums.listed(text, "b.tar") == DIGEST


def test_a_file_that_is_not_listed_is_refused():
    with pytest.raises(errors.ArchiveRefused, match=r"SHA256SUMS beside it lists b\.tar not at all"):
        checksums.listed(f"{DIGEST}  sub/b.tar\n{DIGEST} b.tar\nb.tar", "b.tar")


def test_a_file_that_is_listed_twice_differently_is_refused():
    with pytest.raises(errors.ArchiveRefused, match=r"lists b\.tar twice, otherwise"):
        checksums.listed(f"{DIGEST}  b.tar\n{OTHER}  b.tar\n", "b.tar")


def test_what_is_no_checksum_is_refused():
    assert checksums.checked_form(f" {DIGEST.upper()}\n") == DIGEST
    assert checksums.checked_form("") == ""
    with pytest.raises(errors.ValidationError, match="sha256: 'abc' is not 64 hexadecimal digits"):
        checksums.checked_form("abc")


@hypothesis.given(strategies.text(max_size=300))
def test_no_text_gives_anything_but_a_checksum_or_a_refusal(text):
    with contextlib.suppress(errors.ArchiveRefused):
        assert len(checksums.listed(text, "b.tar")) == 64


def test_the_sha256_of_a_file_tells_how_far_it_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 700_000)
    sizes: list[int] = []

    assert checksums.of_file(path, sizes.append) == hashlib.sha256(b"x" * 700_000).hexdigest()
    assert sum(sizes) == 700_000
