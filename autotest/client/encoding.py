"""Bytes and text: UTF-8 both ways, and no input that cannot be written."""

import re

# surrogateescape only knows U+DC80..U+DCFF; any other lone surrogate would make the encoder raise.
_UNWRITABLE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def to_bytes(text: str) -> bytes:
    """*text* as UTF-8; undecodable bytes that :func:`to_text` kept come out unchanged."""
    return _UNWRITABLE.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """*data* read as UTF-8; bytes that are not UTF-8 are kept as surrogates."""
    return data.decode("utf-8", "surrogateescape")
