"""Every knob of the installation, typed, read once from a TOML file and the environment.

Looked for, first hit wins: ``$AUTOTEST_CONFIG``, ``./autotest.toml``, ``/etc/autotest/autotest.toml``; none is fine.
``$AUTOTEST_<FIELD>`` overrides a field. A password stands in a URL or, better, in a file of its own that
``broker_password_file`` or ``database_password_file`` names; it is never shown: see :func:`shown`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from autotest import errors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PLACES = ("autotest.toml", "/etc/autotest/autotest.toml")


@dataclasses.dataclass(frozen=True)
class Settings:
    """One installation. Times are in seconds unless the name says otherwise."""

    #: Where everything is kept that has no place of its own: database, results, sockets, logs.
    root: Path = Path("~/.autotest")
    #: redis://, rediss:// (TLS) or redis+socket:// address of the broker.
    broker: str = dataclasses.field(default="redis://127.0.0.1:6379/0", repr=False)
    #: File that holds the broker's password and nothing else; load() puts it into broker.
    broker_password_file: str = ""
    #: Certificate of the authority that a rediss:// broker is checked against; empty means the system's authorities.
    broker_ca: str = ""
    #: sqlite:///PATH or mysql://USER:PASSWORD@HOST:PORT/NAME; empty means SQLite below root.
    database: str = dataclasses.field(default="", repr=False)
    #: File that holds the database's password and nothing else; load() puts it into database.
    database_password_file: str = ""
    #: Results folders; empty means below root.
    results: str = ""
    #: Where `autotest results prune` archives folders: a path or an address that fsspec knows (s3://BUCKET/PREFIX).
    results_archive: str = dataclasses.field(default="", repr=False)
    #: Bytes that results folders may take together before prune lets the oldest go; 0: no limit.
    results_quota: int = 0
    #: No work starts while the disk of the results has fewer bytes free, and prune sees to them; 0: any will do.
    results_floor: int = 1 << 29
    #: Staged builds, one folder a build, each with its own test_suites/ and control/; empty means below root.
    builds: str = ""
    #: Dev servers that stage builds which are not there: http://HOST:PORT, in the environment separated by spaces.
    devservers: tuple[str, ...] = ()
    #: Where the dev servers find builds: the bundle of a build lies at this address followed by /BUILD.
    build_archive: str = ""
    #: A build that the dev servers have not staged after so long cannot be.
    stage_limit: float = 6000.0
    #: How long a lease lives without a sign of life.
    lease_length: float = 900.0
    #: How often a worker gives a sign of life.
    beat_every: float = 5.0
    #: A step that nobody began after so long is sent again, then its lease is taken back.
    step_due: float = 10.0
    #: How often the sweep looks for work that no message points to.
    sweep_every: float = 2.0
    #: An entry whose worker, child or DUT vanished is queued again so many times, then fails.
    max_requeues: int = 2
    #: Repairs of one host for one job (section 2.6).
    max_repair_limit: int = 2
    #: Provision attempts of one entry after the first (section 2.6).
    max_provision_retries: int = 0
    #: Parse attempts of one entry before it fails with the reason.
    max_parse_attempts: int = 5
    #: A folder with test_suites/ and control/ of the installation's own, for suites with run_prod_code.
    prod_tree: str = ""
    #: The bug tracker that suites with file_bugs report to: file, webhook, or what entry point autotest.bugs names.
    bug_tracker: str = "file"
    #: Where the tracker webhook sends reports to; never shown, since such addresses hold passwords.
    bug_webhook_url: str = dataclasses.field(default="", repr=False)
    #: File that holds the secret which signs those reports, and nothing else.
    bug_webhook_secret_file: str = ""
    #: Limits of jobs that name none, minutes.
    job_timeout_mins: int = 1440
    job_max_runtime_mins: int = 1440
    #: Wall-clock limits of the steps that are not tests.
    verify_limit: float = 300.0
    repair_limit: float = 1800.0
    provision_limit: float = 3600.0
    #: Where this installation was read from, for messages; the names of fields that the environment set over it.
    source: str = "defaults"
    overridden: frozenset[str] = dataclasses.field(default=frozenset(), repr=False, compare=False)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.root_dir / 'autotest.db'}"

    @property
    def root_dir(self) -> Path:
        return self.root.expanduser().absolute()

    @property
    def results_dir(self) -> Path:
        return Path(self.results).expanduser().absolute() if self.results else self.root_dir / "results"

    @property
    def builds_dir(self) -> Path:
        return Path(self.builds).expanduser().absolute() if self.builds else self.root_dir / "builds"

    def where(self, name: str) -> str:
        """The field *name* and where it was set, as messages begin: ``FILE: NAME`` or ``environment: VARIABLE``."""
        return f"environment: {_variable(name)}" if name in self.overridden else f"{self.source}: {name}"


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises ConfigError, naming file and key."""
    chosen = path or _find(environment)
    values = {} if chosen is None else _read(chosen)
    overrides = {name: environment[_variable(name)] for name in _names() if _variable(name) in environment}
    origin = Settings(source="defaults" if chosen is None else str(chosen), overridden=frozenset(overrides))
    typed = {name: _typed(name, value, origin.where(name)) for name, value in {**values, **overrides}.items()}
    return _complete(dataclasses.replace(origin, **typed))


def shown(url: str) -> str:
    """A URL without its password and its query, fit for logs and messages."""
    # A password that somebody forgot to escape may hold '/', '?' and '@': all up to the last '@' is kept back.
    return re.sub(r"(//[^:/@\s]*):[^\s]*@", r"\1:***@", url).partition("?")[0]


def _complete(read: Settings) -> Settings:
    """The addresses with what stands elsewhere: passwords, and how TLS is checked."""
    if read.devservers and "://" not in read.build_archive:
        raise errors.ConfigError(
            f"{read.where('devservers')} is set, and build_archive {read.build_archive!r} is no address of builds"
        )
    broker = _with_password(read, "broker", read.broker_password_file)
    return dataclasses.replace(
        read, broker=_with_tls(read, broker), database=_with_password(read, "database", read.database_password_file)
    )


def _with_password(read: Settings, name: str, file: str) -> str:
    url: str = getattr(read, name)
    if not file:
        return url
    where = read.where(f"{name}_password_file")
    parts = _split(read, name, url)
    if not parts.scheme or parts.scheme == "sqlite":
        raise errors.ConfigError(f"{where} is set, and {name} {shown(url) or '(not set)'} knows no password")
    if parts.password:
        raise errors.ConfigError(f"{where} is set, and {name} {shown(url)} holds a password as well; keep one of them")
    user, _, rest = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.rstrip(':')}:{quote(secret(where, file), safe='')}@{rest}"))


def secret(where: str, file: str) -> str:
    """The one line that *file* holds. Raises ConfigError that begins with *where* and never shows it."""
    path = Path(file).expanduser()
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as problem:
        raise errors.ConfigError(f"{where} {path} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError:
        # Without the cause: its text shows a piece of the secret.
        raise errors.ConfigError(f"{where} {path} is not UTF-8 text") from None
    if not text or not text.isprintable():
        raise errors.ConfigError(f"{where} {path} must hold one line, the password or secret")
    return text


def _with_tls(read: Settings, url: str) -> str:
    """kombu speaks plain text to a rediss:// address that says nothing of TLS, so ours always says something."""
    parts = _split(read, "broker", url)
    if parts.scheme != "rediss":
        if read.broker_ca:
            raise errors.ConfigError(f"{read.where('broker_ca')} is set, and broker {shown(url)} is not rediss://")
        return url
    query = dict(parse_qsl(parts.query))
    if read.broker_ca:
        path = Path(read.broker_ca).expanduser().absolute()
        if not path.is_file():
            raise errors.ConfigError(f"{read.where('broker_ca')} {path} is not there")
        query["ssl_ca_certs"] = str(path)
    query.setdefault("ssl_cert_reqs", "required")
    return urlunsplit(parts._replace(query=urlencode(query)))


def _split(read: Settings, name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Without the cause: its text shows a piece of a password that was not escaped.
        raise errors.ConfigError(
            f"{read.where(name)} {shown(url)} is no address; escape what is special in a password, or keep it in "
            f"{name}_password_file"
        ) from None
    return parts


def _find(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("AUTOTEST_CONFIG")
    if named:
        return Path(named)
    return next((Path(place) for place in _PLACES if Path(place).is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as problem:
        raise errors.ConfigError(f"{path} cannot be read: {problem.strerror}") from problem
    except tomllib.TOMLDecodeError as problem:
        raise errors.ConfigError(f"{path} is not TOML: {problem}") from problem
    for name in values:
        if name not in _names():
            raise errors.ConfigError(f"{path}: unknown key {name!r}; known: {', '.join(sorted(_names()))}")
    return values


def _names() -> set[str]:
    """What can be set."""
    return {field.name for field in dataclasses.fields(Settings)} - {"source", "overridden"}


def _variable(name: str) -> str:
    return f"AUTOTEST_{name.upper()}"


def _addresses(value: Any, where: str) -> tuple[str, ...]:
    """A list in the file, words in the environment; each an HTTP address."""
    listed = value.split() if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(
        isinstance(one, str) and re.fullmatch(r"https?://[^\s/@?#]+/?", one) for one in listed
    ):
        raise errors.ConfigError(f"{where} must be a list of http://HOST:PORT, not {value!r}")
    return tuple(one.rstrip("/") for one in listed)


def _typed(name: str, value: Any, where: str) -> Any:
    wanted = type(getattr(Settings, name))
    if wanted in (int, float) and isinstance(value, bool):
        raise errors.ConfigError(f"{where} must be a number, not {value!r}")
    if wanted is tuple:
        return _addresses(value, where)
    try:
        return wanted(value)
    except (TypeError, ValueError, OverflowError) as problem:
        kind = {int: "a whole number", float: "a number"}.get(wanted, "a path")
        raise errors.ConfigError(f"{where} must be {kind}, not {value!r}") from problem
