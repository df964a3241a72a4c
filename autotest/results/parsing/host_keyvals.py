"""The host keyval of a job's machine, wherever the run left it (results-and-tko.md section 5.1)."""

from __future__ import annotations

import json
import os

from autotest.client.host_keyval import FOLDER
from autotest.results.parsing import keyvals
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.records import KeyvalValue


def read(folder: ResultsFolder, machine: str, oddities: Oddities) -> dict[str, KeyvalValue]:
    """The host keyval of *machine*: beside the log, else from its host info store, else from the top folder."""
    name = _file_name(machine)
    if folder.top is None or name is None:
        return {}
    relative = os.fsencode(FOLDER) + b"/" + name
    if folder.read(relative) is not None:
        return keyvals.of(folder, relative, oddities)
    stored = _host_info_store(folder.read(b"host_info_store/" + name + b".store"), machine, oddities)
    return keyvals.of(folder, relative, oddities, base=folder.top) if stored is None else stored


def _host_info_store(content: bytes | None, machine: str, oddities: Oddities) -> dict[str, KeyvalValue] | None:
    if content is None:
        return None
    try:
        labels = [label for label in json.loads(content)["labels"] if isinstance(label, str)]
    except (ValueError, KeyError, TypeError, RecursionError):
        oddities.note(f"the host info store of {machine[:200]!a} is no JSON object with labels; not used")
        return None
    found: dict[str, KeyvalValue] = {"labels": ",".join(label.replace(":", "%3A") for label in labels)}
    models = [label.removeprefix("model:") for label in labels if label.startswith("model:")]
    return {**found, "platform": models[0]} if models else found


def _file_name(machine: str) -> bytes | None:
    # JSON of a hostile store may hold lone surrogates that no file name can; longer than this none may be.
    try:
        name = os.fsencode(machine)
    except UnicodeEncodeError:
        return None
    return name if 0 < len(name) <= 255 else None
