"""Pictures: figures as files, in the format that the name of the file says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from autotest import errors
from autotest.results.perf import png, svg
from autotest.results.perf.figure import Figure

_F = TypeVar("_F", bound=Callable[..., Any])
FORMATS: dict[str, Callable[[Figure], bytes]] = {".svg": svg.rendered, ".png": png.rendered}


def option(required: bool = False) -> Callable[[_F], _F]:
    """The option ``--output`` of what can be drawn."""
    said = "A .svg or .png file." if required else "Draw it into a .svg or .png file instead."
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--output", "-o", required=required, callback=_checked, type=path, metavar="FILE", help=said)


def write(drawn: Figure, path: Path) -> None:
    """Raises RequestError when *path* cannot be written, or is a .png and Pillow is not installed."""
    content = FORMATS[path.suffix.lower()](drawn)
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise errors.RequestError(f"{path} cannot be written: {problem.strerror}") from problem


def _checked(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """A path on the command line that a picture can be written to, before anything is asked of a database."""
    if path is not None and path.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{path.name} ends neither in .svg nor in .png")
    return path
