"""Chosen: the source that reads an address, by its scheme."""

from __future__ import annotations

from collections.abc import Sequence

from autotest.devserver.sources.base import Source
from autotest.devserver.sources.local import LocalSource
from autotest.devserver.sources.store import StoreSource
from autotest.devserver.sources.web import WebSource


class Sources:
    """One source for each scheme among *sources*; a download has *seconds*. Raises ConfigError for one nobody reads."""

    def __init__(self, sources: Sequence[str], seconds: float):
        self._by_scheme: dict[str, Source] = {}
        for scheme in {source.partition("://")[0] for source in sources}:
            if scheme == "file":
                self._by_scheme[scheme] = LocalSource(sources)
            elif scheme in ("http", "https"):
                self._by_scheme[scheme] = WebSource(sources, seconds)
            else:
                self._by_scheme[scheme] = StoreSource(scheme)

    def of(self, url: str) -> Source:
        """The source of an address that :mod:`allowed` has let pass."""
        return self._by_scheme[url.partition("://")[0]]
