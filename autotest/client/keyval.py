"""Keyval files: key=value lines, and the blocks of an iteration (results-and-tko.md sections 2.1 and 2.2)."""

import math
import os
import re
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Union

from autotest.client import encoding

Value = Union[int, float, str]
TYPE_TAGS = ("attr", "perf")
_KEY = r"[A-Za-z0-9_.\-]+"
_INT = re.compile(r"[0-9]+")
_FLOAT = re.compile(r"[0-9]+\.[0-9]+")
_TAGGED = re.compile(rb"(.*)\{(\w+)\}", re.DOTALL)
_MEASURE = re.compile(rb"(\d+(?:.\d+)?)\+-(\d+(?:.\d+)?)")

#: No measurement has a text of so many characters, and its pattern takes quadratic time.
_LONGEST_NUMBER = 400

#: What fills the memory is no result: a file of nothing but newlines, or of nothing but keys.
MOST_ITERATIONS = 100000
MOST_PAIRS = 100000


class Iteration(NamedTuple):
    """One block of ``results/keyval``; *number* counts from 1."""

    number: int
    attr: Dict[str, str]
    perf: Dict[str, float]


def parse(
    content: bytes, note: Callable[[int, str], None], type_tag: Optional[str] = None, most: int = MOST_PAIRS
) -> Dict[str, Value]:
    """The pairs of a keyval file; of two equal keys the last one wins.

    Digits become int, digits with one dot float, all else stays text. With *type_tag* only keys that end in ``{tag}``
    count, and lose it. A line that is no pair is skipped, after ``note(line number, line)``; so is what comes after
    *most* pairs. Raises ValueError for an unknown tag only.
    """
    pattern = re.compile(("(%s)%s=(.*)" % (_KEY, _suffix_pattern(type_tag))).encode("ascii"), re.DOTALL)
    pairs: Dict[str, Value] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        line = line.partition(b"#")[0].rstrip()
        found = pattern.fullmatch(line)
        if found and len(pairs) < most:
            pairs[found.group(1).decode("ascii")] = _typed(encoding.to_text(found.group(2)))
        elif line:
            note(number, encoding.to_text(line))
    return pairs


def read(path: str, strict: bool = True, type_tag: Optional[str] = None) -> Dict[str, Value]:
    """The pairs of a keyval file, or of ``keyval`` in a folder, as in :func:`parse`. A missing file holds no pairs.

    A bad line raises ValueError, or is skipped when not *strict*.
    """

    def refuse(_: int, line: str) -> None:
        if strict:
            raise ValueError(f"Invalid format line: {line}")

    return parse(_content(path), refuse, type_tag)


def append(path: str, pairs: Mapping[str, object], type_tag: Optional[str] = None) -> None:
    """Append *pairs*, keys sorted, to a keyval file (or ``keyval`` in a folder).

    There is no escaping, so a newline in a value becomes a blank. With *type_tag* every key must already end in
    ``{tag}``. An illegal key or tag raises ValueError; the keys before it are written.
    """
    lines = _lines(pairs, type_tag)
    with open(_file_of(path), "ab") as keyval:
        for line in lines:
            keyval.write(line)


def render(pairs: Mapping[str, object], type_tag: Optional[str] = None) -> bytes:
    """What :func:`append` appends. Raises ValueError for an illegal key or tag."""
    return b"".join(_lines(pairs, type_tag))


def writable(value: object) -> str:
    """*value* as a keyval file gives it back: there is no escaping, so ``#`` and control characters become blanks."""
    return "".join(char if char.isprintable() and char != "#" else " " for char in str(value)).strip()


def write_iteration(path: str, attr: Mapping[str, object], perf: Mapping[str, object]) -> None:
    """Append one iteration block: the attr keys, the perf keys, and the empty line that ends it."""
    append(path, {key + "{attr}": value for key, value in attr.items()}, type_tag="attr")
    append(path, {key + "{perf}": value for key, value in perf.items()}, type_tag="perf")
    with open(_file_of(path), "ab") as keyval:
        keyval.write(b"\n")


def read_iterations(path: str) -> List[Iteration]:
    """The iteration blocks of ``results/keyval`` that hold at least one key. Unusable lines are skipped."""
    return [block for block in parse_iterations(_content(path), lambda *_: None) if block.attr or block.perf]


def parse_iterations(content: bytes, note: Callable[[int, str], None], most: int = MOST_ITERATIONS) -> List[Iteration]:
    """The blocks of ``results/keyval``, empty ones included; an unusable line is skipped after ``note(number, line)``.

    After *most* blocks the rest is noted and not read. Never raises.
    """
    blocks: List[Iteration] = []
    attr: Dict[str, str] = {}
    perf: Dict[str, float] = {}
    for number, line in enumerate(block_lines(content), 1):
        if not line and len(blocks) == most:
            note(number, "and all lines after it")
            return blocks
        if not line:
            blocks.append(Iteration(len(blocks) + 1, attr, perf))
            attr, perf = {}, {}
        elif not _take(line, attr, perf):
            note(number, encoding.to_text(line))
    if attr or perf:
        blocks.append(Iteration(len(blocks) + 1, attr, perf))
    return blocks


def block_lines(content: bytes) -> Iterator[bytes]:
    """The lines of ``results/keyval``, stripped; an empty one ends a block."""
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return map(bytes.strip, lines)


def number_of(text: bytes) -> Optional[float]:
    """A measurement as Python's float reads it, without its groups of digits; None for what is none."""
    if b"_" in text or len(text) > _LONGEST_NUMBER:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _take(line: bytes, attr: Dict[str, str], perf: Dict[str, float]) -> bool:
    key, equals, text = line.partition(b"=")
    tagged = _TAGGED.fullmatch(key)
    name, kind = tagged.groups() if tagged else (key, b"perf")
    if equals and kind == b"attr":
        attr[encoding.to_text(name)] = encoding.to_text(text)
        return True
    return bool(equals) and kind == b"perf" and _measure(encoding.to_text(name), text, perf)


def _measure(name: str, text: bytes, perf: Dict[str, float]) -> bool:
    mean = _MEASURE.match(text[:_LONGEST_NUMBER])
    value = number_of(mean.group(1) if mean else text)
    deviation = number_of(mean.group(2)) if mean else None
    if value is None or (mean and deviation is None):
        return False
    perf[name] = value
    if deviation is not None:
        perf[name + "_dev"] = deviation
    return True


def _lines(pairs: Mapping[str, object], type_tag: Optional[str]) -> Iterator[bytes]:
    key_pattern = re.compile(_KEY + _suffix_pattern(type_tag))
    return (_line(key, pairs[key], key_pattern) for key in sorted(pairs))


def _line(key: str, value: object, key_pattern: "re.Pattern[str]") -> bytes:
    if not key_pattern.fullmatch(key):
        raise ValueError(f"Invalid key: {key}")
    return encoding.to_bytes(f"{key}={value}".replace("\n", " ") + "\n")


def _suffix_pattern(type_tag: Optional[str]) -> str:
    if type_tag is None:
        return ""
    if type_tag not in TYPE_TAGS:
        raise ValueError(f"Invalid type tag: {type_tag!r} is none of {', '.join(TYPE_TAGS)}")
    return r"\{" + type_tag + r"\}"


def _file_of(path: str) -> str:
    return os.path.join(path, "keyval") if os.path.isdir(path) else str(path)


def _content(path: str) -> bytes:
    try:
        with open(_file_of(path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _typed(text: str) -> Value:
    try:
        if _INT.fullmatch(text):
            # Thousands of digits are no number that anybody meant; Python from 3.11 on refuses them.
            return int(text) if len(text) <= 4000 else text
        if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
    except ValueError:
        return text
    return text
