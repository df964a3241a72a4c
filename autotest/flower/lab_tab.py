"""The Lab tab: the page ``/lab``, what it fetches to stay up to date, and the results folders it links to.

Everything asks for Flower's own login, and is written by Flower's own base template.
"""

from __future__ import annotations

import asyncio
import functools
import json
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from celery import Celery
from flower.views import BaseHandler
from tornado.web import StaticFileHandler, URLSpec, authenticated

from autotest import errors
from autotest.flower import lab_rows, lab_view, results_files, steps_seen, watch
from autotest.flower.lab_rows import Details, Look
from autotest.flower.lab_view import LabView, Page, Question
from autotest.flower.results_graph import Pictures, ResultsGraph
from autotest.flower.results_page import LabResults
from autotest.models import database
from autotest.scheduler import floor
from autotest.settings import Settings

_STATIC = str(Path(__file__).parent / "static")
_THREADS = 4
#: A worker that was not seen for so many of its beats is taken for dead, as in the lists of api.py.
_BEATS = 6


class LabTab:
    """What the handlers share: the installation, and the watch over it."""

    def __init__(self, config: Settings, celery: Celery, files: Executor):
        self.config = config
        self._files = files
        self._dead_after_s = _BEATS * config.beat_every
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lab")
        self.watch = watch.Watch(threads, self._read, functools.partial(watch.knock_at_broker, celery))

    async def view(self, question: Question, events: Any) -> LabView:
        """The answer to *question*; *events* are Flower's."""
        now = database.utc_now()
        look, problems = await self.watch.latest()
        known = look or Look(now, [], [])
        lines = lab_view.lines(known.hosts, self._dead_after_s)
        page = Page.of(lab_view.chosen(lines, known, question), question.page, lab_view.HOSTS_A_PAGE)
        queues = lab_view.queue_lines(known, now)
        if problems and look is not None:
            problems = (*problems, f"what follows is as of {look.at:%H:%M:%S}")
        details = Details({}, {})
        try:
            if page.lines:
                ids = [line.host_id for line in page.lines]
                details = await self.watch.in_thread(functools.partial(lab_rows.details, ids))
        except errors.DatabaseUnreachable as problem:
            problems = problems or (str(problem),)
        states, labs = lab_view.choices(lines)
        return LabView(
            question=question,
            problems=problems,
            is_known=look is not None,
            counts=lab_view.counts(lines),
            hosts=lab_view.detailed(page, details, steps_seen.running(events), now),
            queues=Page.of(queues, question.queue_page, lab_view.QUEUES_A_PAGE),
            unserved=sum(not line.served for line in queues),
            waiting=sum(line.entries for line in queues),
            states=states,
            labs=labs,
        )

    async def folders(self, view: LabView) -> frozenset[str]:
        """Those results folders of the view that are there; none when the file system does not answer."""
        named = [line.doing.folder for line in view.hosts.lines if line.doing is not None]
        named += [line.last.folder for line in view.hosts.lines if line.last is not None]
        loop = asyncio.get_running_loop()
        looking = loop.run_in_executor(self._files, results_files.folders_there, self.config.results_dir, named)
        done, _ = await asyncio.wait({looking}, timeout=watch.PATIENCE_S)
        return looking.result() if done else frozenset()

    def _read(self) -> Look:
        return lab_rows.look(database.utc_now(), self._dead_after_s, floor.reason(self.config))


class _LabHandler(BaseHandler):
    """What the page and its data have in common."""

    def initialize(self, tab: LabTab) -> None:
        self._tab = tab

    async def _answer(self) -> dict[str, Any]:
        """The variables of the templates."""
        names = self.request.query_arguments
        question = Question.parse({name: self.get_argument(name, "", escape=False) for name in names})
        view = await self._tab.view(question, self.application.events)
        return {
            "view": view,
            "standings": lab_view.STANDINGS,
            "folders": await self._tab.folders(view),
            "results_dir": self._tab.config.results_dir,
        }


class LabPage(_LabHandler):
    """The whole page."""

    @authenticated
    async def get(self) -> None:
        version = functools.partial(StaticFileHandler.get_version, {"static_path": _STATIC})
        self.render("lab.html", static_version=version, **await self._answer())


class LabData(_LabHandler):
    """What changes on the page, as JSON; Tornado answers 304 to who has it already."""

    @authenticated
    async def get(self) -> None:
        answer = await self._answer()
        view: LabView = answer["view"]
        body = {
            "problems": view.problems,
            "counts": view.counts,
            "matching": view.hosts.total,
            "unserved": view.unserved,
            "html": self.render_string("lab_parts.html", **answer).decode(),
        }
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Cache-Control", "no-cache")
        self.write(json.dumps(body))


def handlers(config: Settings, celery: Celery) -> list[URLSpec]:
    """The pages of the Lab tab, to be asked before Flower's own."""
    # Threads of our own, for each what may hang: a database or a results root that is away takes none of Flower's.
    files = ThreadPoolExecutor(_THREADS, thread_name_prefix="results")
    tab = LabTab(config, celery, files)
    return [
        URLSpec(r"/lab", LabPage, {"tab": tab}, name="lab"),
        URLSpec(r"/lab/data", LabData, {"tab": tab}, name="lab_data"),
        URLSpec(
            r"/lab/graph/([^/]+)/([^/]+)\.svg",
            ResultsGraph,
            {"pictures": Pictures(), "threads": files},
            name="lab_graph",
        ),
        URLSpec(r"/lab/results/(.+)", LabResults, {"config": config, "threads": files}, name="lab_results"),
        URLSpec(r"/lab/static/(.*)", StaticFileHandler, {"path": _STATIC}, name="lab_static"),
    ]
