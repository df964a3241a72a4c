"""The Python API: suites, jobs and hosts, for programs, the command line and the web.

Every call opens its own database connection, writes in one transaction, and wakes the workers after the commit. A
broker that does not answer then costs a warning, not the call: the sweep sends the wake again. Settings are read once,
at the first call (:func:`bind` chooses others). Lists and shows are JSON-ready dicts; times in them are UTC.
"""

from __future__ import annotations

from autotest.api_hosts import (
    add_host,
    drain_lab,
    lab_work,
    list_hosts,
    list_labs,
    lock_host,
    machines,
    repair_host,
    show_host,
    starvation,
    undrain_lab,
    unlock_host,
    verify_host,
)
from autotest.api_jobs import abort_jobs, abortable, create_job, list_jobs, list_queues, prioritize_jobs, show_job
from autotest.api_session import bind, login, results_dir
from autotest.api_suites import (
    create_suite_job,
    explain_test_na,
    find_suites,
    list_suites,
    newest_build,
    suite_report,
    suite_summary,
    wait_for_suite,
)

__all__ = [
    "abort_jobs",
    "abortable",
    "add_host",
    "bind",
    "create_job",
    "create_suite_job",
    "drain_lab",
    "explain_test_na",
    "find_suites",
    "lab_work",
    "list_hosts",
    "list_jobs",
    "list_labs",
    "list_queues",
    "list_suites",
    "lock_host",
    "login",
    "machines",
    "newest_build",
    "prioritize_jobs",
    "repair_host",
    "results_dir",
    "show_host",
    "show_job",
    "starvation",
    "suite_report",
    "suite_summary",
    "undrain_lab",
    "unlock_host",
    "verify_host",
    "wait_for_suite",
]
