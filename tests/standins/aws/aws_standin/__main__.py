"""`python -m aws_standin COMMAND...`: AWS on this machine, for as long as a command takes; without one until Ctrl-C."""

import argparse
import contextlib
import os
import queue
import signal
import subprocess
import sys

from aws_standin.machine import AwsOnThisMachine, shown

GRACE_SECONDS = 30
"""What the command may take to end once it was asked to, before it is made to."""


def main() -> int:
    """Start everything, run the command with it, stop everything; returns the command's exit code."""
    parser = argparse.ArgumentParser(prog="aws_standin", description=__doc__)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="such as: packaging demo --home /tmp/on-aws")
    given = parser.parse_args()
    asked_to_end: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: asked_to_end.put(number))
    with AwsOnThisMachine() as aws:
        if given.command:
            code = _run(given.command, {**os.environ, **aws.environment}, asked_to_end)
            sys.stderr.write("AWS on this machine ends here, and with it all that was in S3, Redshift and SageMaker.\n")
            return code
        print(shown(aws.environment), flush=True)  # noqa: T201 - for a shell's `eval`
        asked_to_end.get()
        return 0


def _run(command: list[str], environment: dict[str, str], asked_to_end: "queue.SimpleQueue[int]") -> int:
    """The command's exit code as a shell tells it; it is ended when this process is asked to end."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 - what the user asked for
        while process.poll() is None:
            with contextlib.suppress(queue.Empty):
                _end(process, asked_to_end.get(timeout=0.1))
        return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _end(process: "subprocess.Popen[bytes]", asked: int) -> None:
    """Ask the command to end, once: what it does to end well must not be interrupted; only then make it."""
    if asked != signal.SIGINT:  # Ctrl-C reaches it as well, by the terminal
        process.terminate()
    for make_it_end in (process.terminate, process.kill):
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            make_it_end()


if __name__ == "__main__":
    sys.exit(main())
