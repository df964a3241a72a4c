"""Perf over builds: where the measurements of a test changed, how sure that is, and plots.

``build_order`` puts builds in order; ``noise`` and ``ranks`` know how values are spread and whether two samples differ;
``changepoints`` finds where a series changes and ``directions`` whether that is for the better. ``series`` reads series
from the database; ``figure`` lays a plot out, ``svg`` and ``png`` write it; ``command`` is the command line.
"""
