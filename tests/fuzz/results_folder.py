"""Fuzzer of the parser and the keyval readers, coverage-guided by atheris, which is installed for this alone.

    pip install atheris
    python tests/fuzz/results_folder.py -max_total_time=600 CORPUS

It begins with the vectors, which it puts into CORPUS, and ends at the first input that makes anything raise.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["autotest.results", "autotest.client"]):
    from autotest.client import exit_file, keyval, status_log
    from autotest.results import parser
    from autotest.results.parsing import parse_log, vector_form

VECTORS = Path(__file__).parents[1] / "vectors"
#: Between log, keyval and samples of one input; in no file that anybody wrote.
_BETWEEN = b"\xfe\xff"
_NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)


def seeds(corpus: Path) -> None:
    """Write the vectors as inputs."""
    corpus.mkdir(parents=True, exist_ok=True)
    for path in VECTORS.glob("status_logs*/*.json"):
        case = json.loads(path.read_text())
        parts = [_first(case["files"], name) for name in ("status.log", "keyval", "results/keyval")]
        (corpus / path.stem).write_bytes(bytes([case["status_version"], 0]) + _BETWEEN.join(parts))


def _first(files: dict[str, str], name: str) -> bytes:
    found = [text for path, text in files.items() if path.endswith(name)]
    return found[0].encode("utf-8", "surrogateescape") if found else b""


def one_input(folder: Path, data: bytes) -> None:
    """Parse a folder made of *data*: a byte for the version, one for the mode, then the files."""
    version, mode = (*data[:2], 0, 0)[:2]
    log, pairs, samples = (*data[2:].split(_BETWEEN, 2), b"", b"")[:3]
    _write(folder, log, pairs + b"\nstatus_version=%d\n" % (version & 1), samples)
    result = parser.read(folder, strict=bool(mode & 1))
    json.dumps(vector_form.full(result), allow_nan=False)
    assert parse_log.parse(parse_log.render(result, _NOW)) == result.oddities
    keyval.parse(data, lambda *_: None, "perf")
    keyval.parse_iterations(data, lambda *_: None)
    with contextlib.suppress(ValueError):
        status_log.StatusEntry.parse(data.decode("utf-8", "surrogateescape"))


def _write(folder: Path, log: bytes, pairs: bytes, samples: bytes) -> None:
    contents = {
        "status.log": log,
        "keyval": pairs,
        exit_file.NAME: samples,
        "host_keyvals/1": samples,
        "host_info_store/a,b.store": samples,
        "t1/keyval": pairs,
        "t1/results/keyval": samples,
        "t1/results/perf_measurements": samples,
        "t1/results/results-chart.json": samples,
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    seeds(Path(sys.argv[-1]))
    with tempfile.TemporaryDirectory(prefix="autotest-fuzz-") as made:
        atheris.Setup(sys.argv, lambda data: one_input(Path(made), data))
        atheris.Fuzz()
