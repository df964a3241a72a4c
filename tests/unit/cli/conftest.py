"""``autotest`` as a function: arguments in, click's result out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autotest import cli


class Command:
    """Runs ``autotest ARGUMENTS`` in this process."""

    def __call__(self, *arguments: object, code: int = 0, answer: str | None = None) -> Result:
        result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments], input=answer)
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: object) -> Any:
        """What the command prints with --json."""
        return json.loads(self(*arguments, "--json").stdout)


@pytest.fixture
def command() -> Command:
    return Command()
