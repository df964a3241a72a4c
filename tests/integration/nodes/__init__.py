"""Nodes: the parts of one whole installation as local processes, behind the interface of pytest-celery."""
