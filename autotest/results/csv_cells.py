"""CSV cells: text that no spreadsheet takes for a formula."""

from __future__ import annotations

# The last four are what Excel takes for the first four.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def harmless(text: str) -> str:
    """*text* as a cell: behind an apostrophe a spreadsheet takes anything for text."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
