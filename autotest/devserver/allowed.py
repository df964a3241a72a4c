"""Allowed: which archive addresses a dev server takes, and what build each one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from autotest import errors
from autotest.archives import unpack

#: In these, %2F is a slash that hides; elsewhere it is three letters of a name.
ESCAPED = frozenset({"http", "https", "file"})
_BUNDLE = "bundle"


class Wanted(NamedTuple):
    """A build that somebody may have: its name, and its address below one of the sources."""

    build: str
    url: str

    @property
    def bundles(self) -> list[str]:
        """Where its bundle may lie: at the address itself, in the folder that it names, or beside it."""
        if unpack.suffix_of(self.url):
            return [self.url]
        return [f"{self.url}{between}{suffix}" for between in (f"/{_BUNDLE}", "") for suffix in unpack.KINDS]


def root(source: str) -> str:
    """The normal form of an address below which builds may lie. Raises ValidationError."""
    scheme, mark, rest = source.partition("://")
    host, _, path = rest.rstrip("/").partition("/")
    normal = f"{scheme.lower()}://{host.lower()}" + (f"/{path}" if path else "")
    _check("sources", normal, path)
    if not mark or not scheme.isalnum() or (scheme.lower() == "file") == bool(host) or (scheme == "file" and not path):
        raise errors.ValidationError(
            {"sources": f"{source!r} is no address such as file:///srv/builds, https://host/builds or gs://bucket"}
        )
    if "@" in host:
        raise errors.ValidationError({"sources": f"{scheme}://... holds a login; the server's environment holds those"})
    return normal


def wanted(sources: Sequence[str], archive_url: str) -> Wanted:
    """The build at *archive_url*. Raises ValidationError unless that lies below one of *sources*, spelt alike."""
    scheme, _, rest = archive_url.partition("://")
    host, _, path = rest.rstrip("/").partition("/")
    url = f"{scheme.lower()}://{host.lower()}/{path}"
    below = next((url[len(source) + 1 :] for source in sources if url.startswith(f"{source}/")), "")
    if not below:
        raise errors.ValidationError(
            {"archive_url": f"{archive_url[:300]!r} lies below none of this server's sources: {', '.join(sources)}"}
        )
    decoded = _check("archive_url", url, below)
    suffix = unpack.suffix_of(decoded)
    build = decoded[: -len(suffix)] if suffix else decoded
    build = build.removesuffix(f"/{_BUNDLE}") if suffix else build
    if not build or build.endswith("/"):
        raise errors.ValidationError({"archive_url": f"{archive_url[:300]!r} names no build"})
    return Wanted(build, url)


def path_of(file_url: str) -> str:
    """The path that a file:// address means."""
    return unquote(urlsplit(file_url).path)


def is_build(name: str) -> bool:
    """Whether *name* can be a build: a relative path of plain names."""
    return name.isprintable() and all(part not in ("", ".", "..") for part in name.split("/"))


def _check(argument: str, url: str, below: str) -> str:
    """*below* without escapes. Raises ValidationError for what could mean another place than it says."""
    scheme = url.partition("://")[0]
    decoded = unquote(below, errors="surrogateescape") if scheme in ESCAPED else below
    odd = next((text for text in ("?", "#", "::", "\\", "*", "[") if text in decoded), "")
    if odd or (decoded and not is_build(decoded)) or decoded.count("/") != below.count("/"):
        fact = f"{odd!r} is not taken there" if odd else "empty, '..' or unprintable parts are not taken"
        raise errors.ValidationError({argument: f"{url[:300]!r}: {fact}"})
    return decoded
