"""Reboots that the job asked for: started, and checked after they happened (test-api-and-hosts.md section 1.3)."""

import os
import subprocess
from typing import Any, Dict, List, Optional

from autotest.client import error, state
from autotest.client.status_log import StatusEntry, StatusLogger

DEFAULT_BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"


class Reboot:
    """Records and performs the reboots of one run. A *command* of "" refuses every reboot."""

    def __init__(self, memory: state.State, logger: StatusLogger, command: str, boot_id_file: str):
        self._memory = memory
        self._logger = logger
        self._command = command
        self._boot_id_file = boot_id_file

    def boot_id(self) -> str:
        """What the kernel calls this boot; "" when it does not say."""
        try:
            with open(self._boot_id_file, encoding="utf-8", errors="replace") as file:
                return file.read(200).strip()
        except OSError:
            return ""

    def is_new_boot(self) -> bool:
        """Has the machine booted since this was asked last? True the first time."""
        now, seen = self.boot_id(), self._memory.get("client", "boot_id", None)
        self._memory.set("client", "boot_id", now)
        return not now or now != seen

    def record_start(self) -> None:
        """Write ``START reboot`` and ``GOOD reboot.start``; whoever calls this ends the reboot by record_end."""
        self._logger.record(StatusEntry("START", "", "reboot"))
        self._logger.record(StatusEntry("GOOD", "", "reboot.start"))
        self._memory.set("client", "reboot_started", True)

    def record_end(self, subdir: str, kernel: str, patches: List[str]) -> None:
        """Write ``END GOOD reboot`` with the kernel that runs now."""
        fields: Dict[str, Any] = {"kernel": kernel}
        fields.update((f"patch{number}", patch) for number, patch in enumerate(patches))
        self._logger.record(StatusEntry("END GOOD", subdir, "reboot", "", fields))

    def launch(self) -> None:
        """Let the machine go down in a second, and remember to check that it did. Raises JobError without a command."""
        if not self._command:
            raise error.JobError("job.reboot() needs a client started with --reboot-command; nothing is rebooted")
        by_hand = self._memory.get("client", "reboot_started", False)
        self._memory.discard("client", "reboot_started")
        if not by_hand:
            self.record_start()
            self._memory.discard("client", "reboot_started")
            self._memory.set("client", "reboot", {"boot_id": self.boot_id()})
        os.sync()
        subprocess.Popen(
            ["/bin/sh", "-c", f"sleep 1; {self._command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def pending(self) -> bool:
        """Did the run pause for a reboot that nobody has checked yet?"""
        return self._memory.get("client", "reboot", None) is not None

    def finish(self) -> None:
        """Close the reboot that :meth:`launch` began. Raises JobError when the machine did not boot."""
        before: Optional[str] = self._memory.get("client", "reboot")["boot_id"]
        self._memory.discard("client", "reboot")
        if before and before == self.boot_id():
            problem = f"boot id is still {before}: the machine did not reboot"
            self._logger.record(StatusEntry("ABORT", "", "reboot.verify", problem))
            self._logger.record(StatusEntry("END ABORT", "", "reboot", problem))
            raise error.JobError(f"Reboot failed: {problem}")
        self.record_end("", os.uname().release, [])
