"""http:// and https:// addresses: resumed with Range and If-Range; redirections only below the sources."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from urllib.parse import urljoin

from autotest import bounded_http, errors
from autotest.bounded_http import Stream
from autotest.devserver import allowed
from autotest.devserver.sources.base import Found, Source

_MOST_REDIRECTIONS = 5
_IDLE_S = 60.0


class WebSource(Source):
    """Files of web servers below *sources*; one file has *seconds*."""

    def __init__(self, sources: Sequence[str], seconds: float):
        self._sources = sources
        self._seconds = seconds

    def find(self, url: str) -> Found | None:
        """See :meth:`Source.find`."""
        # Not HEAD: its answer may differ from that of GET, and some servers have none. The body is not read.
        with self._answer(url, {}) as stream:
            if stream.status in (404, 410):
                return None
            _must_be(stream, 200, url)
            size = stream.headers.get("content-length", "")
            return Found(int(size) if size.isdecimal() else None, _validator(stream))

    @contextlib.contextmanager
    def opened(self, url: str, start: int, found: Found) -> Iterator[tuple[int, Iterator[bytes]]]:
        """See :meth:`Source.opened`."""
        headers = {"Range": f"bytes={start}-", "If-Range": found.validator} if start and found.validator else {}
        with self._answer(url, headers) as stream:
            if stream.status == 206:
                if stream.headers.get("content-range", "").startswith(f"bytes {start}-"):
                    yield start, _named(url, stream)
                    return
                raise errors.HttpFailed(f"{url}: another range than was asked for", 206)
            _must_be(stream, 200, url)
            yield 0, _named(url, stream)

    def names(self, url: str) -> list[str]:
        """See :meth:`Source.names`."""
        return []

    @contextlib.contextmanager
    def _answer(self, url: str, headers: dict[str, str]) -> Iterator[Stream]:
        where = url
        for _ in range(_MOST_REDIRECTIONS):
            with contextlib.ExitStack() as stack:
                try:
                    stream = stack.enter_context(bounded_http.opened(where, self._seconds, _IDLE_S, headers))
                except errors.HttpFailed as problem:
                    raise errors.HttpFailed(f"{where}: {problem}") from problem
                if stream.status not in (301, 302, 303, 307, 308):
                    yield stream
                    return
                where = urljoin(where, stream.headers.get("location", ""))
            # What answers must not make of this server a door into the network behind it.
            allowed.wanted(self._sources, where)
        raise errors.HttpFailed(f"{url}: more than {_MOST_REDIRECTIONS} redirections")


def _must_be(stream: Stream, status: int, url: str) -> None:
    if stream.status != status:
        raise errors.HttpFailed(f"{url}: HTTP {stream.status}", stream.status)


def _validator(stream: Stream) -> str:
    """A strong ETag; a weak one, or a date, does not promise the same bytes."""
    etag = stream.headers.get("etag", "")
    return etag if etag.startswith('"') else ""


def _named(url: str, stream: Stream) -> Iterator[bytes]:
    try:
        yield from stream.pieces()
    except errors.HttpFailed as problem:
        raise errors.HttpFailed(f"{url}: {problem}", problem.status) from problem
