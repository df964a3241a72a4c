"""The readings of a control file as data: which variables each knows, requires and refuses.

Rules: control-files-and-suites.md sections 1.1, 1.4, 1.7 and 8. *strict* and *lenient* are the later original parser
with and without ``raise_warnings``, *classic* and *classic-lenient* the first one; *modern* is ours.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Mode = Literal["modern", "strict", "lenient", "classic", "classic-lenient"]

TIMES = ("fast", "short", "medium", "long", "lengthy")
REQUIRED = ("author", "doc", "name", "time", "test_type")
OBSOLETE = "experimental"
#: Names that control files set and that never had an effect.
UNUSED = frozenset(("retries", "criteria", "purpose", "extended_timeout"))

_CLASSIC = frozenset(
    {
        *("author", "name", "doc", "time", "test_type", "test_class", "test_category", "dependencies", "sync_count"),
        *("run_verify", "test_parameters", "attr"),
    }
)
_LATER = frozenset(
    {
        *("suite", "attributes", "job_retries", "priority", "require_ssp", "fast", "max_result_size_kb"),
        *("bug_template", "build", "builds"),
    }
)
_ALL = _CLASSIC | _LATER | {OBSOLETE}


class Rules(NamedTuple):
    """What one reading does with a file."""

    #: Lower-case names that have a meaning.
    known: frozenset[str]
    #: Those that authors expect to have one: the obsolete one too.
    expected: frozenset[str]
    required: tuple[str, ...]
    times: tuple[str, ...]
    #: EXPERIMENTAL is a value, not a fault of the file.
    has_experimental: bool
    #: Lists and dicts are values, and step functions hold variables.
    reads_collections: bool
    #: ``"a,,b"`` has an empty member.
    keeps_empty_members: bool
    #: The first fault is raised as the original raised it.
    is_strict: bool
    is_modern: bool


_STRICT = Rules(_CLASSIC | _LATER, _ALL, REQUIRED, TIMES, False, True, False, True, False)
_FIRST = Rules(
    _CLASSIC | {OBSOLETE},
    _CLASSIC | {OBSOLETE},
    (*REQUIRED, "test_class", "test_category"),
    ("short", "medium", "long"),
    True,
    False,
    True,
    True,
    False,
)
RULES: dict[Mode, Rules] = {
    "modern": Rules(_ALL - {"attr"}, _ALL - {"attr"}, REQUIRED, TIMES, True, True, False, False, True),
    "strict": _STRICT,
    "lenient": _STRICT._replace(is_strict=False),
    "classic": _FIRST,
    "classic-lenient": _FIRST._replace(is_strict=False),
}
#: What a test author can set, as it is written; near-misses are measured against it.
VARIABLES = tuple(sorted(name.upper() for name in RULES["modern"].known - {OBSOLETE}))
