"""The job record: machine, group, build and times from the keyvals around a status log."""

from __future__ import annotations

import json

import pytest

from autotest.results import parser


def job(folder, **files):
    return parser.read(folder("", {name.replace("__", "/"): text for name, text in files.items()})).job


def keyval(**pairs):
    return "status_version=1\n" + "".join(f"{key}={value}\n" for key, value in pairs.items())


@pytest.mark.parametrize(
    ("pairs", "machine"),
    [
        ({"hostname": "h1"}, "h1"),
        ({"hostname": ""}, ""),
        ({"hostname": "h1,h2"}, "h1,h2"),
        ({"hostname": "h1,h2", "host_group_name": "pair"}, "pair"),
        ({"hostname": "", "host_group_name": "pair"}, "pair"),
        ({"hostname": "h1", "host_group_name": "pair"}, "h1"),
        ({}, ""),
    ],
)
def test_the_machine_is_the_hostname_or_its_group(folder, pairs, machine):
    assert job(folder, keyval=keyval(**pairs)).machine == machine


def test_of_several_hosts_sysinfo_names_the_one_that_ran(folder):
    assert job(folder, keyval=keyval(hostname="h1,h2"), sysinfo__hostname="h2\n").machine == "h2"


def test_the_groups_of_several_hosts_are_joined_in_order(folder):
    found = parser.read(
        folder(
            "",
            {
                "keyval": keyval(hostname="h1,h2,h3"),
                "host_keyvals/h1": "platform=pi4\n",
                "host_keyvals/h2": "labels=board%3Aeve,model%3Anova,usb\nplatform=x\n",
                "host_keyvals/h3": "labels=board%3Aeve,usb\n",
            },
        )
    )
    assert found.job.machine_group == "eve,nova,pi4"


def test_a_host_info_store_stands_in_for_a_host_keyval(folder):
    store = json.dumps({"labels": ["model:eve", "pool:bvt"], "attributes": {}})
    found = parser.read(folder("", {"host_info_store/h1.store": store})).job
    assert found.machine_group == "eve"
    assert found.host_attributes == {"host-labels": "model%3Aeve,pool%3Abvt", "host-platform": "eve"}


@pytest.mark.parametrize(
    ("label", "build", "suite", "version", "board"),
    [
        ("link-release/R30-4000.0.0/bvt/dummy_Pass", "link-release/R30-4000.0.0", "bvt", "R30-4000.0.0", "link"),
        ("pi4-release/R1-2.0-test_suites/control.smoke", "pi4-release/R1-2.0", "smoke", "R1-2.0", "pi4"),
        (
            "trybot-x86-alex-chrome-release/LATEST/bvt/t",
            "trybot-x86-alex-chrome-release/LATEST",
            "bvt",
            "LATEST",
            "x86-alex",
        ),
        ("mine/1/7/bvt/t", "mine/1/7", "bvt", "1", None),
        ("nightly", None, None, None, None),
    ],
)
def test_the_label_tells_build_and_suite(folder, label, build, suite, version, board):
    found = job(folder, keyval=keyval(label=label))
    assert (found.build, found.suite, found.build_version, found.board) == (build, suite, version, board)


def test_times_that_are_no_times_are_left_out_and_told(folder):
    result = parser.read(folder("", {"keyval": keyval(job_started="soon", job_finished=2000)}))
    assert result.job.started_time is None
    assert result.job.finished_time.isoformat() == "1970-01-01T00:33:20+00:00"
    assert result.oddities == ("job keyval job_started='soon' is no time; left out",)


def test_the_higher_keyval_wins_but_for_the_hostname(files):
    root = files(
        {
            ".autoserv_execute": "1\n0\n0\n",
            "keyval": keyval(user="top", hostname="h1,h2"),
            "h1/keyval": keyval(user="low", hostname="h1"),
            "h1/status.log": "",
        }
    )
    found = parser.read(root / "h1").job
    assert (found.user, found.machine) == ("top", "h1")


def test_a_build_of_one_word_is_known_by_the_keyvals(folder):
    pairs = keyval(label="build-1/smoke/sleeptest", build="build-1", suite="smoke", board="pi4")
    found = job(folder, keyval=pairs)
    assert (found.build, found.build_version, found.suite, found.board) == ("build-1", "build-1", "smoke", "pi4")


def test_the_label_goes_before_the_keyvals(folder):
    found = job(folder, keyval=keyval(label="eve-release/R1-2.3/bvt/sleeptest", build="other", suite="other"))
    assert (found.build, found.suite, found.board) == ("eve-release/R1-2.3", "bvt", "eve")


def test_the_strict_reading_knows_only_the_label(folder):
    written = folder("", {"keyval": keyval(label="build-1/smoke/sleeptest", build="build-1", suite="smoke")})
    assert parser.read(written, strict=True).job.build is None
