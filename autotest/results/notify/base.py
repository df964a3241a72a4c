"""What a bug tracker has to do."""

from __future__ import annotations

import abc

from autotest.results.notify.report import Report
from autotest.settings import Settings


class BugTracker(abc.ABC):
    """One bug tracker; made anew for each batch of reports.

    A report may come twice, when a process died between sending it and writing that down: its ``key`` is the same.
    """

    def __init__(self, settings: Settings):
        """Raises ConfigError when *settings* lack what the tracker needs."""
        self.settings = settings

    @abc.abstractmethod
    def file(self, report: Report) -> str:
        """Open a bug for a fault that was not seen before. Returns what the tracker calls it, 1 to 255 characters.

        Raises BugTrackerFailed; the report is then sent again later.
        """

    @abc.abstractmethod
    def again(self, tracker_id: str, report: Report) -> None:
        """Tell of one more result with the fault of the bug *tracker_id*. Raises BugTrackerFailed."""
