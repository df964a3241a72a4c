"""``autotest flower``: Flower with our app and the Lab tab, on loopback, with a password when one is set."""

from __future__ import annotations

import os
from pathlib import Path

import click

from autotest import errors, settings


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
    """Watch the lab and the Celery tasks in a browser."""
    password = _password(password_file)
    if address not in ("127.0.0.1", "localhost", "::1") and not password:
        raise click.UsageError(f"listening on {address} needs a password: Flower lets anybody kill tasks")
    config = settings.load()
    config.root_dir.mkdir(parents=True, exist_ok=True)
    # Imported now: it brings Flower and the Celery app.
    from autotest.flower import app

    app.run(config, address, port, f"{user}:{password}" if password else "")


def _password(file: Path | None) -> str:
    if file is None:
        return os.environ.get("AUTOTEST_FLOWER_PASSWORD", "")
    try:
        password = file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError as problem:
        raise errors.ConfigError(f"{file} cannot be read: {problem.strerror}") from problem
    if not password:
        raise errors.ConfigError(f"{file} holds no password in its first line; without one anybody gets in")
    return password
