"""Test classes: found by name in the test folders, and imported (test-api-and-hosts.md section 2.1)."""

import importlib.util
import os
import sys
from typing import Any, Sequence

from autotest.client import error


def find(url: str, roots: Sequence[str]) -> str:
    """The path of ``<root>/<url>/<name>.py``; a later root wins, and ``a:b`` means the folder ``a/b``.

    Raises TestError when no root has the test.
    """
    parts = url.replace(":", "/").split("/")
    if all(part not in ("", ".", "..") for part in parts):
        for root in reversed(roots):
            path = os.path.join(os.path.abspath(root), *parts, parts[-1] + ".py")
            if os.path.isfile(path):
                return path
    raise error.TestError(f"{url}: test does not exist")


def load_class(path: str) -> Any:
    """The class named like the file at *path*. Its folder goes onto sys.path, so that a test may import its own parts.

    Raises TestError when there is no such class, and whatever the import raises.
    """
    folder, name = os.path.dirname(path), os.path.basename(path)[: -len(".py")]
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise error.TestError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # A test may be called like a module that is already in use, say time.
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)  # type: ignore[attr-defined]  # Python 3.6 types have no exec_module here
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise error.TestError(f"{path} defines no class {name!r}; name the class like its file")
    return found
