"""Results: from a folder of text to rows, tables and an exit code."""
