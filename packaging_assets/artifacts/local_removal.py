"""How artifacts are removed from a folder on disk while other processes read and write it.

Artifacts come to their place and leave it, and pointers are written, under one lock, so that no pointer ever names what
is not there. Setting aside is one rename into `.aside/`: an artifact is always whole, at its place or there.
"""

import contextlib
import datetime as dt
import errno
import fcntl
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from packaging_assets.artifacts.store import POINTER, ArtifactError, is_fingerprint, parse_uri

STAGING = ".staging"
ASIDE = ".aside"
PLACES_LOCK = ".places.lock"
PRUNING_LOCK = ".pruning.lock"


@contextmanager
def places_lock(root: Path) -> Generator[None]:
    """Let nobody else move artifacts or pointers for the length of the block, which takes milliseconds."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / PLACES_LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def pruning_lock(root: Path) -> Generator[None]:
    """Be the one process that removes.

    Raises:
        ArtifactError: another process removes.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / PRUNING_LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArtifactError(f"Another process is pruning {root}: wait until it has finished.") from None
        yield


@contextmanager
def work_folder(folder: Path) -> Generator[Path]:
    """Make the folder, marked as in use for the length of the block, and delete it afterwards."""
    folder.mkdir(parents=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # the system lets go of it however the process ends
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def committed_uris(root: Path) -> list[str]:
    """URIs of all artifacts at their places, sorted."""
    return sorted(_uris_below(root))


def _uris_below(root: Path) -> Iterator[str]:
    for path, folders, _ in os.walk(root):
        found = [name for name in folders if is_fingerprint(name)]
        yield from ((Path(path) / name).relative_to(root).as_posix() for name in found)
        # An artifact's own folders are not looked into, nor are the store's.
        folders[:] = [name for name in folders if name not in found and not name.startswith(".")]


def is_pointed(root: Path, uri: str) -> bool:
    """Whether the pointer of the artifact's partition names it."""
    partition, _, fingerprint = uri.rpartition("/")
    return read_pointer(root / partition / POINTER) == fingerprint


def read_pointer(path: Path) -> str | None:
    """What a pointer says, which is no fingerprint where the file is damaged; None if there is none."""
    try:
        return path.read_text(errors="replace").strip()
    except FileNotFoundError:
        return None


def set_aside(root: Path, uri: str, *, even_if_current: bool) -> bool:
    """See `PrunableStore.set_aside`."""
    parse_uri(uri)
    target = root / ASIDE / uri
    target.parent.mkdir(parents=True, exist_ok=True)
    with places_lock(root):
        if is_pointed(root, uri):
            if not even_if_current:
                return False
            (root / uri).parent.joinpath(POINTER).unlink()
        try:
            (root / uri).rename(target)
        except FileNotFoundError:
            return False
    return True


def put_back(root: Path, uri: str) -> None:
    """See `PrunableStore.put_back`."""
    parse_uri(uri)
    with places_lock(root):
        (root / uri).parent.mkdir(parents=True, exist_ok=True)
        try:
            (root / ASIDE / uri).rename(root / uri)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
    discard(root, uri)


def discard(root: Path, uri: str) -> None:
    """See `PrunableStore.discard`; folders that become empty go too."""
    parse_uri(uri)
    shutil.rmtree(root / ASIDE / uri, ignore_errors=True)
    with places_lock(root):
        _remove_empty_parents(root / ASIDE / uri, up_to=root)
        _remove_empty_parents(root / uri, up_to=root)


def _remove_empty_parents(path: Path, *, up_to: Path) -> None:
    for parent in path.parents:
        if parent == up_to:
            return
        try:
            parent.rmdir()
        except OSError:
            return


def leftovers(root: Path, *, untouched_since: dt.datetime) -> dict[str, int]:
    """What is under `.staging/` that no living process works in and nobody touched since: name -> bytes."""
    found: dict[str, int] = {}
    for path in sorted((root / STAGING).glob("*")):
        with contextlib.suppress(FileNotFoundError):  # gone while we look: its process has just finished
            newest = max(entry.lstat().st_mtime for entry in (path, *path.rglob("*")))
            if newest < untouched_since.timestamp() and not is_in_use(path):
                found[path.name] = size_of(path)
    return found


def is_busy(root: Path) -> bool:
    """Whether a living process works in a folder under `.staging/`."""
    for path in (root / STAGING).glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if is_in_use(path):
                return True
    return False


def discard_leftover(root: Path, name: str) -> None:
    """Delete one entry of `.staging/`."""
    path = root / STAGING / Path(name).name
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    return sum(entry.lstat().st_size for entry in (path, *path.rglob("*")) if entry.is_file())


def is_in_use(path: Path) -> bool:
    """Whether a living process works in a folder that `work_folder` made.

    Raises:
        FileNotFoundError: it is gone.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
