"""`import autotest` costs nothing, hands out the API when asked, and knows no other names."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

import autotest


def test_importing_autotest_imports_nothing():
    code = "import sys; before = set(sys.modules); import autotest; print(*sorted(set(sys.modules) - before))"
    # -S: without site, whose .pth files import things of their own.
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {autotest.__path__[0] + '/..'!r}); {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["autotest"]


def test_a_front_door_name_comes_from_the_api(monkeypatch):
    api = types.ModuleType("autotest.api")
    api.create_suite_job = lambda *args: "made"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "autotest.api", api)
    assert autotest.create_suite_job() == "made"


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="module 'autotest' has no attribute 'app'"):
        _ = autotest.app


def test_the_front_door_is_listed():
    assert {"create_suite_job", "wait_for_suite", "__version__"} <= set(dir(autotest))
