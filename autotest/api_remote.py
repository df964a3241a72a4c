"""API calls as remote callers know them: under the names, and with the answers, of the original RPC."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from autotest import api_suites, errors

#: What create_suite_job() answers when no suite was created and the caller is not to blame.
NOT_CREATED = -1

_log = logging.getLogger(__name__)
_KNOWN = frozenset(inspect.signature(api_suites.create_suite_job).parameters) - {"suite_name"}


def create_suite_job(name: str = "", **arguments: Any) -> int:
    """:func:`autotest.api.create_suite_job` for the suite *name*. Returns the id of its job, or -1 for trouble of this
    installation (its database, say), which the log then names; keywords that nobody knows have no effect, and are named
    there too (control-files-and-suites.md section 4.1).

    Raises what the caller can answer: StageBuildFailure, NoControlFileList, ControlFileNotFound, ControlFileEmpty,
    ControlFileMalformed, NoEligibleHost and ValidationError.
    """
    unknown = sorted(set(arguments) - _KNOWN)
    if unknown:
        _log.warning("create_suite_job for suite %r: no such argument: %s", name, ", ".join(unknown))
    try:
        return api_suites.create_suite_job(name, **{key: arguments[key] for key in arguments.keys() & _KNOWN})
    except errors.RequestError:
        raise
    except errors.AutotestError as problem:
        _log.error("suite %r is not created: %s", name, problem)
        return NOT_CREATED
