"""Fields: what results can be asked by, under the names that people use, and what each is made of."""

from __future__ import annotations

import dataclasses
import difflib
import enum
import re

from autotest import errors


class Kind(enum.Enum):
    """What the values of a field are, which decides what they can be compared with."""

    TEXT = "text"
    STATUS = "status"
    NUMBER = "number"
    TIME = "time"
    DAY = "day"
    FLAG = "yes or no"
    #: A result may have any number of these.
    MEMBER = "one of several"


class Place(enum.Enum):
    """Where the values of a field are stored."""

    TEST = "tko_tests"
    JOB = "tko_jobs"
    MACHINE = "tko_machines"
    KERNEL = "tko_kernels"
    KEYVAL = "tko_job_keyvals"
    ATTRIBUTE = "tko_test_attributes"
    PERF = "tko_iteration_result"
    LABEL = "tko_test_labels"
    HOST_LABEL = "host-labels"


#: A result has one value of such a field, or none; of the others it may have several.
SINGLE = frozenset({Place.TEST, Place.JOB, Place.MACHINE, Place.KERNEL})


@dataclasses.dataclass(frozen=True)
class Field:
    """One field. *column* is the attribute of the model; a family (``keyval.NAME``) has many fields and no column."""

    name: str
    kind: Kind
    place: Place
    column: str
    help: str
    aliases: tuple[str, ...] = ()

    @property
    def is_family(self) -> bool:
        """Whether the name needs a key behind a dot."""
        return self.place in _FAMILIES


@dataclasses.dataclass(frozen=True)
class Ref:
    """A field as somebody wrote it: with the key, where it is a family."""

    field: Field
    key: str = ""

    def __str__(self) -> str:
        return f"{self.field.name}.{self.key}" if self.field.is_family else self.field.name

    @property
    def is_single(self) -> bool:
        """Whether a result has at most one value of it."""
        return self.field.place in SINGLE


_FAMILIES = frozenset({Place.KEYVAL, Place.ATTRIBUTE, Place.PERF})
_TEXT, _TIME, _NUMBER = Kind.TEXT, Kind.TIME, Kind.NUMBER

FIELDS = (
    Field("test", _TEXT, Place.TEST, "test", "name of the test", ("test_name",)),
    Field("subdir", _TEXT, Place.TEST, "subdir", "its folder"),
    Field("status", Kind.STATUS, Place.TEST, "status", "GOOD, FAIL, ERROR, ABORT, WARN, TEST_NA ..."),
    Field("reason", _TEXT, Place.TEST, "reason", "why it is not GOOD"),
    Field("host", _TEXT, Place.MACHINE, "hostname", "the machine", ("hostname", "machine")),
    Field("platform", _TEXT, Place.MACHINE, "machine_group", "model or board of the machine", ("machine_group",)),
    Field("board", _TEXT, Place.JOB, "board", "board that the build is for"),
    Field("build", _TEXT, Place.JOB, "build_version", "version of the build: R124-14490.0.0", ("build_version",)),
    Field("image", _TEXT, Place.JOB, "build", "whole name of the build: eve-release/R124-14490.0.0"),
    Field("suite", _TEXT, Place.JOB, "suite", "the suite"),
    Field("job", _TEXT, Place.JOB, "label", "name of the job", ("job_name", "job_label")),
    Field("tag", _TEXT, Place.JOB, "tag", "results folder: 17-ann/host1", ("job_tag",)),
    Field("user", _TEXT, Place.JOB, "username", "who owns the job", ("job_owner", "owner")),
    Field("job_id", _NUMBER, Place.JOB, "afe_job_id", "number of the job", ("afe_job_id",)),
    Field("parent_id", _NUMBER, Place.JOB, "afe_parent_job_id", "number of its suite job", ("afe_parent_job_id",)),
    Field("kernel", _TEXT, Place.KERNEL, "printable", "what the machine had booted"),
    Field("queued", _TIME, Place.JOB, "queued_time", "when the job was queued", ("job_queued_time",)),
    Field("started", _TIME, Place.TEST, "started_time", "when the test began", ("test_started_time",)),
    Field("finished", _TIME, Place.TEST, "finished_time", "when it ended", ("test_finished_time", "time")),
    Field("day", Kind.DAY, Place.TEST, "finished_time", "day on which it ended (UTC)", ("time_daily",)),
    Field("invalid", Kind.FLAG, Place.TEST, "invalid", "retried, or invalidated by somebody"),
    Field("id", _NUMBER, Place.TEST, "test_idx", "number of the result", ("test_idx",)),
    Field("label", Kind.MEMBER, Place.LABEL, "", "mark that somebody put on the result", ("test_label",)),
    Field("host_label", Kind.MEMBER, Place.HOST_LABEL, "", "label of the machine when it ran", ("machine_label",)),
    Field("keyval", _TEXT, Place.KEYVAL, "value", "keyval.NAME: what the job's keyval file held"),
    Field("attr", _TEXT, Place.ATTRIBUTE, "value", "attr.NAME: what the test's keyval file held"),
    Field("perf", _NUMBER, Place.PERF, "value", "perf.NAME: what its iterations measured"),
)
_NAMED = {name: field for field in FIELDS for name in (field.name, *field.aliases)}
_KEY = re.compile(r"[^\s\x00-\x1f()&|!=<>~,'\"]{1,256}")


def shown(field: Field) -> str:
    """The name as one has to write it."""
    return f"{field.name}.NAME" if field.is_family else field.name


def named(text: str) -> Ref:
    """The field called *text*. Raises NotFound, with the nearest names and all there are."""
    name, dot, key = text.partition(".")
    field = _NAMED.get(name)
    if field is None:
        near = difflib.get_close_matches(name.lower()[:40], _NAMED, n=1)
        hint = f"did you mean {shown(_NAMED[near[0]])!r}? " if near else ""
        raise errors.NotFound(f"no field is called {text[:40]!r}; {hint}Fields: {', '.join(map(shown, FIELDS))}")
    if field.is_family:
        if not _KEY.fullmatch(key):
            raise errors.NotFound(f"{text[:40]!r} needs a name behind the dot: {field.help}")
        return Ref(field, key)
    if dot:
        families = ", ".join(shown(known) for known in FIELDS if known.is_family)
        raise errors.NotFound(f"{field.name!r} has nothing behind a dot; {families} have")
    return Ref(field)


def several(names: str | tuple[str, ...] | list[str]) -> tuple[Ref, ...]:
    """Fields from a list, or from names with commas between them. Raises NotFound."""
    parts = names.split(",") if isinstance(names, str) else list(names)
    return tuple(named(part.strip()) for part in parts if part.strip())
