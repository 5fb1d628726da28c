"""The demo's progress bar, on standard error."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class TerminalProgress:
    """A bar with one step per unit of work, and beside it what is going on."""

    def __init__(self, units: int) -> None:
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=units)
        self._what = ""
        self._started = 0

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing, and leave nothing behind."""
        self._progress.stop()

    def advance(self, what: str) -> None:
        """One more unit of work begins."""
        self._what = what
        self._progress.update(self._task, completed=self._started, description=what)
        self._started += 1

    def detail(self, what: str) -> None:
        """Within the unit, this is going on."""
        self._progress.update(self._task, description=f"{self._what}: {what}")
