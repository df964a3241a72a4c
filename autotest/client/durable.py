"""Files that are whole after a power cut: written aside, synced, renamed into place."""

import os

from autotest.client import encoding


def write(path: str, text: str) -> None:
    """Replace the file at *path* by *text*, all or nothing."""
    aside = f"{path}.{os.getpid()}.new"
    with open(aside, "wb") as file:
        file.write(encoding.to_bytes(text))
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    _sync_folder(os.path.dirname(os.path.abspath(path)))


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
