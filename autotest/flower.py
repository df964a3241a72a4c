"""``autotest flower``: Flower with our app, on loopback, with bounded memory, and a password when one is set."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from autotest import errors, settings

#: About 4.7 kB a task: 47 MB.
_MOST_TASKS = 10_000
_FORGET_WORKERS_S = 600


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True)
@click.option("--address", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--user", default="autotest", show_default=True, help="Login name when a password is set.")
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="First line is the password; else $AUTOTEST_FLOWER_PASSWORD.",
)
def flower(port: int, address: str, user: str, password_file: Path | None) -> None:
    """Watch the Celery tasks in a browser."""
    password = _password(password_file)
    if address not in ("127.0.0.1", "localhost", "::1") and not password:
        raise click.UsageError(f"listening on {address} needs a password: Flower lets anybody kill tasks")
    config = settings.load()
    environment = dict(os.environ)
    if password:
        environment["FLOWER_BASIC_AUTH"] = f"{user}:{password}"
    config.root_dir.mkdir(parents=True, exist_ok=True)
    arguments = [
        *(sys.executable, "-m", "celery", "-A", "autotest", "flower"),
        *(f"--address={address}", f"--port={port}"),
        *(f"--max_tasks={_MOST_TASKS}", f"--purge_offline_workers={_FORGET_WORKERS_S}"),
        *("--tasks_columns=name,args,state,received,runtime,worker", "--logging=warning"),
    ]
    os.execve(sys.executable, arguments, environment)


def _password(file: Path | None) -> str:
    if file is None:
        return os.environ.get("AUTOTEST_FLOWER_PASSWORD", "")
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError as problem:
        raise errors.ConfigError(f"{file} cannot be read: {problem.strerror}") from problem
