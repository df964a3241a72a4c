"""What lies in the folder of a fleet and in the root folder of each DUT, and the programs that a DUT finds first.

A DUT shares this machine, so that whatever could hurt the machine is not what it seems on the DUT's PATH: a decoy
records the call in ``<root>/decoy.log`` and fails. A DUT is rebooted by its ``reboot_command`` attribute and by
nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import uuid
from pathlib import Path

from autotest.sim import hunt

# fmt: off
DECOYS = (
    "reboot", "poweroff", "halt", "shutdown", "init", "telinit", "systemctl", "service", "kexec",
    "killall", "killall5", "pkill", "skill",
    "mkfs", "mke2fs", "mkswap", "fdisk", "sfdisk", "parted", "wipefs", "swapon", "swapoff",
    "iptables", "nft", "modprobe", "insmod", "rmmod",
)
# fmt: on
_BALLAST = ("tmp/full_disk.ballast", "var/tmp/full_disk.ballast")
_FOLDERS = ("tmp", "var/tmp", "proc", "bin", "usr/local/autotest")

_DECOY = """#!/bin/sh
# Stands where a dangerous program would be.
echo "DECOY ${0##*/} $*" >> "${%(mark)s:?}/decoy.log"
echo "${0##*/}: refused on a simulated DUT" >&2
exit 1
"""

_DF = """#!/bin/sh
# The real df, unless the disk of this DUT is full.
if [ ! -e "$%(mark)s/%(ballast_1)s" ] && [ ! -e "$%(mark)s/%(ballast_2)s" ]; then
    exec %(df)s "$@"
fi
%(df)s "$@" | {
    read -r heading
    printf '%%s\\n' "$heading"
    while read -r filesystem blocks used free percent mount; do
        case "$blocks $free" in
            [0-9]*' '[0-9]*) printf '%%s %%s %%s 0 100%%%% %%s\\n' "$filesystem" "$blocks" "$blocks" "$mount" ;;
            ' ') printf '0\\n' ;;
            *) printf '%%s\\n' "$filesystem $blocks $used $free $percent $mount" ;;
        esac
    done
}
"""

_BROKEN_PYTHON = """#!/bin/sh
echo 'python3: error while loading shared libraries: libpython3.so.1.0: file too short' >&2
exit 127
"""


def write_programs(folder: Path, doorbell: Path, df: str | None = None) -> None:
    """Fill *folder* with the programs that all DUTs of a fleet share. *df* is the real df."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"decoy": _DECOY % {"mark": hunt.MARK}}
    real_df = shlex.quote(df or shutil.which("df") or "/bin/df")
    texts["df"] = _DF % {"mark": hunt.MARK, "df": real_df, "ballast_1": _BALLAST[0], "ballast_2": _BALLAST[1]}
    # The interpreter itself, not the virtual environment around it: a DUT has the standard library only.
    texts["python3"] = f'#!/bin/sh\nexec {shlex.quote(os.path.realpath(sys.executable))} "$@"\n'
    texts["sim-reboot"] = f'#!/bin/sh\necho "$1" > {shlex.quote(str(doorbell))}\n'
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    for name in DECOYS:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("decoy")


def make_root(root: Path) -> None:
    """Make the folders of a DUT."""
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)


def new_boot_id(root: Path) -> str:
    """Give the DUT a new boot id, as a kernel does when it starts."""
    boot_id = str(uuid.uuid4())
    (root / "proc").mkdir(parents=True, exist_ok=True)
    boot_id_file(root).write_text(boot_id + "\n", encoding="utf-8")
    return boot_id


def boot_id_file(root: Path) -> Path:
    return root / "proc" / "boot_id"


def client_dir(root: Path) -> Path:
    return root / "usr/local/autotest"


def tmp_dirs(root: Path) -> tuple[Path, Path]:
    return root / "tmp", root / "var/tmp"


def environment(root: Path, programs: Path) -> dict[str, str]:
    """The whole environment of a command on this DUT; nothing of ours leaks into it."""
    return {
        "PATH": f"{root / 'bin'}:{programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(root),
        "TMPDIR": str(root / "tmp"),
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        hunt.MARK: str(root),
    }


def decoys(root: Path) -> list[str]:
    """The calls of decoys on this DUT, oldest first: ``reboot -f``."""
    try:
        text = (root / "decoy.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line[len("DECOY ") :].strip() for line in text.splitlines() if line.startswith("DECOY ")]


def record_decoy(root: Path, command: str) -> None:
    """Record a command that was refused before it ran."""
    with (root / "decoy.log").open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"DECOY {' '.join(command.split())[:500]}\n")


_BY_FULL_PATH = re.compile(rf"(?<![\w.-])/(?:usr/)?s?bin/(?:{'|'.join(DECOYS)})(?![\w.-])")
_KILL_ALL = re.compile(r"\bkill(?:\s+(?:-s\s+\w+|--|-\w+))+\s+-1(?!\w)")


def is_dangerous(command: str) -> bool:
    """True for a command that walks around the decoys: a full path, or a kill of everything."""
    return bool(_BY_FULL_PATH.search(command) or _KILL_ALL.search(command))


def fill_disk(root: Path) -> None:
    """Leave something in the first of the tmp_dirs: while it is there, the disk is full."""
    (root / "tmp").mkdir(parents=True, exist_ok=True)
    (root / _BALLAST[0]).write_text("remove me, and the disk has space again\n", encoding="utf-8")


def disk_is_full(root: Path) -> bool:
    return any((root / name).exists() for name in _BALLAST)


def empty_disk(root: Path) -> None:
    for name in _BALLAST:
        (root / name).unlink(missing_ok=True)


def break_python(root: Path) -> None:
    """Put a python3 that cannot start before the working one."""
    (root / "bin").mkdir(parents=True, exist_ok=True)
    (root / "bin/python3").write_text(_BROKEN_PYTHON, encoding="utf-8")
    (root / "bin/python3").chmod(0o755)


def mend_python(root: Path) -> None:
    (root / "bin/python3").unlink(missing_ok=True)


def make_readonly(root: Path) -> dict[Path, int]:
    """Take the right to write from everything in *root*; returns the old modes, for make_writable."""
    modes = {}
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders.remove("proc")  # Not on the disk.
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            if path.name != "decoy.log" and not path.is_symlink():
                modes[path] = path.stat().st_mode & 0o7777
                path.chmod(modes[path] & ~0o222)
    return modes


def make_writable(modes: dict[Path, int]) -> None:
    for path, mode in modes.items():
        if path.exists():
            path.chmod(mode)


def argv(command: str | None, full: bool, readonly: bool) -> list[str]:
    """How a DUT with these disk faults starts the shell for *command* (None: a shell that reads its commands)."""
    shell = ["/bin/sh"] if command is None else ["/bin/sh", "-c", command]
    if full:
        # Files of up to 8 blocks still fit, like the crumbs on a real disk: a lease can be written, results cannot.
        shell = ["/bin/sh", "-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", *shell]
    if readonly and os.geteuid() == 0 and shutil.which("setpriv"):
        # Root writes where the mode forbids it, unless it gives that right away.
        shell = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override", *shell]
    return shell
