"""What happens when SageMaker stops a job: SIGTERM, and SIGKILL two minutes later.

A learner may be in compiled code for hours, where Python runs no signal handler. The signal's number, however, is
written to the wakeup descriptor at once, and a thread that waits for it ends the process.
"""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

EXIT_CODE = 128 + signal.SIGTERM


@contextmanager
def ended_by_sigterm(tell: Callable[[str], None]) -> Generator[None]:
    """End the process at SIGTERM inside the block, after telling why; only the main thread can say so."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.signal(signal.SIGTERM, _leave_to_the_thread)
    descriptor = signal.set_wakeup_fd(writer)
    thread = threading.Thread(target=_wait, args=(reader, tell), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGTERM, before)
        os.close(writer)  # the thread reads the end, and ends
        thread.join()
        os.close(reader)


def _wait(reader: int, tell: Callable[[str], None]) -> None:
    while number := os.read(reader, 1):
        if number[0] == signal.SIGTERM:
            tell("Stopped by SIGTERM before the step was finished.")
            os._exit(EXIT_CODE)


def _leave_to_the_thread(number: int, frame: object) -> None:
    """Without a handler of Python's there is nothing on the wakeup descriptor, and the process ends untold."""
