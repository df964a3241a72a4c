"""Records: what was archived and where, one small file a job beside the results folders."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
from pathlib import Path

from autotest import errors

#: Beside the results folders: records, also below names of imported trees, and what comes and goes under names with a
#: colon, which no tree can have.
FOLDER = ".archived"
#: The folder of a job's results: ``17-ann``; of one imported under a name, ``lab2010/17-ann``.
TAG = re.compile(r"(?:[A-Za-z][A-Za-z0-9_.-]{0,39}/)?[1-9][0-9]{0,9}-[^/\0]{0,200}")


@dataclasses.dataclass(frozen=True)
class Record:
    """One archive. *bytes* and *entries* are those of the folder, *size* and *sha256* those of the archive.

    *listing* is that of the folder as it was archived, or as it came back: while it is the same, the archive holds it.
    *restored_at* is '' unless it is back.
    """

    tag: str
    url: str
    size: int
    sha256: str
    bytes: int
    entries: int
    left_out: int
    listing: str
    archived_at: str
    restored_at: str = ""

    def render(self) -> str:
        """As JSON; :meth:`parse` reads it."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> Record:
        """Raises ValueError for anything that :meth:`render` does not write."""
        data = json.loads(text)
        fields = {field.name: int if field.type == "int" else str for field in dataclasses.fields(cls)}
        if not isinstance(data, dict) or data.keys() != fields.keys():
            raise ValueError("it has other keys than a record")
        wrong = [name for name, kind in fields.items() if type(data[name]) is not kind]
        if wrong:
            raise ValueError(f"{wrong[0]} is {data[wrong[0]]!r}")
        return cls(**data)


def read(results_dir: Path, tag: str) -> Record | None:
    """The record of a job's folder; None when it was never archived. Raises BadResultsFolder when it is damaged."""
    path = _place(results_dir, tag)
    try:
        record = Record.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        fact = f"{path} cannot be read: {problem}; the file beside the archive says the same"
        raise errors.BadResultsFolder(fact) from problem
    if record.tag != tag:
        raise errors.BadResultsFolder(f"{path} is the record of {record.tag!a}")
    return record


def tag_in(path: str) -> str | None:
    """The folder of the job in whose results *path* (``17-ann/host1``) lies; None for any other path."""
    steps = path.split("/")
    tags = ("/".join(steps[:count]) for count in (1, 2) if count <= len(steps))
    return next((tag for tag in tags if TAG.fullmatch(tag)), None)


def scratch_name(tag: str) -> str:
    """*tag* as one name of a file, which no other tag has."""
    return tag.replace("/", ":")


def tag_of(results_dir: Path, job_id: int) -> str:
    """The folder of job *job_id*, archived or not. Raises NotFound."""
    for folder, suffix in ((results_dir, ""), (results_dir / FOLDER, ".json")):
        for path in folder.glob(f"{job_id}-*{suffix}"):
            tag = path.name.removesuffix(suffix)
            if TAG.fullmatch(tag):
                return tag
    raise errors.NotFound(f"job {job_id} has no results folder, on the disk or archived")


def write(results_dir: Path, record: Record) -> None:
    """Keep a record, on the disk before this returns. Raises OSError."""
    path = _place(results_dir, record.tag)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = results_dir / FOLDER / f".{scratch_name(record.tag)}.json.{os.getpid()}"
    with scratch.open("w", encoding="utf-8") as file:
        file.write(record.render())
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    sync(path.parent)


def forget(results_dir: Path, tag: str) -> None:
    """Remove the record of a job's folder. Raises OSError."""
    _place(results_dir, tag).unlink(missing_ok=True)


def shown(moment: datetime.datetime) -> str:
    """A time as records hold it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime.datetime:
    """The time that :func:`shown` wrote. Raises ValueError."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)


def sync(folder: Path) -> None:
    """Put the names in *folder* on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _place(results_dir: Path, tag: str) -> Path:
    if not TAG.fullmatch(tag):
        raise errors.NotFound(f"{tag!a} is no job's folder; those are called like 17-ann or lab2010/17-ann")
    return results_dir / FOLDER / f"{tag}.json"
