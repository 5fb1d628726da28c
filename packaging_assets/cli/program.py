"""The `packaging` command as a program of its own, which ends as soon as its work is done."""

import atexit
import io
import os
import sys
import threading
from typing import NoReturn

from packaging_assets.cli.main import main


def program() -> NoReturn:
    """Run the command and end the process."""
    _print_whatever_the_encoding()
    status: object = 0
    try:
        main()
    except SystemExit as ending:
        status = ending.code
    if not isinstance(status, int | None):
        sys.exit(str(status))  # Python prints it
    end_at_once(status or 0)


def _print_whatever_the_encoding() -> None:
    """Let a question mark stand for what the terminal's encoding does not have, instead of ending in the middle.

    Names of files that are not UTF-8 have such characters everywhere; tables have some where the locale is not UTF-8.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def end_at_once(status: int) -> NoReturn:
    """End the process as Python would, but for taking apart the objects that the system frees all at once.

    After a run there are a million of them: most of a second, for nothing. mypy ends in the same way.
    """
    threading._shutdown()  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue] - waits for threads, as Python would
    atexit._run_exitfuncs()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by who started us
            stream.flush()
    os._exit(status)
