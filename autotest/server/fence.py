"""The fence on the DUT: the rising token of a lease shuts out every older lease, and kills what it left running.

Plain POSIX sh and flock(1), because a DUT under repair may have no Python. Below ``<client_dir>``: ``lease`` holds the
newest token that was seen, ``groups/<token>/<pgid>`` is an empty file for each process group that a lease started, and
``groups/<token>/boot_id`` tells whether those numbers still mean anything.

A command is refused when the file holds a *greater* token. A smaller or absent one means that the DUT forgot (its disk
is read-only, was wiped, or lost power before the write reached it), and must not lock the holder out of repairing it.
"""

from __future__ import annotations

import dataclasses
import re
import shlex

from autotest import errors
from autotest.host_info import HostInfo

STALE_STATUS = 75
_GROUP = re.compile(rb"^autotest-group:(\d{1,10})\n", re.MULTILINE)
_STALE = re.compile(r"^autotest-stale:(\d+)$", re.MULTILINE)
_UNWRITABLE = "autotest-fence-unwritable"

# A number is killed only if it is still ours: the command line of everything that we start names client_dir.
_KILL = """
_at_kill() {
  case "$1" in ''|*[!0-9]*|0|1) return;; esac
  _at_line=$(tr '\\0' ' ' 2>/dev/null <"/proc/$1/cmdline")
  case "$_at_line" in ''|*"$_at_dir"*) kill -s KILL -- "-$1" 2>/dev/null;; esac
}
"""

_RAISE = """
_at_boot=$(cat {boot_id_file} 2>/dev/null)
mkdir -p "$_at_dir/groups"
[ -e "$_at_dir/lease" ] || true >"$_at_dir/lease"
{{
  flock 9 2>/dev/null
  _at_held=; read -r _at_held <"$_at_dir/lease"
  case "$_at_held" in ''|*[!0-9]*) _at_held=0;; esac
  if [ "$_at_held" -gt {token} ]; then echo "autotest-stale:$_at_held" >&2; exit 75; fi
  if [ "$_at_held" -ne {token} ]; then echo {token} >"$_at_dir/lease" || echo {unwritable} >&2; fi
  for _at_group in "$_at_dir"/groups/*; do
    _at_token=${{_at_group##*/}}
    case "$_at_token" in *[!0-9]*) continue;; esac
    _at_then=; [ -r "$_at_group/boot_id" ] && read -r _at_then <"$_at_group/boot_id"
    if [ "$_at_token" -ge {token} ] && [ "$_at_then" = "$_at_boot" ]; then continue; fi
    if [ -z "$_at_then" ] || [ "$_at_then" = "$_at_boot" ]; then
      for _at_file in "$_at_group"/*; do _at_kill "${{_at_file##*/}}"; done
    fi
    rm -rf "$_at_group"
  done
  mkdir -p "$_at_dir/groups/{token}" && echo "$_at_boot" >"$_at_dir/groups/{token}/boot_id"
  true
}} 9<"$_at_dir/lease" || echo {unwritable} >&2
"""

_CHECK = """
_at_group="$_at_dir/groups/{token}/$$"
{{ flock -s 9; true >"$_at_group"; _at_held=; read -r _at_held <"$_at_dir/lease"; }} 2>/dev/null 9<"$_at_dir/lease"
case "$_at_held" in ''|*[!0-9]*) _at_held=0;; esac
if [ "$_at_held" -gt {token} ]; then rm -f "$_at_group"; echo "autotest-stale:$_at_held" >&2; exit 75; fi
trap 'rm -f "$_at_group"' EXIT
"""


@dataclasses.dataclass(frozen=True)
class Fence:
    """One lease's right to touch one DUT. Token 0 is a run by hand: nothing is refused and nothing killed."""

    hostname: str
    client_dir: str
    boot_id_file: str
    token: int = 0

    @classmethod
    def of(cls, info: HostInfo, token: int) -> Fence:
        """The fence of *token* at the folders that *info* names."""
        return cls(
            hostname=info.hostname,
            client_dir=info.get("client_dir", "/usr/local/autotest"),
            boot_id_file=info.get("boot_id_file", "/proc/sys/kernel/random/boot_id"),
            token=token,
        )

    @property
    def groups(self) -> str:
        """Where this lease's process groups are recorded."""
        return f"{self.client_dir}/groups/{self.token}"

    def raising(self) -> str:
        """The lease's first command: raise the token, kill what older leases left. May be given again at any time."""
        if self.token == 0:
            return _script(f"mkdir -p {shlex.quote(self.groups)}")
        script = _RAISE.format(token=self.token, boot_id_file=shlex.quote(self.boot_id_file), unwritable=_UNWRITABLE)
        return _script(self._place() + _KILL + script)

    def wrap(self, command: str) -> str:
        """*command*, made to announce its process group on stderr and to exit 75 once the lease is stale."""
        head = 'echo "autotest-group:$$" >&2\n' + self._place()
        check = _CHECK.format(token=self.token) if self.token else ""
        return _script(f"{head}{check}{command}\n")

    def killing(self, group: int) -> str:
        """Kill one process group that :meth:`wrap` or the client daemon announced."""
        forget = f"rm -f {shlex.quote(f'{self.groups}/{group}')}"
        return _script(f"{self._place()}{_KILL}_at_kill {group}\n{forget}\n")

    def check(self, exit_status: int, stderr: str) -> None:
        """Raises StaleLease when the DUT refused the command because of a newer lease."""
        newer = _STALE.search(stderr) if exit_status == STALE_STATUS else None
        if newer:
            raise errors.StaleLease(
                f"{self.hostname} is held by lease {newer[1]}; lease {self.token} is stale, so its runner stops here"
            )

    def is_unwritable(self, stderr: str) -> bool:
        """Whether the DUT could not write the token down (full or read-only disk)."""
        return _UNWRITABLE in stderr

    def _place(self) -> str:
        return f"_at_dir={shlex.quote(self.client_dir)}\n"


def take_group(stderr: bytes) -> tuple[int | None, bytes]:
    """The announced process group, if it is in *stderr* yet, and *stderr* without the announcement."""
    found = _GROUP.search(stderr)
    if not found:
        return None, stderr
    return int(found[1]), stderr[: found.start()] + stderr[found.end() :]


def _script(text: str) -> str:
    # exec: the announced process must be the leader of its group, whatever the login shell is.
    return f"exec sh -c {shlex.quote(text)}"
