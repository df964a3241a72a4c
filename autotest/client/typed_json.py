"""JSON that keeps tuples, sets, bytes and any dictionary: each under a tag (test-api-and-hosts.md section 1.5)."""

import base64
import json
from typing import Any


def dumps(value: object) -> str:
    """*value* as JSON text. Raises TypeError for what :func:`loads` could not give back."""
    return json.dumps(_tagged(value), sort_keys=True)


def loads(text: str) -> Any:
    """The inverse of :func:`dumps`. Raises ValueError for text that it did not write."""
    try:
        return _untagged(json.loads(text))
    except (TypeError, KeyError, RecursionError) as reason:
        raise ValueError(f"not a value of ours: {reason}") from reason


def _tagged(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_tagged(item) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [_tagged(item) for item in value]}
    if type(value) in (set, frozenset):
        return {"$" + type(value).__name__: [_tagged(item) for item in value]}
    if type(value) is bytes:
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if type(value) is dict:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: _tagged(item) for key, item in value.items()}
        return {"$dict": [[_tagged(key), _tagged(item)] for key, item in value.items()]}
    raise TypeError(f"{value!r} cannot be kept: {type(value).__name__} is no plain value; keep its parts instead")


_READERS = {
    "$tuple": lambda items: tuple(_untagged(item) for item in items),
    "$set": lambda items: {_untagged(item) for item in items},
    "$frozenset": lambda items: frozenset(_untagged(item) for item in items),
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$dict": lambda pairs: {_untagged(key): _untagged(item) for key, item in pairs},
}


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    tags = [key for key in value if key.startswith("$")]
    if not tags:
        return {key: _untagged(item) for key, item in value.items()}
    (tag,) = tags
    return _READERS[tag](value[tag])
