"""The folder in which a delivery's checked rows wait to be appended: it goes with the process that made it."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from packaging_assets.artifacts.local_removal import is_in_use, work_folder


@contextmanager
def staging_folder(root: Path | None) -> Generator[Path]:
    """An empty folder, which is gone afterwards; what killed processes left below `root` goes first.

    Args:
        root: where it is made; None: among the system's temporary files, where a kill leaves it.
    """
    with ExitStack() as stack:
        if root is None:
            yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packaging-ingest-")))
            return
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root):  # so that nobody sees a folder that its maker has not marked as in use yet
            _remove_abandoned(root)
            folder = stack.enter_context(work_folder(root / uuid.uuid4().hex))
        yield folder


@contextmanager
def _alone(root: Path) -> Generator[None]:
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(root: Path) -> None:
    for folder in root.iterdir():
        with contextlib.suppress(FileNotFoundError):  # its process has just finished
            if not is_in_use(folder):
                shutil.rmtree(folder, ignore_errors=True)
