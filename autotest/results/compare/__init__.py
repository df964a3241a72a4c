"""Comparison: two builds side by side, and how much of a difference so few results can show.

``runs`` reads the results of two builds, ``changes`` decides what became of each test and ``measurements`` of each
metric, both pure; ``comparison`` puts a question and its answer together; ``command`` is the command line.
"""
