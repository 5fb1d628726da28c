"""Putting on disk what the operating system still holds in memory."""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Return once the file's bytes, or the folder's entries, would outlive a power cut; fsync(2)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
