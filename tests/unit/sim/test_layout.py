"""What a simulated DUT finds on its PATH is harmless, and its disk faults look like disk faults."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotest.sim import layout


@pytest.fixture
def root(tmp_path) -> Path:
    layout.write_programs(tmp_path / "bin", tmp_path / "doorbell")
    root = tmp_path / "duts/dut1"
    layout.make_root(root)
    return root


def run(root: Path, command: str, full: bool = False, readonly: bool = False) -> subprocess.CompletedProcess[str]:
    programs = root.parent.parent / "bin"
    return subprocess.run(
        layout.argv(command, full, readonly),
        cwd=root,
        env=layout.environment(root, programs),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.mark.parametrize("name", layout.DECOYS)
def test_a_dangerous_program_is_a_decoy_that_records_and_fails(root, name):
    assert run(root, f"{name} -f now").returncode == 1
    assert layout.decoys(root) == [f"{name} -f now"]


@pytest.mark.parametrize(
    "command",
    ["/sbin/reboot", "sleep 1; /usr/sbin/poweroff -f", "sh -c '/bin/systemctl halt'", "kill -9 -1", "kill -s 9 -- -1"],
)
def test_a_command_that_walks_around_the_decoys_is_dangerous(command):
    assert layout.is_dangerous(command)


@pytest.mark.parametrize(
    "command",
    ["reboot", "kill -9 -12", "kill -1 77", "kill -TERM -- -100", "/tmp/x/bin/sim-reboot a", "cat /sbin/reboot.txt"],
)
def test_an_ordinary_command_is_not_dangerous(command):
    assert not layout.is_dangerous(command)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace").decode()))
def test_a_refused_command_is_recorded_once_whatever_it_holds(root, text):
    (root / "decoy.log").unlink(missing_ok=True)
    layout.record_decoy(root, f"reboot {text}\nDECOY forged")
    assert layout.decoys(root) == [" ".join(f"reboot {text} DECOY forged".split())]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z/][a-z0-9/]{0,12}", fullmatch=True),
            st.integers(0, 10**12),
            st.integers(0, 10**12),
            st.integers(0, 10**12),
            st.from_regex(r"/[a-z0-9 ]{0,9}[a-z]", fullmatch=True),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_df_is_the_real_one_until_the_disk_is_full_and_then_shows_no_space(root, table):
    heading = "Filesystem 1024-blocks Used Available Capacity Mounted on"
    rows = [f"{name} {size} {used} {free} 12% {mount}" for name, size, used, free, mount in table]
    programs = root.parent.parent / "bin"
    (programs / "real_df").write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join([heading, *rows]) + "\nEND\n")
    (programs / "real_df").chmod(0o755)
    layout.write_programs(programs, root.parent.parent / "doorbell", df=str(programs / "real_df"))

    layout.empty_disk(root)
    assert run(root, "df -P .").stdout.splitlines() == [heading, *rows]

    layout.fill_disk(root)
    shown = run(root, "df -P .").stdout.splitlines()
    assert shown[0] == heading
    assert [line.split()[3] for line in shown[1:]] == ["0"] * len(rows)
    assert [line.split()[1:3] for line in shown[1:]] == [[str(row[1])] * 2 for row in table]


@pytest.mark.parametrize("form", ["-P", "-Pk", "-Pm", "-kP ."])
def test_the_machine_s_own_df_shows_no_space_on_a_full_dut(root, form):
    layout.fill_disk(root)
    rows = run(root, f"df {form} .").stdout.splitlines()[1:]
    assert rows
    assert {row.split()[3] for row in rows} == {"0"}


def test_df_of_one_column_shows_no_space_on_a_full_dut(root):
    layout.fill_disk(root)
    assert run(root, "df --output=avail .").stdout.splitlines()[1].strip() == "0"


def test_a_full_disk_takes_crumbs_and_nothing_larger(root):
    assert run(root, "echo 7 > lease", full=True).returncode == 0
    assert run(root, "head -c 100000 /dev/zero > results", full=True).returncode != 0
    assert (root / "results").stat().st_size < 10_000


def test_a_full_disk_is_cured_by_cleaning_the_tmp_dirs(root):
    layout.fill_disk(root)
    assert layout.disk_is_full(root)
    run(root, f"rm -rf {layout.tmp_dirs(root)[0]}/* {layout.tmp_dirs(root)[1]}/*")
    assert not layout.disk_is_full(root)


def test_a_readonly_dut_cannot_be_written_and_gets_its_modes_back(root):
    (root / "script").write_text("x")
    (root / "script").chmod(0o754)
    modes = layout.make_readonly(root)
    assert run(root, "touch new", readonly=True).returncode != 0
    assert run(root, "echo y >> script", readonly=True).returncode != 0
    layout.make_writable(modes)
    assert stat.S_IMODE((root / "script").stat().st_mode) == 0o754
    assert run(root, "touch new").returncode == 0


def test_python_works_until_it_is_broken_and_after_it_is_mended(root):
    assert run(root, "python3 -c 'print(6 * 7)'").stdout == "42\n"
    layout.break_python(root)
    assert run(root, "python3 -c 'print(6 * 7)'").returncode == 127
    layout.mend_python(root)
    assert run(root, "python3 -c 'print(6 * 7)'").stdout == "42\n"


def test_nothing_of_our_environment_reaches_a_dut(root, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_LAB", "42")
    seen = dict(line.split("=", 1) for line in run(root, "env").stdout.splitlines())
    assert "SECRET_OF_THE_LAB" not in seen
    assert seen["HOME"] == str(root)
    assert seen["PATH"].split(os.pathsep)[0] == str(root / "bin")
