"""The tracker ``webhook``: each report goes to a URL of yours as JSON, signed if a secret is set.

Neither the URL nor the secret is ever shown: many such URLs hold a password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import unquote, urlsplit

from autotest import bounded_http, errors, settings
from autotest.results.notify import base
from autotest.results.notify.report import Report
from autotest.settings import Settings

SIGNATURE = "X-Autotest-Signature"
#: Seconds that one report may take.
LIMIT_S = 10.0
_LARGEST_ANSWER = 64 * 1024
_LONGEST_ID = 255


class WebhookTracker(base.BugTracker):
    """POSTs ``{"event": "new" | "again", "bug": ..., "report": {...}}`` to ``bug_webhook_url``; any status but 2xx
    means that the report was not taken, redirections among them.

    The answer to a new bug may be a JSON object with its ``id``; otherwise it is called by its fingerprint.
    """

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self._authorization = _authorization(settings)
        self._secret = _secret(settings)

    def file(self, report: Report) -> str:
        """See :meth:`base.BugTracker.file`."""
        answer = self._post({"event": "new", "bug": "", "report": report.to_json()}, report.key)
        return _id_in(answer) or report.short_name

    def again(self, tracker_id: str, report: Report) -> None:
        """See :meth:`base.BugTracker.again`."""
        self._post({"event": "again", "bug": tracker_id, "report": report.to_json()}, report.key)

    def _post(self, data: dict[str, Any], key: str) -> bytes:
        body = json.dumps(data, sort_keys=True).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "autotest"}
        headers |= self._authorization
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        try:
            answer = bounded_http.post(self.settings.bug_webhook_url, body, LIMIT_S, _LARGEST_ANSWER, headers)
        except errors.HttpFailed as problem:
            raise errors.BugTrackerFailed(f"the webhook {problem}") from None
        if not 200 <= answer.status < 300:
            raise errors.BugTrackerFailed(f"the webhook answers {answer.status}")
        return answer.body


def _authorization(config: Settings) -> dict[str, str]:
    """The header that carries the user and password of the address, if it has them."""
    try:
        parts = urlsplit(config.bug_webhook_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # Without the cause: its text shows a piece of the address.
        raise errors.ConfigError(
            f"{config.where('bug_tracker')} is webhook, and bug_webhook_url is not an http:// or https:// address"
        ) from None
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _secret(config: Settings) -> str:
    file = config.bug_webhook_secret_file
    return settings.secret(config.where("bug_webhook_secret_file"), file) if file else ""


def _id_in(answer: bytes) -> str:
    try:
        data = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    found = data.get("id") if isinstance(data, dict) else None
    text = str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
    return text if text.isprintable() and len(text) <= _LONGEST_ID else ""
