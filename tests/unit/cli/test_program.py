"""The `packaging` command as a process: its status, all that it prints, and what others asked to be done at its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENDS = """
import atexit, sys, threading, time
from packaging_assets.cli import main
from packaging_assets.cli.program import program

@main.command("said")
def said():
    threading.Thread(target=lambda: (time.sleep(0.2), print("a thread ended"))).start()
    atexit.register(print, "asked to be told")
    print("x" * 100_000)
    raise SystemExit(STATUS)

main.get_command = lambda context, name: said
sys.argv = ["packaging", "said"]
program()
"""


def run(status):
    code = ENDS.replace("STATUS", repr(status))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (None, 0), (3, 3)])
def test_everything_printed_arrives_and_everyone_is_told(status, expected):
    ended = run(status)

    assert (ended.returncode, ended.stderr) == (expected, "")
    assert ended.stdout.splitlines() == ["x" * 100_000, "a thread ended", "asked to be told"]


SAYS = """
import sys
from packaging_assets.cli import main
from packaging_assets.cli.program import program

@main.command("said")
def said():
    print("0.1 \\xb1 0.2 \\u2026 b\\udce4d.csv")

main.get_command = lambda context, name: said
sys.argv = ["packaging", "said"]
program()
"""


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"0.1 ? 0.2 ? b?d.csv\n"),
        ("latin-1", b"0.1 \xb1 0.2 ? b?d.csv\n"),
        ("utf-8", "0.1 \xb1 0.2 \u2026 b?d.csv\n".encode()),
        ("ascii:backslashreplace", b"0.1 \\xb1 0.2 \\u2026 b\\udce4d.csv\n"),  # as asked for
    ],
)
def test_a_character_that_the_terminal_does_not_have_ends_nothing(encoding, expected):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, env=environment, check=False)  # noqa: S603
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, expected, b"")


@pytest.mark.parametrize("closed", [1, 2])
def test_a_stream_that_is_closed_from_the_beginning_ends_nothing(closed):
    def close():
        os.close(closed)

    code = ENDS.replace("STATUS", "0")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, preexec_fn=close, check=False)  # noqa: S603
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_status_that_is_a_sentence_is_printed_and_counts_as_1():
    ended = run("it broke")

    assert (ended.returncode, ended.stderr) == (1, "it broke\n")


def test_an_error_of_the_program_has_its_trace():
    code = ENDS.replace("raise SystemExit(STATUS)", "raise ZeroDivisionError('no')")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603

    assert ended.returncode == 1
    assert ended.stderr.endswith("ZeroDivisionError: no\n")


FULL = """
import sys
from packaging_assets.cli.program import program
sys.argv = ["packaging", *ARGUMENTS]
program()
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["spec", "--help"], ["spec", "docs"]], ids=" ".join)
def test_a_disk_that_is_too_full_for_what_is_printed_is_told_in_a_sentence(arguments):
    command = [sys.executable, "-c", FULL.replace("ARGUMENTS", repr(arguments))]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    said = "No space left on device. Make room on the home's disk (packaging cache prune), and run the command again."
    assert (ended.returncode, ended.stderr) == (1, f"Error: {said}\n")
