"""The trackers that come along: a file of JSON lines, and a webhook that is never waited for long nor shown."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading

import pytest
from paper_faults import FAULT

from autotest import errors, plugins
from autotest.results.notify import file, report, webhook
from autotest.results.notify.outbox import GROUP
from autotest.settings import Settings

REPORT = report.of(FAULT, {"labels": ["net"]})


class Receiver:
    """A webhook on loopback: what came, and what it answers."""

    def __init__(self):
        self.came: list[tuple[dict, bytes]] = []
        self.status, self.answer, self.headers = 200, b"", {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.came.append((dict(self.headers.items()), body))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_):
                """Quietly."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://me:hunter2@127.0.0.1:{self.server.server_address[1]}/hook?token=hunter2"


@pytest.fixture
def receiver():
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def hook(receiver, tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    config = Settings(
        root=tmp_path, bug_webhook_url=receiver.url, bug_webhook_secret_file=str(tmp_path / "secret"), source="x.toml"
    )
    return webhook.WebhookTracker(config)


def test_both_enter_by_the_strangers_door(tmp_path):
    assert plugins.one_of(GROUP, "file") is file.FileTracker
    assert plugins.one_of(GROUP, "webhook") is webhook.WebhookTracker


def test_the_file_holds_one_object_a_line(tmp_path):
    tracker = file.FileTracker(Settings(root=tmp_path))

    bug = tracker.file(REPORT)
    tracker.again(bug, REPORT)

    lines = [json.loads(line) for line in (tmp_path / "results" / "bugs.jsonl").read_text().splitlines()]
    assert [(line["bug"], line["again"], line["title"]) for line in lines] == [
        (REPORT.short_name, False, REPORT.title),
        (REPORT.short_name, True, REPORT.title),
    ]


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "results").write_text("")

    with pytest.raises(errors.BugTrackerFailed, match=r"bugs\.jsonl cannot be written: "):
        file.FileTracker(Settings(root=tmp_path)).file(REPORT)


def test_a_webhook_is_told_as_json_signed_with_the_secret(hook, receiver):
    receiver.answer = b'{"id": 4711}'

    assert hook.file(REPORT) == "4711"
    hook.again("4711", REPORT)

    (headers, first), (_, second) = receiver.came
    assert json.loads(first) == {"event": "new", "bug": "", "report": json.loads(json.dumps(REPORT.to_json()))}
    assert [json.loads(second)[key] for key in ("event", "bug")] == ["again", "4711"]
    digest = hmac.new(b"s3cret", first, hashlib.sha256).hexdigest()
    assert headers["X-Autotest-Signature"] == f"sha256={digest}"
    assert headers["Idempotency-Key"] == REPORT.key


@pytest.mark.parametrize(
    "said", [b"", b"thanks", b"[1]", b'{"id": null}', b'{"id": true}', b'{"id": "a\\nb"}', b"[" * 50_000]
)
def test_an_answer_without_a_name_leaves_the_fingerprint(hook, receiver, said):
    receiver.answer = said

    assert hook.file(REPORT) == REPORT.short_name


@pytest.mark.parametrize("status", [302, 404, 500])
def test_whatever_is_no_success_is_a_failure_and_no_redirection_is_followed(hook, receiver, status):
    receiver.status, receiver.headers = status, {"Location": receiver.url}

    with pytest.raises(errors.BugTrackerFailed, match=f"the webhook answers {status}"):
        hook.file(REPORT)
    assert len(receiver.came) == 1


def test_a_webhook_that_floods_is_cut_off(hook, receiver):
    receiver.answer = b"x" * (1 << 20)

    with pytest.raises(errors.BugTrackerFailed, match="answered more than"):
        hook.file(REPORT)


def test_a_webhook_that_is_gone_is_told_without_its_address(hook, receiver):
    receiver.server.server_close()

    with pytest.raises(errors.BugTrackerFailed) as failed:
        hook.file(REPORT)
    assert "hunter2" not in str(failed.value)
    assert "hunter2" not in repr(hook.settings)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


def test_a_webhook_that_says_nothing_is_not_waited_for(hook, receiver, monkeypatch):
    monkeypatch.setattr(webhook, "LIMIT_S", 0.2)
    released = threading.Event()
    monkeypatch.setattr(receiver.server, "process_request", lambda *_: released.wait(30))

    with pytest.raises(errors.BugTrackerFailed, match="nothing came in time"):
        hook.file(REPORT)
    released.set()


def test_a_password_in_the_address_is_sent_as_one(hook, receiver):
    hook.file(REPORT)

    assert receiver.came[0][0]["Authorization"] == "Basic bWU6aHVudGVyMg=="


@pytest.mark.parametrize("url", ["", "ftp://x/y", "localhost/hook", "http://me:a/b@host/hook", "http://[x/"])
def test_an_address_that_is_none_is_refused_by_the_name_of_its_setting(tmp_path, url):
    with pytest.raises(errors.ConfigError, match="bug_webhook_url is not an http:// or https:// address"):
        webhook.WebhookTracker(Settings(root=tmp_path, bug_webhook_url=url))
