"""Processes start, do as they are told, and are collected."""

import os

from autotest.client import error, test


class processtest(test.test):
    """Forks *rounds* times *children* processes that end with a status each of their own."""

    version = 1

    def run_once(self, children=20, rounds=5):
        for number in range(rounds):
            self._round(number, children)

    def _round(self, number, children):
        wanted = {}
        for child in range(children):
            status = (number * children + child) % 200
            pid = os.fork()
            if pid == 0:
                os._exit(status)
            wanted[pid] = status
        for pid, status in wanted.items():
            _, found = os.waitpid(pid, 0)
            if not os.WIFEXITED(found) or os.WEXITSTATUS(found) != status:
                raise error.TestFail(f"a child was to exit with {status} and ended with wait status {found}")
