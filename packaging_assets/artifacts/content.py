"""What a folder's files are, by name, size and hash: the same on every machine."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from blake3 import blake3

from packaging_assets.artifacts.store import FileEntry

HASHED_AT_ONCE = 4
"""Files; hashing leaves Python, so it takes as many cores as there are files and cores."""

ALGORITHM = "blake3"
_ALGORITHMS: Mapping[str, Callable[[], Any]] = {ALGORITHM: blake3, "sha256": hashlib.sha256}
"""sha256 is that of artifacts from before; it takes three times as long."""


def describe_files(folder: Path, algorithm: str = ALGORITHM) -> dict[str, FileEntry]:
    """Every file of the folder, by its relative POSIX path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(HASHED_AT_ONCE, thread_name_prefix="hash") as threads:
        entries = threads.map(partial(_describe, algorithm=algorithm), paths)
        return {path.relative_to(folder).as_posix(): entry for path, entry in zip(paths, entries, strict=True)}


def _describe(path: Path, algorithm: str) -> FileEntry:
    return FileEntry(file_hash(path, algorithm), path.stat().st_size)


def differing_files(files: Mapping[str, FileEntry], folder: Path) -> tuple[str, ...]:
    """Names of the files that are not the same in `folder`, or that only one side has, sorted."""
    algorithm = next((entry.algorithm for entry in files.values()), ALGORITHM)
    found = describe_files(folder, algorithm)
    return tuple(sorted(name for name in {*files, *found} if files.get(name) != found.get(name)))


def content_hash(files: Mapping[str, FileEntry]) -> str:
    """sha256 over names and contents, 64 hexadecimal digits."""
    listing = "".join(f"{entry.hash.removeprefix('sha256:')}  {name}\n" for name, entry in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def file_hash(path: Path, algorithm: str = ALGORITHM) -> str:
    """The hash of a file's bytes, as `FileEntry` has it.

    Raises:
        KeyError: there is no such algorithm.
    """
    with path.open("rb", buffering=0) as file:
        return f"{algorithm}:{hashlib.file_digest(file, _ALGORITHMS[algorithm]).hexdigest()}"
