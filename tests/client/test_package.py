"""The client can go anywhere: Python 3.6 grammar, standard library only."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "autotest" / "client"
SOURCES = sorted(CLIENT.glob("**/*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_file_has_python_3_6_grammar_and_imports_nothing_foreign(source):
    tree = ast.parse(source.read_text(), feature_version=(3, 6))
    for node in ast.walk(tree):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not getattr(node, "level", 0), f"{source.name}: relative import"
        for name in names:
            assert name.split(".")[:2] == ["autotest", "client"] or name.split(".")[0] in sys.stdlib_module_names, name


def test_nothing_asks_for_its_own_file():
    assert not [source.name for source in SOURCES if "__file__)" in source.read_text()]


def test_the_whole_package_is_checked():
    assert {"__main__.py", "job.py", "status_log.py", "keyval.py"} <= {source.name for source in SOURCES}
