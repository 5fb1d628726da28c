"""Putting on disk what the operating system still holds in memory, and small files whole."""

import os
import uuid
from pathlib import Path


def flush(path: Path) -> None:
    """Return once the file's bytes, or the folder's entries, would outlive a power cut; fsync(2)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(file: Path, text: str) -> None:
    """Write a small file so that it has all of the text or is as before, whoever reads it or is killed meanwhile.

    It is written aside, put on disk and renamed; nothing is left aside, should the disk be full.
    """
    staged = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        staged.write_text(text, encoding="utf-8")
        flush(staged)
        staged.replace(file)
    finally:
        staged.unlink(missing_ok=True)
