"""Brokers that throw queues away, that want a password, that speak TLS, or that tell nothing of themselves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nodes.process import Process

SECRET = "p@ss/w:rd%"
LAB = 'name = "desk"\n'


@pytest.fixture
def lab_file(tmp_path: Path) -> Path:
    file = tmp_path / "desk.toml"
    file.write_text(LAB)
    return file


@contextlib.contextmanager
def serving(autotest, lab_file: Path) -> Iterator[Process]:
    """A lab worker that got so far as to serve."""
    argv = [sys.executable, "-m", "autotest", "worker", "run", "--config", str(lab_file)]
    worker = Process("worker", argv, autotest.root, autotest.environment, lambda it: " ready." in it.fresh_logs(), {})
    worker.start()
    try:
        worker.ready()
        yield worker
    finally:
        worker.teardown()


# Evicting


@pytest.mark.parametrize("kind", [("run", "--config"), ("results", "--config"), ("suites",), ("beat",)])
def test_no_worker_starts_on_a_broker_that_throws_queues_away(autotest, own_broker, lab_file, kind):
    broker = own_broker("maxmemory 10mb\nmaxmemory-policy allkeys-lru")
    autotest.settings["broker"] = f"redis://127.0.0.1:{broker.port}/0"

    refused = autotest("worker", *kind, *([lab_file] if "--config" in kind else []))

    assert refused.returncode == 1
    assert refused.stderr.strip().splitlines()[-1] == (
        f"autotest: the broker redis://127.0.0.1:{broker.port}/0 cannot be used: it throws keys away once it holds "
        "10485760 bytes (maxmemory-policy allkeys-lru), and queues are keys; set maxmemory-policy to noeviction"
    )


def test_a_broker_that_may_not_tell_is_trusted_with_a_warning(autotest, own_broker, lab_file):
    broker = own_broker("user default on nopass ~* &* +@all -info -config")
    autotest.settings["broker"] = f"redis://127.0.0.1:{broker.port}/0"

    with serving(autotest, lab_file) as worker:
        assert "does not say whether it throws keys away; its maxmemory-policy must be noeviction" in worker.logs()


# Passwords


def test_a_worker_serves_with_the_password_of_a_file_and_shows_it_nowhere(autotest, own_broker, lab_file, tmp_path):
    broker = own_broker(f"requirepass {SECRET}")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    autotest.settings |= {
        "broker": f"redis://127.0.0.1:{broker.port}/0",
        "broker_password_file": tmp_path / "secret",
    }

    with serving(autotest, lab_file) as worker:
        assert "lab desk: incarnation 1" in worker.logs()
    assert SECRET not in worker.logs()
    assert "p%40ss" not in worker.logs()


@pytest.mark.parametrize("user", [":wrong-one@", ""])
def test_a_wrong_password_or_none_is_one_line_at_once_and_exit_code_3(autotest, own_broker, lab_file, user):
    broker = own_broker(f"requirepass {SECRET}")
    autotest.settings["broker"] = f"redis://{user}127.0.0.1:{broker.port}/0"

    refused = autotest("worker", "run", "--config", lab_file)

    assert refused.returncode == 3
    (said,) = (line for line in refused.stderr.splitlines() if "autotest:" in line)
    assert "refuses us: " in said
    assert said.endswith("; check user and password (broker, broker_password_file)")
    assert "wrong-one" not in refused.stderr
    assert "Traceback" not in refused.stderr


# TLS: the embedded server is built without it, so a tunnel speaks it in front of the server.


class Tunnel:
    """TLS outside, a plain broker inside."""

    def __init__(self, folder: Path, inner: int):
        self.ca = folder / "ca.pem"
        self.port = 0
        self._inner = inner
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*_certificate(folder))
        self._loop = asyncio.new_event_loop()

    @contextlib.contextmanager
    def running(self) -> Iterator[Tunnel]:
        """Listen on a loopback port while the block runs."""
        thread = threading.Thread(target=self._loop.run_forever, name="tunnel")
        thread.start()
        try:
            self._do(self._listen())
            yield self
        finally:
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._inner)
        with contextlib.suppress(OSError):
            await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "broker of a test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "ca.pem", folder / "tls.key"


@pytest.fixture
def tunnel(own_broker, tmp_path: Path) -> Iterator[Tunnel]:
    broker = own_broker(f"requirepass {SECRET}")
    with Tunnel(tmp_path, broker.port).running() as tunnel:
        yield tunnel


def test_a_worker_serves_over_tls_with_the_authority_of_the_settings(autotest, tunnel, lab_file, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    autotest.settings |= {
        "broker": f"rediss://127.0.0.1:{tunnel.port}/0",
        "broker_ca": tunnel.ca,
        "broker_password_file": tmp_path / "secret",
    }

    with serving(autotest, lab_file) as worker:
        # Only a consumer that is connected as well says that it is ready.
        assert "lab desk: incarnation 1" in worker.logs()
    assert SECRET not in worker.logs()


def test_a_broker_whose_certificate_nobody_vouches_for_is_refused(autotest, tunnel, lab_file, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    autotest.settings |= {
        "broker": f"rediss://127.0.0.1:{tunnel.port}/0",
        "broker_password_file": tmp_path / "secret",
    }

    refused = autotest("worker", "run", "--config", lab_file, "--patience", "0")

    assert refused.returncode == 3
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr.strip().splitlines()[-1]
    assert SECRET not in refused.stderr
