"""What a folder's files are, by name, size and hash: the same on every machine."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from packaging_assets.artifacts.store import FileEntry

HASH_BLOCK_BYTES = 1 << 20


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Every file of the folder, by its relative POSIX path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): FileEntry(file_sha256(path), path.stat().st_size) for path in paths}


def differing_files(one: Mapping[str, FileEntry], other: Mapping[str, FileEntry]) -> tuple[str, ...]:
    """Names of the files that differ in content, or that only one side has, sorted."""
    return tuple(sorted(name for name in {*one, *other} if one.get(name) != other.get(name)))


def content_hash(files: Mapping[str, FileEntry]) -> str:
    """One hash over names and contents, 64 hexadecimal digits."""
    listing = "".join(f"{entry.sha256}  {name}\n" for name, entry in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
