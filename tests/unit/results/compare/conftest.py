"""An empty database to write results of builds into."""

from __future__ import annotations

import pytest
from stored_results import StoredResults


@pytest.fixture
def stored(db: str) -> StoredResults:
    """stored.add(build, test, status, ...) writes a result; a connection is open."""
    return StoredResults()
