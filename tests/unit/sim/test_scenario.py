"""Scenario files are read strictly, and their faults mean what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import errors
from autotest.sim import faults, scenario
from autotest.sim.faults import Fault


def parse(text: str, folder: Path) -> list[scenario.DutSpec]:
    path = folder / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return scenario.load(path)


def test_a_count_makes_numbered_duts_with_the_default_labels_added(tmp_path):
    specs = parse(
        """
        [defaults]
        labels = ["pool:suites"]
        platform = "pi4"
        [[dut]]
        hostname = "pi4-{n}"
        count = 2
        labels = ["board:pi4"]
        """,
        tmp_path,
    )
    assert [spec.hostname for spec in specs] == ["pi4-1", "pi4-2"]
    assert specs[0].labels == {"pool:suites", "board:pi4"}
    assert specs[1].platform == "pi4"


def test_the_demo_has_eight_duts_of_two_boards_one_sick_and_one_dead():
    specs = scenario.load(scenario.DEMO)
    boards = {label for spec in specs for label in spec.labels if label.startswith("board:")}
    assert len(specs) == 8
    assert boards == {"board:pi4", "board:x86box"}
    assert [(f.kind, f.until) for spec in specs for f in spec.faults] == [
        ("fail_verify_once", "reboot"),
        ("dead", "forever"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no [[dut]]"),
        ("dut = 3", "no [[dut]]"),
        ("x = 1", "unknown key 'x'"),
        ("[[dut]]", "no hostname"),
        ("[[dut]]\nhostname = 3", "hostname must be str, not 3"),
        ("[[dut]]\nhostname = 'a b'", "letters, digits"),
        ("[[dut]]\nhostname = '../a'", "letters, digits"),
        ("[[dut]]\nhostname = 'a'\ncolour = 'red'", "unknown key 'colour'"),
        ("[[dut]]\nhostname = 'a'\nlabels = 'x'", "labels must be list"),
        ("[[dut]]\nhostname = 'a'\nlabels = ['a,b']", "holds a comma"),
        ("[[dut]]\nhostname = 'a'\nlabels = [1]", "list of strings"),
        ("[[dut]]\nhostname = 'a'\ncount = 2", "needs {n}"),
        ("[[dut]]\nhostname = 'a{n}'\ncount = 0", "count is 0"),
        ("[[dut]]\nhostname = 'a'\n[[dut]]\nhostname = 'a'", "'a' is given twice"),
        ("[[dut]]\nhostname = 'a'\nboot_seconds = -1", "boot_seconds is -1"),
        ("[[dut]]\nhostname = 'a'\nboot_seconds = true", "must be a number, not True"),
        ("[[dut]]\nhostname = 'a'\nfaults = [{}]", "a fault needs a kind"),
        ("[[dut]]\nhostname = 'a'\nfaults = [{kind = 'explode'}]", "a: no fault is called 'explode'"),
        ("[[dut]]\nhostname = 'a'\nfaults = [{kind = 'drop', byte = 1}]", "unknown key 'byte'"),
        ("[[dut]]\nhostname = 'a'\nfaults = [{kind = 'drop', bytes = 'x'}]", "bytes must be int"),
        ("[[dut]]\nhostname = 'a'\nfaults = [{kind = 'slow', seconds = -1}]", "must not be negative"),
        ("[[dut]]\nhostname = 'a'\nfaults = [{kind = 'dead', until = 'noon'}]", "until is 'noon'"),
        ("[[dut]]\nhostname = 'a'\nfaults = [{kind = 'drop', after = 1}]", "knows no after"),
        ("[[dut]\n", "is not TOML"),
    ],
)
def test_a_mistake_is_refused_and_named_with_its_file(text, said, tmp_path):
    with pytest.raises(errors.ConfigError) as refused:
        parse(text, tmp_path)
    assert said in str(refused.value)
    assert "scenario.toml" in str(refused.value)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(errors.ConfigError, match="cannot be read"):
        scenario.load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.ConfigError, match="is not TOML"):
        scenario.load(tmp_path / "binary.toml")


@given(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(list(faults.KINDS))},
        optional={
            "match": st.text(max_size=9),
            "seconds": st.floats(0, 99),
            "bytes": st.integers(0, 9**9),
            "times": st.integers(0, 9),
            "until": st.sampled_from(faults.ENDS),
        },
    )
)
def test_a_fault_on_the_command_line_is_the_fault_in_the_file(table):
    words = (table["kind"], *(f"{key}={value}" for key, value in table.items() if key != "kind"))
    assert faults.from_words(words) == faults.from_table(table)


@pytest.mark.parametrize("words", [(), ("drop", "bytes"), ("drop", "bytes=x"), ("drop", "kilobytes=3")])
def test_a_fault_on_the_command_line_is_refused_when_it_is_none(words):
    with pytest.raises(errors.ConfigError):
        faults.from_words(words)


def test_a_reboot_strikes_once_unless_it_says_otherwise():
    assert Fault("reboot").times == 1
    assert Fault("reboot", times=3).times == 3
    assert Fault("slow").times is None
