"""What a folder's files are, by name, size and hash: the same on every machine."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging_assets.artifacts.store import FileEntry

HASHED_AT_ONCE = 4
"""Files; hashing leaves Python, so it takes as many cores as there are files and cores."""


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Every file of the folder, by its relative POSIX path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(HASHED_AT_ONCE, thread_name_prefix="hash") as threads:
        entries = threads.map(_describe, paths)
        return {path.relative_to(folder).as_posix(): entry for path, entry in zip(paths, entries, strict=True)}


def _describe(path: Path) -> FileEntry:
    return FileEntry(file_sha256(path), path.stat().st_size)


def differing_files(one: Mapping[str, FileEntry], other: Mapping[str, FileEntry]) -> tuple[str, ...]:
    """Names of the files that differ in content, or that only one side has, sorted."""
    return tuple(sorted(name for name in {*one, *other} if one.get(name) != other.get(name)))


def content_hash(files: Mapping[str, FileEntry]) -> str:
    """One hash over names and contents, 64 hexadecimal digits."""
    listing = "".join(f"{entry.sha256}  {name}\n" for name, entry in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
