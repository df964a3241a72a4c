"""DevServer: one dev server as its client sees it (control-files-and-suites.md section 6)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from autotest import bounded_http, errors
from autotest.bounded_http import Answer

_SHORT_BODY = 64 << 10
_LONGEST_LIST = 64 << 20
_LONGEST_CONTROL_FILE = 1 << 20
_LONGEST_TESTS = 1 << 30
_HEALTH_S = 10.0
_CALL_S = 60.0
_DOWNLOAD_S = 1800.0
#: An overloaded server is asked again for so long.
_OVERLOAD_S = 60.0
_AGAIN_S = 3.0
_OVERLOADED = (b"Service Unavailable", b"Proxy Error")


class DevServer:
    """The dev server at *url*. Every call raises HttpFailed, whose text is the fact, unless it says otherwise.

    Calls end within *call_s* seconds, and by *deadline* on the monotonic clock, whatever the server does.
    """

    def __init__(self, url: str, call_s: float = _CALL_S, deadline: float = math.inf):
        self.url = url.rstrip("/")
        self._call_s = call_s
        self._deadline = deadline

    def __str__(self) -> str:
        return self.url

    def check_health(self) -> dict[str, Any]:
        """What the server says about its load; section 6 names the keys."""
        answer = self._ask("check_health", {}, _SHORT_BODY, _HEALTH_S)
        return _json(answer.body, dict)

    def stage(self, archive_url: str, artifacts: str, sha256: str = "") -> None:
        """Let it begin to stage *archive_url*; one that is staged or under way stays so."""
        values = {"archive_url": archive_url, "artifacts": artifacts, "files": "", "async": "True"}
        answer = self._ask("stage", {**values, **({"sha256": sha256} if sha256 else {})}, _SHORT_BODY)
        if answer.body.strip() != b"Success":
            raise errors.HttpFailed(f"stage: HTTP OK not accompanied by 'Success' but by {_begin(answer.body)}")

    def is_staged(self, archive_url: str, artifacts: str) -> tuple[bool, str]:
        """Whether it is staged, and what the server does about it: staged, running, unknown; '' if it does not say."""
        values = {"archive_url": archive_url, "artifacts": artifacts, "files": ""}
        answer = self._ask("is_staged", values, _SHORT_BODY)
        text = answer.body.strip()
        if text not in (b"True", b"False"):
            raise errors.HttpFailed(f"is_staged: neither True nor False but {_begin(answer.body)}", answer.status)
        return text == b"True", answer.headers.get("autotest-staging", "")

    def control_files(self, build: str, suite: str = "") -> list[str]:
        """The paths of the build's control files, or of those in *suite*. Raises NoControlFileList."""
        try:
            answer = self._ask("controlfiles", {"suite_name": suite, "build": build}, _LONGEST_LIST)
            return [line for line in _text(answer.body).splitlines() if line]
        except (errors.HttpFailed, UnicodeDecodeError) as problem:
            raise errors.NoControlFileList(self._no_control_file(build, problem)) from problem

    def control_file(self, build: str, path: str) -> str:
        """The text of one control file. Raises ControlFileNotFound, ControlFileEmpty, ControlFileMalformed."""
        try:
            answer = self._ask("controlfiles", {"control_path": path, "build": build}, _LONGEST_CONTROL_FILE)
        except errors.HttpFailed as problem:
            raise errors.ControlFileNotFound(self._no_control_file(build, problem)) from problem
        if not answer.body.strip():
            raise errors.ControlFileEmpty(f"Fetching {path} returned no data. (devserver: {self})")
        try:
            return _text(answer.body)
        except UnicodeDecodeError as problem:
            raise errors.ControlFileMalformed(
                f"{path} of {build} is not UTF-8 text: byte {problem.start} (devserver: {self})"
            ) from problem

    def suite_controls(self, build: str, suite: str = "") -> dict[str, str]:
        """The texts of the build's control files, or of those in *suite*, by path. Raises SuiteControlFileException."""
        try:
            answer = self._ask("list_suite_controls", {"build": build, "suite_name": suite}, _LONGEST_LIST)
            found = _json(answer.body, dict)
            if not all(isinstance(text, str) for text in found.values()):
                raise errors.HttpFailed("list_suite_controls: not a JSON object of texts")
            return found
        except errors.HttpFailed as problem:
            raise errors.SuiteControlFileException(self._no_control_file(build, problem)) from problem

    def dependency_info(self, build: str) -> dict[str, dict[str, list[str]]]:
        """For each suite of the build its control files, and what each depends on."""
        path = "test_suites/dependency_info"
        answer = self._ask("controlfiles", {"control_path": path, "build": build}, _LONGEST_LIST)
        return _json(answer.body, dict)

    def image_dir(self, archive_url: str) -> list[str]:
        """The files of the build beside its tests."""
        return _lines(self._ask("list_image_dir", {"archive_url": archive_url}, _LONGEST_LIST).body)

    def locate_file(self, build: str, name: str) -> str:
        """Where a file of the build can be fetched."""
        values = {"file_name": name, "artifacts": "", "build": build, "async": "False"}
        path = _lines(self._ask("locate_file", values, _SHORT_BODY).body)
        if len(path) != 1:
            raise errors.HttpFailed(f"locate_file: not one path but {len(path)} lines")
        return self.static_url(build, path[0])

    def latest_build(self, target: str, milestone: str = "") -> str:
        """The newest build of *target* that the server knows, ``<target>/R<milestone>-<version>``."""
        found = _lines(self._ask("latestbuild", {"target": target, "milestone": milestone}, _SHORT_BODY).body)
        if len(found) != 1:
            raise errors.HttpFailed(f"latestbuild: not one build but {len(found)} lines")
        if not found[0].startswith(f"{target}/"):
            raise errors.HttpFailed(f"latestbuild: no build of {target} but {_begin(found[0].encode())}")
        return found[0]

    def static_url(self, build: str, path: str) -> str:
        """The address of a file of the build."""
        return f"{self.url}/static/{quote(build)}/{quote(path)}"

    def fetch_tests(self, build: str, into: Path) -> None:
        """Write the tar archive of the build's ``control/`` and ``test_suites/`` to the file *into*, and check it."""
        address = f"{self.url}/tests_archive?{urlencode({'build': build})}"
        seconds = min(self._deadline - time.monotonic(), _DOWNLOAD_S)
        digest = hashlib.sha256()
        size = 0
        with bounded_http.opened(address, seconds, self._call_s) as stream, into.open("wb") as file:
            if stream.status != 200:
                raise errors.HttpFailed(_failure("tests_archive", stream.status, next(stream.pieces(), b"")))
            for piece in stream.pieces():
                size += len(piece)
                if size > _LONGEST_TESTS:
                    raise errors.HttpFailed(f"tests_archive: more than {_LONGEST_TESTS:,} bytes")
                digest.update(piece)
                file.write(piece)
            wanted = _digest(stream.headers)
        if wanted != digest.digest():
            raise errors.HttpFailed("tests_archive: what came is not what its Repr-Digest says")

    def _ask(self, method: str, values: Mapping[str, str], limit: int, seconds: float = math.inf) -> Answer:
        """GET the method; an overloaded server is asked again. Raises HttpFailed for every other status than 200."""
        address = f"{self.url}/{method}" + (f"?{urlencode(values)}" if values else "")
        began = time.monotonic()
        end = min(self._deadline, began + min(seconds, self._call_s))
        again_until = min(self._deadline, began + min(seconds, _OVERLOAD_S))
        while True:
            try:
                answer = bounded_http.get(address, end - time.monotonic(), limit)
            except errors.HttpFailed as problem:
                raise errors.HttpFailed(f"{method}: {problem}", problem.status) from problem
            overloaded = answer.status == 503 or (
                len(answer.body) < _SHORT_BODY and any(text in answer.body for text in _OVERLOADED)
            )
            if not overloaded and answer.status == 200:
                return answer
            # Half of them a little later than the other half: together they would be the overload.
            pause = _AGAIN_S * random.uniform(0.5, 1.5)
            if not overloaded or time.monotonic() + pause > again_until:
                raise errors.HttpFailed(_failure(method, answer.status, answer.body), answer.status)
            time.sleep(pause)
            end = min(self._deadline, time.monotonic() + min(seconds, self._call_s))

    def _no_control_file(self, build: str, problem: Exception) -> str:
        return f"Failed to get control file for {build} (devserver: {self}) (error: {problem})"


def archive_url(prefix: str, build: str) -> str:
    """The address of the bundle of *build*: its name below *prefix*, escaped where the kind of address asks for it."""
    escaped = quote(build) if prefix.partition("://")[0] in ("http", "https", "file") else build
    return f"{prefix.rstrip('/')}/{escaped}"


def _failure(method: str, status: int, body: bytes) -> str:
    return f"{method}: HTTP {status}: {bounded_http.explained(body) or 'without a reason'}"


def _text(body: bytes) -> str:
    return body.decode("utf-8")


def _lines(body: bytes) -> list[str]:
    try:
        return [line for line in _text(body).splitlines() if line]
    except UnicodeDecodeError as problem:
        raise errors.HttpFailed(f"no text but {_begin(body)}") from problem


def _json(body: bytes, kind: type[dict]) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise errors.HttpFailed(f"no JSON but {_begin(body)}") from problem
    if not isinstance(found, kind):
        raise errors.HttpFailed(f"no JSON object but {_begin(body)}")
    return found


def _digest(headers: Mapping[str, str]) -> bytes:
    """The sha-256 of a Repr-Digest header (RFC 9530)."""
    for part in headers.get("repr-digest", "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "sha-256":
            try:
                return base64.b64decode(value.strip(":"), validate=True)
            except binascii.Error:
                break
    raise errors.HttpFailed("tests_archive: came without a sha-256 in a Repr-Digest header")


def _begin(body: bytes) -> str:
    return ascii(body[:80].decode("utf-8", "replace")) + (" ..." if len(body) > 80 else "")
