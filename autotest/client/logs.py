"""Debug logs: one file a level, for the run and for each test."""

import logging
import os

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LINE = "%(asctime)s %(levelname)-5.5s|%(module)10.10s:%(lineno)4.4d| %(message)s"
_FORMAT = logging.Formatter(_LINE, "%m/%d %H:%M:%S")


def to_folder(folder: str, name: str) -> None:
    """From now on log into ``<folder>/<name>.DEBUG`` and so on; a file appears with its first line."""
    os.makedirs(folder, exist_ok=True)
    for level in LEVELS:
        path = os.path.join(folder, f"{name}.{level}")
        handler = _PatientFileHandler(path, encoding="utf-8", delay=True)
        handler.setFormatter(_FORMAT)
        handler.setLevel(level)
        logging.getLogger().addHandler(handler)


class _PatientFileHandler(logging.FileHandler):
    """A log that does not stop a test which removed the folder of its own logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*, or let it go."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)


def to_console() -> None:
    """From now on show INFO and above on stderr."""
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    logging.raiseExceptions = False
    console = logging.StreamHandler()
    console.setFormatter(_FORMAT)
    console.setLevel(logging.INFO)
    root.addHandler(console)
