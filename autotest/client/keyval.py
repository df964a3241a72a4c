"""Keyval files: key=value lines, and the blocks of an iteration (results-and-tko.md sections 2.1 and 2.2)."""

import math
import os
import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Union

from autotest.client import encoding

Value = Union[int, float, str]
TYPE_TAGS = ("attr", "perf")
_BLANKS = " \t\n\r\v\f"
_KEY = r"[A-Za-z0-9_.\-]+"
_INT = re.compile(r"[0-9]+")
_FLOAT = re.compile(r"[0-9]+\.[0-9]+")
_TAGGED = re.compile(r"(.*)\{([A-Za-z0-9_]+)\}", re.DOTALL)
_MEASURE = re.compile(r"([0-9]+(?:.[0-9]+)?)\+-([0-9]+(?:.[0-9]+)?)")


class Iteration(NamedTuple):
    """One block of ``results/keyval``; *number* counts from 1."""

    number: int
    attr: Dict[str, str]
    perf: Dict[str, float]


def read(path: str, strict: bool = True, type_tag: Optional[str] = None) -> Dict[str, Value]:
    """The pairs of a keyval file, or of ``keyval`` in a folder. A missing file holds no pairs.

    Digits become int, digits with one dot float, all else stays text. With *type_tag* only keys that end in
    ``{tag}`` count, and lose it. A bad line raises ValueError, or is skipped when not *strict*.
    """
    pattern = re.compile("(%s)%s=(.*)" % (_KEY, _suffix_pattern(type_tag)), re.DOTALL)
    pairs: Dict[str, Value] = {}
    path = _file_of(path)
    if not os.path.exists(path):
        return pairs
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            line = line.split("#", 1)[0].rstrip(_BLANKS)
            found = pattern.fullmatch(line)
            if found:
                pairs[found.group(1)] = _typed(found.group(2))
            elif line and strict:
                raise ValueError(f"Invalid format line: {line}")
    return pairs


def append(path: str, pairs: Mapping[str, object], type_tag: Optional[str] = None) -> None:
    """Append *pairs*, keys sorted, to a keyval file (or ``keyval`` in a folder).

    There is no escaping, so a newline in a value becomes a blank. With *type_tag* every key must already end in
    ``{tag}``. An illegal key or tag raises ValueError; the keys before it are written.
    """
    key_pattern = re.compile(_KEY + _suffix_pattern(type_tag))
    with open(_file_of(path), "ab") as keyval:
        for key in sorted(pairs):
            if not key_pattern.fullmatch(key):
                raise ValueError(f"Invalid key: {key}")
            keyval.write(encoding.to_bytes(_line(key, pairs[key])))


def write_iteration(path: str, attr: Mapping[str, object], perf: Mapping[str, object]) -> None:
    """Append one iteration block: the attr keys, the perf keys, and the empty line that ends it."""
    append(path, {key + "{attr}": value for key, value in attr.items()}, type_tag="attr")
    append(path, {key + "{perf}": value for key, value in perf.items()}, type_tag="perf")
    with open(_file_of(path), "ab") as keyval:
        keyval.write(b"\n")


def read_iterations(path: str) -> List[Iteration]:
    """The iteration blocks of ``results/keyval`` that hold at least one key. Unusable lines are skipped."""
    path = _file_of(path)
    if not os.path.exists(path):
        return []
    blocks: List[Iteration] = [Iteration(1, {}, {})]
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            line = line.strip()
            if line:
                _take(line, blocks[-1])
            else:
                blocks.append(Iteration(len(blocks) + 1, {}, {}))
    return [block for block in blocks if block.attr or block.perf]


def _take(line: str, block: Iteration) -> None:
    key, equals, text = line.partition("=")
    tagged = _TAGGED.fullmatch(key)
    name, kind = tagged.groups() if tagged else (key, "perf")
    if not equals or kind not in TYPE_TAGS:
        return
    if kind == "attr":
        block.attr[name] = text
        return
    measure = _MEASURE.match(text)
    for suffix, number in zip(("", "_dev"), measure.groups() if measure else (text,)):
        value = _number(number)
        if value is not None:
            block.perf[name + suffix] = value


def _number(text: str) -> Optional[float]:
    if "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _line(key: str, value: object) -> str:
    return f"{key}={value}".replace("\n", " ") + "\n"


def _suffix_pattern(type_tag: Optional[str]) -> str:
    if type_tag is None:
        return ""
    if type_tag not in TYPE_TAGS:
        raise ValueError(f"Invalid type tag: {type_tag!r} is none of {', '.join(TYPE_TAGS)}")
    return r"\{" + type_tag + r"\}"


def _file_of(path: str) -> str:
    return os.path.join(path, "keyval") if os.path.isdir(path) else str(path)


def _typed(text: str) -> Value:
    try:
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
    except ValueError:
        # int() refuses thousands of digits from Python 3.11 on.
        return text
    return text
