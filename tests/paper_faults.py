"""A fault as a bug tracker is told of it."""

from __future__ import annotations

from autotest.results.notify.report import Fault

FAULT = Fault(
    test="wifi.connect",
    status="FAIL",
    reason="no route to 10.0.0.7 after 12.5 s on lumpy, see /tmp/run/7/log",
    suite="bvt",
    board="lumpy",
    build="lumpy-release/R50-1.0.0",
    hostname="rack1-host3",
    job_id=42,
    suite_job_id=41,
    folder="42-ann/rack1-host3/wifi.connect",
)
