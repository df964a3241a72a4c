"""Results page: folders below the results root as lists, files as plain text; nothing a DUT wrote is ever HTML."""

from __future__ import annotations

import asyncio
import datetime
import os
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar
from urllib.parse import quote

import tornado.web
from flower.views import BaseHandler
from tornado.iostream import StreamClosedError

from autotest import errors
from autotest.flower import lab_view, results_files
from autotest.models import database
from autotest.results.retention import records, restore
from autotest.settings import Settings

_PIECE = 64 * 1024

_T = TypeVar("_T")


class LabResults(BaseHandler):
    """One folder or file below the results root, read in *threads*; a job's folder that was archived comes back."""

    def initialize(self, config: Settings, threads: Executor) -> None:
        self._config = config
        self._threads = threads

    @tornado.web.authenticated
    async def get(self, path: str) -> None:
        path = path.removesuffix("/")
        try:
            descriptor = await self._in_thread(self._open, path)
        except errors.NotFound as problem:
            raise tornado.web.HTTPError(404, str(problem).replace("%", "%%")) from problem
        except (errors.NoRoom, errors.ArchiveFailed, errors.BadResultsFolder) as problem:
            raise tornado.web.HTTPError(503, str(problem).replace("%", "%%")) from problem
        try:
            if results_files.is_folder(descriptor):
                self._show(path, *await self._in_thread(results_files.names, descriptor))
            else:
                await self._send(path, descriptor)
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> int:
        root = self._config.results_dir
        try:
            return results_files.open_below(root, path)
        except errors.NotFound:
            tag = records.tag_in(path)
            if tag is None or not restore.is_away(root, tag):
                raise
            restore.open_folder(self._config, tag)
            return results_files.open_below(root, path)

    def _show(self, path: str, found: list[results_files.Found], is_cut: bool) -> None:
        steps = path.split("/")
        now = database.utc_now()
        self.render(
            "lab_results.html",
            crumbs=[(name, self._address("/".join(steps[: number + 1]))) for number, name in enumerate(steps)],
            found=[
                (each, self._address(f"{path}/{each.name}"), lab_view.moment(_time(each.modified), now))
                for each in found
            ],
            is_cut=is_cut,
        )

    async def _send(self, path: str, descriptor: int) -> None:
        name = quote(path.rpartition("/")[2])
        if await self._in_thread(results_files.is_text, descriptor):
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
        else:
            self.set_header("Content-Type", "application/octet-stream")
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        # A browser that makes something else of it all the same runs nothing of it.
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        self.set_header("Cache-Control", "no-cache")
        # A log that grows while it is read ends where it ended at the beginning.
        left = os.fstat(descriptor).st_size
        while left > 0:
            piece = await self._in_thread(os.read, descriptor, min(left, _PIECE))
            if not piece:
                return
            left -= len(piece)
            self.write(piece)
            try:
                await self.flush()
            except StreamClosedError:
                return

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _address(self, path: str) -> str:
        return self.reverse_url("lab_results", path)


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
