"""verify, repair and provision of simulated DUTs with something wrong."""

from __future__ import annotations

import dataclasses

HEALTHY = ["»GOOD verify.ssh", "»GOOD verify.disk", "»GOOD verify.writable", "»GOOD verify.python", "»GOOD verify.PASS"]


def test_a_healthy_dut_passes_verify(dut, run):
    done = run("verify", dut.info)

    name = dut.info.hostname
    assert done.lines == ["START verify", *HEALTHY, f"END GOOD verify {name} verified successfully"]


def test_verify_of_a_silent_dut_says_so(dut, run):
    dut.power_off()

    done = run("verify", dut.info)

    assert done.exit_status == 1
    assert done.lines == [
        "START verify",
        f"»FAIL verify.ssh No answer to ssh from {dut.info.hostname}",
        "END FAIL verify",
    ]
    assert done.outcome.reason.startswith(f"No answer to ssh from {dut.info.hostname}")


def test_a_broken_python_is_repaired_by_a_reboot(dut, run):
    dut.fault("fail_verify_once")
    assert run("verify", dut.info).exit_status == 1

    done = run("repair", dut.info)

    assert done.exit_status == 0, done.lines
    assert "»START repair.reboot" in done.lines
    assert "»»START reboot" in done.lines
    assert done.lines[-3:-1] == ["»END GOOD repair.reboot", "»GOOD verify.PASS"]
    assert run("verify", dut.info).exit_status == 0


def test_a_dead_dut_is_repaired_by_its_outlet(dut, run):
    dut.fault("dead")

    done = run("repair", dut.info)

    assert done.exit_status == 0, done.lines
    assert done.lines[1:3] == [
        f"»FAIL verify.ssh No answer to ssh from {dut.info.hostname}",
        "»START repair.power_cycle",
    ]
    assert "»END GOOD repair.power_cycle" in done.lines


def test_a_full_disk_is_repaired_by_cleaning_the_temporary_folders(dut, run):
    dut.fault("full_disk")

    done = run("repair", dut.info)

    assert done.exit_status == 0, done.lines
    assert "»END GOOD repair.clean_tmp" in done.lines
    assert "»START repair.reboot" not in done.lines


def test_a_read_only_disk_is_repaired_by_a_reboot(dut, run):
    dut.fault("readonly")

    done = run("repair", dut.info)

    assert done.exit_status == 0, done.lines
    assert "»END GOOD repair.reboot" in done.lines


def test_a_protected_dut_is_only_verified(dut, run):
    dut.fault("fail_verify_once")

    done = run("repair", dataclasses.replace(dut.info, protection=3))

    assert done.exit_status == 1
    assert not any("repair." in line for line in done.lines)
    assert any(line.startswith("»FAIL verify.python") for line in done.lines)


def test_provision_reports_the_labels_that_the_dut_carries(dut, run):
    info = dataclasses.replace(dut.info, attributes={**dut.info.attributes, "provisioner": "stub"})

    done = run("provision", info, job_labels=("os-version:12.4", "bluetooth", "skip_provision"))

    assert done.outcome.ok, done.outcome
    assert done.outcome.found_labels == ("os-version:12.4",)
    assert done.lines == [
        "START provision",
        "»INFO provision Can't provision label 'bluetooth'.",
        f"END GOOD provision {info.hostname} provisioned successfully",
    ]


def test_a_provisioner_that_fails_fails_the_step_with_its_reason(dut, run):
    attributes = {**dut.info.attributes, "provisioner": "stub", "stub_provision": "fail"}

    done = run("provision", dataclasses.replace(dut.info, attributes=attributes), job_labels=("os-version:12.4",))

    assert done.exit_status == 1
    assert done.outcome.reason == f"{dut.info.hostname}: the stub provisioner was told to fail"
    assert done.lines == ["START provision", "END FAIL provision"]
