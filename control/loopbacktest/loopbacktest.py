"""The network stack talks to itself, without loss."""

import hashlib
import os
import socket
import threading
import time

from autotest.client import error, test


class loopbacktest(test.test):
    """Sends *megabytes* over TCP to 127.0.0.1, and *datagrams* over UDP one by one, each answered."""

    version = 1

    def run_once(self, megabytes=4, datagrams=200):
        self._stream(megabytes)
        self._datagrams(datagrams)

    def _stream(self, megabytes):
        block = os.urandom(1 << 16)
        sent = hashlib.sha256(block * 16 * megabytes).digest()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            listener.settimeout(10)
            sender = threading.Thread(target=_send, args=(listener.getsockname(), block, 16 * megabytes))
            began = time.monotonic()
            sender.start()
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(60)
                received = hashlib.sha256()
                for data in iter(lambda: connection.recv(1 << 16), b""):
                    received.update(data)
            sender.join()
        self.write_perf_keyval({"tcp_mb_per_s": round(megabytes / (time.monotonic() - began), 3)})
        if received.digest() != sent:
            raise error.TestFail(f"{megabytes} MB were sent over TCP and something else arrived")

    def _datagrams(self, count):
        with _datagram_socket() as one, _datagram_socket() as other:
            for number in range(count):
                one.sendto(str(number).encode(), other.getsockname())
                data, sender = other.recvfrom(64)
                other.sendto(data, sender)
                if one.recv(64) != str(number).encode():
                    raise error.TestFail(f"datagram {number} came back as another")


def _datagram_socket():
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(("127.0.0.1", 0))
    end.settimeout(10)
    return end


def _send(address, block, count):
    with socket.create_connection(address, timeout=10) as connection:
        for _ in range(count):
            connection.sendall(block)
