"""The state file: what a run remembers across reboots, as JSON (test-api-and-hosts.md section 1.5)."""

import contextlib
import fcntl
import os
from typing import Any, Dict, Iterator

from autotest.client import durable, encoding, typed_json

_REQUIRED = object()


class State:
    """Values by namespace and name. Every call goes to the file, under a lock, so forked tasks share it."""

    def __init__(self, path: str):
        self.path = os.path.abspath(path)

    def exists(self) -> bool:
        """Is there a state to continue from?"""
        return os.path.exists(self.path)

    def get(self, namespace: str, name: str, default: Any = _REQUIRED) -> Any:
        """A fresh copy of the value. Raises KeyError when it is missing and there is no *default*."""
        values = self._load().get(namespace, {})
        if name in values:
            return values[name]
        if default is _REQUIRED:
            raise KeyError(f"no value {name!r} is kept in namespace {namespace!r}")
        return default

    def set(self, namespace: str, name: str, value: Any) -> None:
        """Keep *value*, on disk at once. Raises TypeError when it is no plain value."""
        with self._locked():
            values = self._load()
            values.setdefault(namespace, {})[name] = value
            durable.write(self.path, typed_json.dumps(values))

    def discard(self, namespace: str, name: str) -> None:
        """Forget a value that may not be there."""
        with self._locked():
            values = self._load()
            if name in values.get(namespace, {}):
                del values[namespace][name]
                durable.write(self.path, typed_json.dumps(values))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.path + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> Dict[str, Dict[str, Any]]:
        if not self.exists():
            return {}
        with open(self.path, "rb") as file:
            text = encoding.to_text(file.read())
        try:
            return typed_json.loads(text)
        except ValueError as reason:
            raise ValueError(f"state file {self.path} cannot be read ({reason}); start the run afresh") from reason
