"""Benchmarks: what this system costs, each figure beside the bare cost of the same work in the same run.

``scripts/bench NAME`` runs one; ``measure`` says what a figure is, ``installation`` is what it runs on.
docs/performance.md tells what each figure means and what limits it.
"""
