"""Staging: one build from its archive into the depot: found, fetched, checked, unpacked, published whole."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from autotest import errors
from autotest.archives import unpack
from autotest.devserver import allowed, checksums, download, index, locks, quota
from autotest.devserver.allowed import Wanted
from autotest.devserver.config import Config
from autotest.devserver.depot import Depot, Record, Staged, boot_id
from autotest.devserver.download import Pace
from autotest.devserver.sources.base import Found, Source
from autotest.devserver.sources.chosen import Sources

_log = logging.getLogger(__name__)
_LARGEST_SUMS = 4 << 20
# Of what is spare a staging takes so much without asking again: counting takes longer than a small file.
_STEP = 256 << 20


class Stopped(Exception):
    """The server ends; what was fetched stays for the next one."""


class Progress:
    """How far one staging is; read by other threads."""

    def __init__(self, wanted: Wanted):
        self.wanted = wanted
        #: waiting, looking, fetching, checking, unpacking, indexing, staged, failed
        self.step = "waiting"
        self.done = 0
        self.total: int | None = None
        self.began = time.monotonic()

    def enter(self, step: str, total: int | None = None) -> None:
        """Begin a step of *total* bytes."""
        self.step, self.done, self.total = step, 0, total

    def to_json(self) -> dict[str, object]:
        """A JSON object; bytes, and seconds since the beginning."""
        return {
            "build": self.wanted.build,
            "archive_url": self.wanted.url,
            "step": self.step,
            "done_bytes": self.done,
            "total_bytes": self.total,
            "seconds": round(time.monotonic() - self.began, 1),
        }


class Stager:
    """Stages builds into *depot*, each once however many ask. *stop* is set when the server ends."""

    def __init__(self, config: Config, depot: Depot, stop: threading.Event):
        self._config = config
        self._depot = depot
        self._stop = stop
        self._sources = Sources(config.sources, config.stage_limit_mins * 60)

    def find(self, wanted: Wanted) -> tuple[Source, str, Found]:
        """The bundle of a build: who reads it, its address, and what is known of it. Raises NotFound, HttpFailed."""
        source = self._sources.of(wanted.url)
        for url in wanted.bundles:
            found = source.find(url)
            if found is not None:
                return source, url, found
        places = ", ".join(url.rpartition("/")[2] for url in wanted.bundles)
        raise errors.NotFound(f"there is no bundle at {wanted.url}; looked for {places}")

    def known(self, target: str) -> list[str]:
        """Builds ``<target>/...`` that are staged, or lie below sources that tell their names."""
        found = {one.record.build for one in self._depot.all() if one.record.build.startswith(f"{target}/")}
        for source in self._config.sources:
            with contextlib.suppress(errors.HttpFailed):
                for name in self._sources.of(source).names(f"{source}/{target}"):
                    found.add(f"{target}/{name.removesuffix(unpack.suffix_of(name))}")
        return sorted(found)

    def run(self, progress: Progress, sha256: str) -> Staged:
        """Stage the build, or wait until another process has. *sha256* is what its bundle must have; '' if unknown.

        What it returns is whole and may be read; ``Depot.settle`` makes it outlast a power cut.

        Raises NotFound, HttpFailed, ArchiveRefused, NoRoom, ValidationError, OSError, and Stopped.
        """
        wanted = progress.wanted
        deadline = time.monotonic() + self._config.stage_limit_mins * 60

        def goes_on() -> bool:
            return not self._stop.is_set() and time.monotonic() < deadline

        with locks.held(self._depot.lock(wanted.build), False, goes_on) as mine:
            staged = self._depot.staged(wanted.build)
            if staged is not None:
                self.check(staged, wanted, sha256)
                return staged
            if not mine:
                raise Stopped(f"{wanted.build}: another process stages it and did not finish")
            return _Run(self, progress, sha256, deadline).stage()

    def check(self, staged: Staged, wanted: Wanted, sha256: str) -> None:
        """See that what is staged is what is wanted. Raises ValidationError."""
        record = staged.record
        if record.bundle not in wanted.bundles or (sha256 and sha256 != record.sha256):
            fact = f"a bundle of the sha256 {record.sha256 or '(not computed)'}"
            if record.bundle not in wanted.bundles:
                fact = record.bundle
            raise errors.ValidationError(
                {"archive_url": f"{record.build} is staged from {fact}; evict it first: autotest devserver evict"}
            )

    def build(self, archive_url: str) -> Wanted:
        """The build that an archive address means. Raises ValidationError."""
        wanted = allowed.wanted(self._config.sources, archive_url)
        self._depot.folder(wanted.build)
        return wanted


class _Run:
    """One staging, by the holder of the build's lock."""

    def __init__(self, stager: Stager, progress: Progress, sha256: str, deadline: float):
        self._stager = stager
        self._config = stager._config
        self._depot = stager._depot
        self._progress = progress
        self._sha256 = sha256
        self._deadline = deadline
        self._granted = 0
        self._fetched = 0
        self._folder = stager._depot.incoming(progress.wanted.build)

    def stage(self) -> Staged:
        """All of it; what was unpacked goes away when it fails, and a download that is worth it stays."""
        build = self._progress.wanted.build
        self._folder.mkdir(exist_ok=True)
        keep = False
        try:
            self._depot.clear(build, keep_download=True)
            self._folder.mkdir(exist_ok=True)
            record, facts = self._make()
            self._depot.publish(record, facts)
        except (errors.HttpFailed, Stopped, errors.NoRoom):
            keep = True
            raise
        finally:
            if self._folder.exists():
                self._depot.clear(build, keep)
        staged = self._depot.staged(build)
        if staged is None:
            raise OSError(f"{build} was staged and is gone")
        _log.info("staged %s: %d bytes", build, staged.record.bytes)
        return staged

    def _make(self) -> tuple[Record, dict[str, object]]:
        wanted = self._progress.wanted
        self._progress.enter("looking")
        source, url, found = self._stager.find(wanted)
        expected = self._expected(source, url)
        if found.size is not None:
            self._room(found.size)
        tree = self._folder / "tree"
        tree.mkdir()
        local = source.local(url)
        if local is not None:
            # Nobody to compare with: a checksum would be half of the work.
            with _hashing(local, self._goes_on) if expected else contextlib.nullcontext() as digest:
                facts, tests_sha256 = self._fill(local, url, tree)
                self._progress.enter("checking")
                sha256 = digest.result() if digest is not None else ""
            self._compare(url, expected, sha256)
            if source.find(url) != found:
                raise errors.HttpFailed(f"{url} changed while it was read")
        else:
            self._progress.enter("fetching", found.size)
            bundle, sha256 = download.fetch(source, url, found, self._folder, Pace(self._fetch_got, self._pause))
            self._compare(url, expected, sha256)
            facts, tests_sha256 = self._fill(bundle, url, tree)
            bundle.unlink()
            (self._folder / "bundle.json").unlink()
        record = Record(
            build=wanted.build,
            archive_url=wanted.url,
            bundle=url,
            sha256=sha256,
            checked=bool(expected),
            bytes=self._depot.incoming_bytes(wanted.build)[0],
            staged_at=time.time(),
            boot=boot_id(),
            tests_sha256=tests_sha256,
            tests_root=index.tests_root(tree),
        )
        return record, facts

    def _fill(self, bundle: Path, url: str, tree: Path) -> tuple[dict[str, object], str]:
        """Unpack the bundle, index its tests and pack them. Returns the index, and the sha256 of the pack."""
        self._unpack(bundle, url, tree)
        self._progress.enter("indexing")
        self._unpack_tests(tree)
        tests = tree / index.tests_root(tree)
        facts = index.of(tests)
        sha256 = index.pack(tests, self._folder / "tests.tar")
        return facts, sha256

    def _expected(self, source: Source, url: str) -> str:
        """The sha256 that the bundle must have; '' when nobody says."""
        folder, _, name = url.rpartition("/")
        if self._sha256:
            return self._sha256
        sums = source.read(f"{folder}/{checksums.FILE}", _LARGEST_SUMS)
        if sums is not None:
            return checksums.listed(sums.decode("utf-8", "replace"), name)
        if self._config.require_checksum:
            raise errors.ArchiveRefused(f"{url} comes without a sha256, and there is no {checksums.FILE} beside it")
        return ""

    def _unpack(self, bundle: Path, url: str, tree: Path) -> None:
        self._progress.enter("unpacking")
        try:
            unpack.into(tree, bundle, url.rpartition("/")[2], self._config.limits, self._unpack_room)
        except errors.ArchiveRefused as problem:
            raise errors.ArchiveRefused(f"{url}: {problem}") from problem

    def _unpack_tests(self, tree: Path) -> None:
        """A bundle may hold its tests as an archive of their own, ``autotest.tar.gz`` and the like."""
        inner = [tree / f"autotest{suffix}" for suffix in unpack.KINDS]
        there = [path for path in inner if path.is_file() and not path.is_symlink()]
        if (tree / "autotest").exists() or not there:
            return
        (tree / "autotest").mkdir()
        try:
            unpack.into(tree / "autotest", there[0], there[0].name, self._config.limits, self._unpack_room)
        except errors.ArchiveRefused as problem:
            raise errors.ArchiveRefused(f"{there[0].name} of the bundle: {problem}") from problem
        there[0].unlink()

    def _compare(self, url: str, expected: str, sha256: str) -> None:
        if expected and expected != sha256:
            shutil.rmtree(self._folder)
            # What came is wrong, not what it should be: another server, or a later attempt, may get it right.
            raise errors.HttpFailed(f"{url} has the sha256 {sha256} instead of {expected}")

    def _fetch_got(self, size: int) -> None:
        self._goes_on()
        self._progress.done += size
        self._fetched = max(self._fetched, self._progress.done)
        self._room(self._progress.done)

    def _unpack_room(self, total: int) -> None:
        self._goes_on()
        if self._progress.step == "unpacking":
            self._progress.done = total
        self._room(self._fetched + total)

    def _room(self, total: int) -> None:
        if total > self._granted:
            room = quota.make_room(self._depot, self._progress.wanted.build, total, self._config.quota)
            for build in room.evicted:
                _log.info("evicted %s for %s", build, self._progress.wanted.build)
            self._granted = total + min(room.spare, _STEP)

    def _goes_on(self) -> None:
        if self._stop_asked():
            raise Stopped(f"{self._progress.wanted.build}: the server ends, or the time is over")

    def _stop_asked(self) -> bool:
        return self._stager._stop.is_set() or time.monotonic() > self._deadline

    def _pause(self, seconds: float) -> None:
        self._stager._stop.wait(seconds)
        self._goes_on()


@contextlib.contextmanager
def _hashing(bundle: Path, goes_on: Callable[[], None]) -> Iterator[Future[str]]:
    """The sha256 of a file, computed while the block does something else with it."""
    digest: Future[str] = Future()

    def compute() -> None:
        try:
            digest.set_result(checksums.of_file(bundle, lambda _: goes_on()))
        except BaseException as problem:
            digest.set_exception(problem)

    thread = threading.Thread(target=compute, name="sha256")
    thread.start()
    try:
        yield digest
    finally:
        thread.join()


def in_words(problem: BaseException) -> str:
    """A failure as one line for those who asked."""
    if isinstance(problem, OSError):
        return f"the disk of this dev server: {problem.strerror or problem}"
    return " ".join(str(problem).split()) or type(problem).__name__
