"""Jobs: stagings in the background: one for each build, however many ask for it."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, wait

from autotest import errors
from autotest.devserver.allowed import Wanted
from autotest.devserver.config import Config
from autotest.devserver.depot import Depot, Staged
from autotest.devserver.staging import Progress, Stager, Stopped, in_words

_log = logging.getLogger(__name__)
# A server that is asked for nonsense all day keeps no more failures than this.
_MOST_FAILURES = 1000
_POLITE_S = 3.0


class Jobs:
    """The stagings of one server process."""

    def __init__(self, config: Config, depot: Depot):
        self._stop = threading.Event()
        self.stager = Stager(config, depot, self._stop)
        self._depot = depot
        self._places = threading.Semaphore(config.stage_at_once)
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Progress, Future[Staged]]] = {}
        self._failed: dict[str, BaseException] = {}
        threading.Thread(target=self._settle, name="settle", daemon=True).start()

    def start(self, wanted: Wanted, sha256: str = "") -> Future[Staged]:
        """Stage the build unless it is under way; an earlier failure is forgotten. Raises ValidationError, Stopped."""
        with self._lock:
            if self._stop.is_set():
                raise Stopped("this server ends")
            running = self._running.get(wanted.build)
            if running is not None:
                if running[0].wanted.url != wanted.url:
                    raise errors.ValidationError(
                        {"archive_url": f"{wanted.build} is being staged from {running[0].wanted.url}"}
                    )
                return running[1]
            self._failed.pop(wanted.build, None)
            progress = Progress(wanted)
            future: Future[Staged] = Future()
            self._running[wanted.build] = progress, future
        # A daemon: one that waits for an archive which hangs must not keep the process.
        threading.Thread(target=self._run, args=(progress, sha256, future), name=wanted.build, daemon=True).start()
        return future

    def state(self, build: str) -> str:
        """staged, running, or unknown. Raises what made its staging fail."""
        # In this order: what ends between two looks is seen as ended.
        with self._lock:
            running, failed = build in self._running, self._failed.get(build)
        if self._depot.staged(build) is not None:
            return "staged"
        if running:
            return "running"
        if failed is not None:
            raise failed
        return "unknown"

    def progress(self) -> list[Progress]:
        """Those under way."""
        with self._lock:
            return [progress for progress, _ in self._running.values()]

    def close(self) -> None:
        """End those under way, or leave them to the end of the process; what they fetched stays."""
        self._stop.set()
        with self._lock:
            futures = [future for _, future in self._running.values()]
        wait(futures, _POLITE_S)

    def _settle(self) -> None:
        """What a server before this one staged, and did not live to put on the disk."""
        for staged in self._depot.all():
            self._depot.settle(staged.record.build)

    def _run(self, progress: Progress, sha256: str, future: Future[Staged]) -> None:
        build = progress.wanted.build
        try:
            with self._places:
                staged = self.stager.run(progress, sha256)
        except BaseException as problem:
            expected = isinstance(problem, (errors.AutotestError, OSError, Stopped))
            _log.warning("%s: not staged: %s", build, in_words(problem), exc_info=None if expected else problem)
            with self._lock:
                del self._running[build]
                while len(self._failed) >= _MOST_FAILURES:
                    del self._failed[next(iter(self._failed))]
                self._failed[build] = problem
            future.set_exception(problem)
        else:
            with self._lock:
                del self._running[build]
            future.set_result(staged)
            self._depot.settle(build)
