"""Exports: stored results in the formats of other programs; one file a format, found by entry point autotest.export."""
