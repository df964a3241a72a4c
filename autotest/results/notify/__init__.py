"""Bug trackers: told of results that are worse than GOOD, once for each fault (control-files-and-suites.md 5.3).

To add one, copy ``webhook.py``, and name it in the entry point group ``autotest.bugs``.
"""
