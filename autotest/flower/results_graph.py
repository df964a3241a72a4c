"""Results graph: a saved question as a picture at an address of its own, to be embedded in other pages."""

from __future__ import annotations

import asyncio
import datetime
import threading
from concurrent.futures import Executor
from typing import NamedTuple

import tornado.web
from flower.views import BaseHandler

from autotest import errors
from autotest.models import database, schema
from autotest.results.perf import graph, svg
from autotest.results.query import answers, saved

#: Minutes that a picture is shown again unless its address says otherwise, and that it may say.
MAX_AGE, LONGEST_AGE = 10, 60 * 24 * 7
#: So many pictures are kept.
_KEPT = 100


class _Drawn(NamedTuple):
    """A picture, and when the question was asked."""

    at: datetime.datetime
    content: bytes


class Pictures:
    """Draws saved questions, each again only once its picture is too old; may be used from any thread."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str], _Drawn] = {}
        self._lock = threading.Lock()

    def of(self, owner: str, name: str, max_age: datetime.timedelta, now: datetime.datetime) -> bytes:
        """The SVG of what *owner* saved as *name*, at most *max_age* old.

        Raises NotFound, ValidationError for a question that has no picture, BadCondition, TooManyRows,
        DatabaseUnreachable.
        """
        with self._lock:
            known = self._drawn.get((owner, name))
        if known is not None and now - known.at < max_age:
            return known.content
        with database.connection():
            schema.require_current()
            answer = answers.to(saved.load(owner, name), now)
        drawn = _Drawn(now, svg.rendered(graph.of_answer(answer)))
        with self._lock:
            self._drawn[owner, name] = drawn
            while len(self._drawn) > _KEPT:
                del self._drawn[min(self._drawn, key=lambda key: self._drawn[key].at)]
        return drawn.content


class ResultsGraph(BaseHandler):
    """``OWNER/NAME.svg?max_age=MINUTES``, drawn in *threads*."""

    def initialize(self, pictures: Pictures, threads: Executor) -> None:
        self._pictures = pictures
        self._threads = threads

    @tornado.web.authenticated
    async def get(self, owner: str, name: str) -> None:
        text = self.get_argument("max_age", str(MAX_AGE))
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= LONGEST_AGE):
            raise tornado.web.HTTPError(400, f"max_age is 0 to {LONGEST_AGE} minutes")
        age, now = datetime.timedelta(minutes=int(text)), database.utc_now()
        draw = asyncio.get_running_loop().run_in_executor(self._threads, self._pictures.of, owner, name, age, now)
        try:
            content = await draw
        except errors.NotFound as problem:
            raise tornado.web.HTTPError(404, str(problem).replace("%", "%%")) from problem
        except errors.RequestError as problem:
            raise tornado.web.HTTPError(400, str(problem).replace("%", "%%")) from problem
        except errors.DatabaseUnreachable as problem:
            raise tornado.web.HTTPError(503, str(problem).replace("%", "%%")) from problem
        self.set_header("Content-Type", "image/svg+xml; charset=UTF-8")
        # Names in it come from DUTs: whoever opens it as a page runs nothing of it.
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
        self.set_header("Cache-Control", f"private, max-age={int(age.total_seconds())}")
        self.write(content)
