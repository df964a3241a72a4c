"""Memory keeps what is written to it."""

from autotest.client import error, test

PATTERNS = (0x00, 0xFF, 0x55, 0xAA)


class memorytest(test.test):
    """Fills *megabytes* with patterns, *rounds* times, and looks for a byte that changed."""

    version = 1

    def run_once(self, megabytes=16, rounds=1):
        for _ in range(rounds):
            for pattern in PATTERNS:
                room = bytearray([pattern]) * (megabytes << 20)
                if room.count(pattern) != len(room):
                    wrong = next(place for place, byte in enumerate(room) if byte != pattern)
                    raise error.TestFail(f"byte {wrong} was written as {pattern:#04x} and reads {room[wrong]:#04x}")
