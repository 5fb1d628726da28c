"""Where a training keeps what an interruption must not undo, where the machine may be taken away at any moment.

A step is a function of its inputs and params; whether it was interrupted on the way changes nothing of its outcome. So
the folder is no param: who runs the step says where it is, and an architecture that can go on from a checkpoint asks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_FOLDER: ContextVar[Path | None] = ContextVar("checkpoints", default=None)


@contextmanager
def checkpoints_in(folder: Path | None) -> Generator[None]:
    """Keep checkpoints of what runs inside the block below `folder`; None keeps none."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def checkpoint_folder(name: Callable[[], str]) -> Path | None:
    """The folder of one of the step's trainings, which is made if it is not there; None where none are kept.

    Args:
        name: asked for where checkpoints are kept only. Says what is trained on what: a checkpoint of another training
            must not be found.
    """
    root = _FOLDER.get()
    if root is None:
        return None
    folder = root / name()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
