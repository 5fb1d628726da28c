"""A process is known again by its number and the time it was seen."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packaging_assets.processes import CLOCK_SLACK_SECONDS, is_running


def test_this_process_runs_and_one_that_started_later_is_another() -> None:
    assert is_running(os.getpid(), seen_at=time.time())
    assert not is_running(os.getpid(), seen_at=time.time() - 86_400)


def test_a_process_that_was_killed_does_not_run_even_before_its_parent_asks() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    seen_at = time.time()
    assert is_running(process.pid, seen_at=seen_at)
    process.kill()
    deadline = time.monotonic() + 10
    while is_running(process.pid, seen_at=seen_at) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(process.pid, seen_at=seen_at)  # a zombie by now
    process.communicate()
    assert not is_running(process.pid, seen_at=seen_at)


def test_without_proc_the_number_alone_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("packaging_assets.processes.PROC", tmp_path / "not there")
    assert is_running(os.getpid(), seen_at=time.time() - 86_400 - CLOCK_SLACK_SECONDS)
    assert not is_running(2**22 - 1, seen_at=time.time())


def test_a_process_may_be_called_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("packaging_assets.processes.PROC", tmp_path)
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1000\n")
    (tmp_path / "123").mkdir()
    ticks = 5 * os.sysconf("SC_CLK_TCK")
    (tmp_path / "123" / "stat").write_text(f"123 (a) Z (b) S {'0 ' * 18}{ticks} 0\n")
    assert is_running(123, seen_at=1005 - CLOCK_SLACK_SECONDS)
    assert not is_running(123, seen_at=1004.9 - CLOCK_SLACK_SECONDS)
