"""Control files: NAME, SUITE, DEPENDENCIES ... read with ast, never executed here; the room behind is control_files."""

from autotest.control_files.control_file import (
    DEFAULT_MAX_RESULT_SIZE_KB,
    LARGEST,
    REQUIRED,
    TIMES,
    ControlFile,
    Diagnosis,
    Mode,
    content,
    decode,
    parse,
    read,
)

__all__ = [
    "DEFAULT_MAX_RESULT_SIZE_KB",
    "LARGEST",
    "REQUIRED",
    "TIMES",
    "ControlFile",
    "Diagnosis",
    "Mode",
    "content",
    "decode",
    "parse",
    "read",
]
