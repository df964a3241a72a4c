"""Allowed: a dev server takes builds from below its sources, however an address is spelt, and from nowhere else."""

from __future__ import annotations

from urllib.parse import unquote

import hypothesis
import pytest
from hypothesis import strategies

from autotest import errors
from autotest.devserver import allowed

SOURCES = ("file:///srv/builds", "https://builds.example:8443/nightly", "gs://bucket")


@pytest.mark.parametrize(
    ("url", "build"),
    [
        ("file:///srv/builds/pi4-release/R8-1.0", "pi4-release/R8-1.0"),
        ("file:///srv/builds/R8-1.0.tar.gz", "R8-1.0"),
        ("file:///srv/builds/R8-1.0/", "R8-1.0"),
        ("file:///srv/builds/a%20b", "a b"),
        ("HTTPS://Builds.Example:8443/nightly/R8/bundle.zip", "R8"),
        ("gs://bucket/pi4/R8%2F..", "pi4/R8%2F.."),
        ("gs://bucket/R8.tgz", "R8"),
    ],
)
def test_an_address_below_a_source_is_a_build(url, build):
    assert allowed.wanted(SOURCES, url).build == build


@pytest.mark.parametrize(
    "url",
    [
        "",
        "R8-1.0",
        "/srv/builds/R8",
        "file:///etc/passwd",
        "file:///srv/builds",
        "file:///srv/builds/",
        "file:///srv/buildsother/R8",
        "file:///srv/builds/../secret/R8",
        "file:///srv/builds/%2e%2e/secret",
        "file:///srv/builds/a%2f..%2f..%2fsecret",
        "file:///srv/builds/a//b",
        "file:///srv/builds/./b",
        "file:///srv/builds/a\0b",
        "file:///srv/builds/.tar",
        "file://host/srv/builds/R8",
        "http://builds.example:8443/nightly/R8",
        "https://builds.example/nightly/R8",
        "https://builds.example:8443@evil/nightly/R8",
        "https://builds.example:8443/nightly/R8?x=1",
        "https://builds.example:8443/nightly/R8#x",
        "https://builds.example:8443/nightly/..\\x",
        "gs://bucket/R8::file:///etc/passwd",
        "gs://bucket/*",
        "simplecache::file:///srv/builds/R8",
        "gs://other/R8",
    ],
)
def test_every_other_address_is_refused(url):
    with pytest.raises(errors.ValidationError, match="archive_url: "):
        allowed.wanted(SOURCES, url)


def test_a_refusal_names_the_sources():
    with pytest.raises(errors.ValidationError, match=r"below none of this server's sources: file:///srv/builds, https"):
        allowed.wanted(SOURCES, "http://169.254.169.254/latest")


PIECES = strategies.lists(
    strategies.sampled_from(
        [
            "/",
            "..",
            "%2e",
            "%2E",
            "%2f",
            "a",
            "srv",
            "builds",
            "\\",
            "\0",
            "?",
            "#",
            "::",
            "@",
            "%",
            "%25",
            "ü",
            "\udc80",
        ]
    ),
    max_size=8,
).map("".join)


@hypothesis.given(
    PIECES, strategies.sampled_from(["file:///srv/builds", "file:///srv/builds/", "gs://bucket/", "file://"])
)
def test_no_spelling_leads_out_of_a_source(rest, begin):
    try:
        found = allowed.wanted(SOURCES, begin + rest)
    except errors.ValidationError:
        return
    path = unquote(found.url.partition("://")[2]) if found.url.startswith("file") else found.url.partition("://")[2]
    assert path.startswith(("/srv/builds/", "bucket/"))
    assert ".." not in path.split("/")
    assert allowed.is_build(found.build)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/srv/builds",
        "file://",
        "file:///",
        "file://host/x",
        "https://",
        "https:///x",
        "https://u:p@host/x",
        "file:///a/../b",
        "https://host/x?y",
        "a b://x/y",
    ],
)
def test_what_is_no_source_is_refused(source):
    with pytest.raises(errors.ValidationError, match="sources: "):
        allowed.root(source)


def test_a_source_has_one_spelling():
    assert allowed.root("HTTPS://Host:1/Path/") == "https://host:1/Path"
    assert allowed.root("gs://bucket") == "gs://bucket"


def test_a_bundle_is_looked_for_in_the_folder_and_beside_it():
    bundles = allowed.wanted(SOURCES, "gs://bucket/pi4/R8").bundles

    assert bundles[0] == "gs://bucket/pi4/R8/bundle.tar"
    assert "gs://bucket/pi4/R8.tar.zst" in bundles
    assert allowed.wanted(SOURCES, "gs://bucket/pi4/R8.zip").bundles == ["gs://bucket/pi4/R8.zip"]
