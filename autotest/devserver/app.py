"""App: the protocol of control-files-and-suites.md section 6 as FastAPI routes."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import PurePosixPath
from typing import cast

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from autotest import errors
from autotest.devserver import checksums, files, index
from autotest.devserver.allowed import Wanted
from autotest.devserver.config import Config
from autotest.devserver.depot import Depot
from autotest.devserver.files import BuildFile
from autotest.devserver.health import Health
from autotest.devserver.jobs import Jobs
from autotest.devserver.staging import Stopped, in_words
from autotest.devserver_client import fleet

_DEPENDENCY_INFO = "test_suites/dependency_info"
# control-files-and-suites.md section 4.6.
_VERSION = re.compile(r"/R\d+-[0-9.ab-]+$")
_TRUE = frozenset({"true", "1", "yes"})
#: What went wrong, as an HTTP status. 422 says that another server would refuse it too.
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (errors.ValidationError, 400),
    (errors.NotFound, 404),
    (errors.ArchiveRefused, 422),
    (errors.NoRoom, 507),
    (Stopped, 503),
    (errors.HttpFailed, 502),
    (OSError, 500),
)


def make_app(config: Config, depot: Depot, jobs: Jobs) -> FastAPI:
    """The server over *depot*; its end is the end of *jobs*."""
    app = FastAPI(title="autotest dev server", lifespan=_closing, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.requests = 0  # under way
    app.state.health = Health(config.folder)
    app.state.depot, app.state.jobs = depot, jobs
    for kind, status in _STATUSES:
        app.add_exception_handler(kind, _refusal(status))
    app.add_exception_handler(RequestValidationError, _incomplete)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_middleware(_Counted, state=app.state)
    _add_staging(app, depot, jobs)
    _add_control_files(app, depot)
    _add_files(app, depot, jobs)
    return app


def _add_staging(app: FastAPI, depot: Depot, jobs: Jobs) -> None:
    @app.get("/check_health")
    def check_health() -> JSONResponse:
        return JSONResponse(app.state.health.to_json(app.state.requests, len(jobs.progress())))

    @app.get("/stage")
    async def stage(
        archive_url: str = "",
        local_path: str = "",
        artifacts: str = "",
        names: str = Query("", alias="files"),
        sha256: str = "",
        delete_source: str = "",
        in_background: str = Query("", alias="async"),
    ) -> PlainTextResponse:
        if delete_source.lower() in _TRUE:
            raise errors.ValidationError({"delete_source": "this server deletes nothing that it did not make"})
        wanted = _wanted(jobs, archive_url, local_path, artifacts or names)
        digest = checksums.checked_form(sha256)
        if not await asyncio.to_thread(_use, depot, jobs, wanted, digest):
            future = jobs.start(wanted, digest)
            if in_background.lower() not in _TRUE:
                await asyncio.wrap_future(future)
        return PlainTextResponse("Success")

    @app.get("/is_staged")
    def is_staged(
        archive_url: str = "", local_path: str = "", artifacts: str = "", names: str = Query("", alias="files")
    ) -> PlainTextResponse:
        wanted = _wanted(jobs, archive_url, local_path, artifacts or names)
        state = jobs.state(wanted.build)
        if state == "staged":
            with depot.reading(wanted.build) as staged:
                for name in filter(None, names.split(",")):
                    _located(wanted.build, files.listing(staged.tree), name)
        return PlainTextResponse(str(state == "staged"), headers={"autotest-staging": state})

    @app.get("/staging")
    def staging() -> JSONResponse:
        return JSONResponse([progress.to_json() for progress in jobs.progress()])

    @app.get("/latestbuild")
    def latestbuild(target: str, milestone: str = "") -> PlainTextResponse:
        begin = f"{target}/R{milestone.removeprefix('R')}{'-' if milestone else ''}"
        builds = [build for build in jobs.stager.known(target) if build.startswith(begin) and _VERSION.search(build)]
        if not builds:
            raise errors.NotFound(f"no build {begin[:100]}... is known here")
        return PlainTextResponse(max(builds, key=fleet.version))


def _add_control_files(app: FastAPI, depot: Depot) -> None:
    @app.get("/controlfiles")
    def controlfiles(build: str, suite_name: str = "", control_path: str = "") -> Response:
        with depot.reading(build) as staged:
            if not control_path:
                paths = index.members(depot.index(staged), suite_name)
                return PlainTextResponse("".join(f"{path}\n" for path in paths))
            try:
                return PlainTextResponse(index.text(staged.tests, control_path))
            except errors.NotFound:
                # Bundles need not bring that one: it follows from the others.
                if control_path != _DEPENDENCY_INFO:
                    raise
                return JSONResponse(index.dependency_info(depot.index(staged)))

    @app.get("/list_suite_controls")
    def list_suite_controls(build: str, suite_name: str = "") -> JSONResponse:
        with depot.reading(build) as staged:
            paths = index.members(depot.index(staged), suite_name)
            # What is no UTF-8 cannot travel as JSON; asked for by name it comes as it is.
            return JSONResponse({path: index.text(staged.tests, path).decode("utf-8", "replace") for path in paths})


def _add_files(app: FastAPI, depot: Depot, jobs: Jobs) -> None:
    @app.get("/list_image_dir")
    def list_image_dir(archive_url: str) -> PlainTextResponse:
        with depot.reading(jobs.stager.build(archive_url).build) as staged:
            names = files.listing(staged.tree, staged.tree / "autotest")
        return PlainTextResponse("".join(f"{name}\n" for name in names))

    @app.get("/locate_file")
    def locate_file(file_name: str, build: str) -> PlainTextResponse:
        with depot.reading(build) as staged:
            return PlainTextResponse(_located(build, files.listing(staged.tree), file_name))

    @app.get("/tests_archive")
    def tests_archive(build: str) -> Response:
        with contextlib.ExitStack() as held:
            staged = held.enter_context(depot.reading(build))
            headers = files.digest_header(staged.record.tests_sha256)
            return BuildFile(staged.folder / "tests.tar", held, headers)

    @app.get("/static/{path:path}")
    def static(path: str) -> Response:
        build, name = files.find(depot, path)
        with contextlib.ExitStack() as held:
            staged = held.enter_context(depot.reading(build))
            return BuildFile(files.inside(staged, name), held)


def _located(build: str, paths: list[str], name: str) -> str:
    """The one of *paths* that *name* is, or that ends with it. Raises NotFound, also when it may mean several."""
    if name in paths:
        return name
    found = [path for path in paths if PurePosixPath(path).name == name]
    if len(found) != 1:
        fact = f"has {len(found)} files {name[:200]!r}: {', '.join(found[:5])}" if found else f"has no {name[:200]!r}"
        raise errors.NotFound(f"{build} {fact}")
    return found[0]


def _wanted(jobs: Jobs, archive_url: str, local_path: str, parts: str) -> Wanted:
    if not parts:
        raise errors.ValidationError({"artifacts": "Must specify something to stage."})
    return jobs.stager.build(archive_url or (f"file://{local_path}" if local_path else ""))


def _use(depot: Depot, jobs: Jobs, wanted: Wanted, sha256: str) -> bool:
    """Whether the build is staged, as it is wanted; then it was used now."""
    with contextlib.suppress(errors.NotFound), depot.reading(wanted.build) as staged:
        jobs.stager.check(staged, wanted, sha256)
        return True
    return False


def _refusal(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def refuse(request: Request, problem: Exception) -> Response:
        return PlainTextResponse(in_words(problem), status_code=status)

    return refuse


async def _incomplete(request: Request, problem: Exception) -> Response:
    """An argument is missing."""
    missing = [str(fault["loc"][-1]) for fault in cast(RequestValidationError, problem).errors()]
    return PlainTextResponse(f"{request.url.path}: missing or wrong: {', '.join(missing)}", status_code=400)


async def _unknown(request: Request, problem: Exception) -> Response:
    """No such method here, or not by this verb."""
    refused = cast(HTTPException, problem)
    fact = f"{request.method} {request.url.path}: {refused.detail}"
    return PlainTextResponse(fact, status_code=refused.status_code, headers=refused.headers)


@contextlib.asynccontextmanager
async def _closing(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.jobs.close()


class _Counted:
    """Counts the requests that are under way."""

    def __init__(self, app: ASGIApp, state: State):
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = int(scope["type"] == "http")
        self._state.requests += asked
        try:
            await self._app(scope, receive, send)
        finally:
            self._state.requests -= asked
