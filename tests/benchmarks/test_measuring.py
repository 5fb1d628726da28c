"""The harness measures what it says: processes, turns, ratios, spreads."""

import json
import math
import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.measuring import (
    CommandFailedError,
    Pairs,
    Usage,
    alternate,
    compared,
    half_interquartile_range,
    limited,
    ratio_of,
    report_detail,
    run_command,
    run_in_turns,
    total,
)


def usage(wall: float, cpu: float = 1.0, peak: float = 100.0) -> Usage:
    return Usage(wall_seconds=wall, cpu_seconds=cpu, peak_rss_mb=peak)


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


BURN = "import time\nwhile time.process_time() < 0.4: pass"


class TestRunCommand:
    def test_cpu_seconds_include_those_of_descendants(self):
        alone = run_command(python(BURN))
        in_child = run_command(
            python(f"import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', {BURN!r}])")
        )
        assert 0.4 <= alone.cpu_seconds < 0.8
        assert 0.4 <= in_child.cpu_seconds < 0.8

    def test_memory_is_the_commands_and_not_that_of_who_measures(self):
        ballast = bytearray(200_000_000)
        ballast[::4096] = b"x" * len(ballast[::4096])
        small = run_command(python("pass"))
        large = run_command(python("x = bytearray(100_000_000)"))
        assert small.peak_rss_mb < 60
        assert 90 < large.peak_rss_mb - small.peak_rss_mb < 105  # 95.4 MiB, less what both have in common
        assert len(ballast) == 200_000_000

    def test_wall_seconds_are_until_its_exit(self):
        assert 0.3 <= run_command(python("import time; time.sleep(0.3)")).wall_seconds < 5

    def test_an_unexpected_exit_is_told_with_the_end_of_the_output(self):
        with pytest.raises(CommandFailedError, match=r"ended with 3\. It printed last:\nno luck$"):
            run_command(python("import sys; print('no luck'); sys.exit(3)"))

    def test_an_expected_exit_is_a_figure(self):
        assert run_command(python("import sys; sys.exit(3)"), exit_codes=(3,)).exit_code == 3

    def test_a_signal_is_a_negative_exit(self):
        killed = run_command(python("import os; os.kill(os.getpid(), 9)"), exit_codes=(-9,))
        assert killed.exit_code == -9

    def test_a_command_that_is_not_there_is_told(self):
        with pytest.raises(CommandFailedError, match="no-such-command could not be started"):
            run_command(["no-such-command"])

    def test_one_that_takes_too_long_is_ended(self, tmp_path: Path):
        pid = tmp_path / "pid"
        with pytest.raises(CommandFailedError, match=r"took longer than 2 s"):
            run_command(["sh", "-c", f"echo $$ > {pid}; exec sleep 60"], timeout=2)
        assert not Path(f"/proc/{pid.read_text().strip()}").exists()

    def test_what_it_leaves_running_is_counted_and_ended(self, tmp_path: Path):
        pid = tmp_path / "pid"
        left = run_command(["sh", "-c", f"sleep 60 & echo $! > {pid}"])
        assert left.left_behind == 1
        assert left.wall_seconds < 30
        assert not Path(f"/proc/{pid.read_text().strip()}").exists()

    def test_environment_and_folder_are_the_given_ones(self, tmp_path: Path):
        code = "import os, json; json.dump([os.getcwd(), sorted(os.environ)], open('seen', 'w'))"
        run_command(python(code), cwd=tmp_path, env={"ONLY": "this"})
        folder, names = json.loads((tmp_path / "seen").read_text())
        assert Path(folder) == tmp_path
        assert set(names) - {"LC_CTYPE"} == {"ONLY"}


class TestTurns:
    def test_floor_and_ours_alternate_after_a_warm_up_that_does_not_count(self):
        order: list[str] = []

        def work(name: str, wall: float):
            def run() -> Usage:
                order.append(name)
                return usage(wall + len(order))

            return run

        pairs = alternate(work("floor", 0), work("ours", 0), 2, before_each=lambda: order.append("clean"))
        assert order == ["clean", "floor", "clean", "ours"] * 3
        assert pairs == Pairs(floor=(usage(6), usage(10)), ours=(usage(8), usage(12)))

    def test_without_a_warm_up_every_run_counts(self):
        assert run_in_turns([lambda: usage(1), lambda: usage(2), lambda: usage(3)], 1, warm_up=False) == [
            (usage(1),),
            (usage(2),),
            (usage(3),),
        ]

    def test_it_says_what_it_is_doing(self):
        said: list[str] = []
        token = report_detail.set(said.append)
        alternate(lambda: usage(1), lambda: usage(1), 1)
        report_detail.reset(token)
        assert said == ["warm-up, 1 of 2", "warm-up, 2 of 2", "round 1 of 1, 1 of 2", "round 1 of 1, 2 of 2"]


class TestFigures:
    PAIRS = Pairs(
        floor=(usage(2.0, 1.0, 50), usage(4.0, 1.0, 60), usage(3.0, 1.0, 55)),
        ours=(usage(2.2, 2.0, 90), usage(4.8, 3.0, 80), usage(3.0, 2.5, 85)),
    )

    def test_the_ratio_is_that_of_the_medians_and_the_spread_that_of_the_pairs(self):
        figure = compared("job", self.PAIRS, goal=1.05, note="small").as_dict()
        assert figure == {
            "name": "job",
            "ratio": 1.0,
            "goal": 1.05,
            "floor": 3.0,
            "ours": 3.0,
            "unit": "s",
            "spread": 0.05,  # ratios 1.1, 1.2, 1.0: quartiles 1.05 and 1.15
            "kind": "floor",
            "runs": 3,
            "floor_runs": [2.0, 4.0, 3.0],
            "our_runs": [2.2, 4.8, 3.0],
            "beside": {
                "floor_cpu_seconds": 1.0,
                "ours_cpu_seconds": 2.5,
                "floor_peak_rss_mb": 55.0,
                "ours_peak_rss_mb": 85.0,
            },
            "note": "small",
        }

    def test_another_measure_has_its_own_unit(self):
        figure = compared("job", self.PAIRS, goal=None, of="cpu_seconds")
        assert (figure.ratio, figure.unit, figure.goal) == (2.5, "CPU s", None)
        assert compared("job", self.PAIRS, goal=1, of="peak_rss_mb").unit == "MB"

    def test_a_limit_is_a_ratio_to_one_of_its_unit(self):
        figure = limited("again", [3.0, 3.5, 4.5], limit=4.0, unit="s", beside={"floor": 1.5}).as_dict()
        assert figure == {
            "name": "again",
            "ratio": 3.5,
            "goal": 4.0,
            "floor": 1.0,
            "ours": 3.5,
            "unit": "s",
            "spread": 0.375,
            "kind": "limit",
            "runs": 3,
            "our_runs": [3.0, 3.5, 4.5],
            "beside": {"floor": 1.5},
        }

    @pytest.mark.parametrize(
        ("floors", "ours", "message"),
        [
            ([1.0], [1.0, 2.0], "job: 1 runs of the floor and 2 of ours"),
            ([], [], "job: 0 runs of the floor and 0 of ours"),
            ([1.0, 0.0], [1.0, 1.0], "job: a cost of 0.0 s"),
        ],
    )
    def test_what_has_no_ratio_is_refused(self, floors: list[float], ours: list[float], message: str):
        with pytest.raises(ValueError, match=message):
            ratio_of("job", floors, ours, goal=1, unit="s")

    @pytest.mark.parametrize(
        ("values", "expected"),
        [([5.0], 0.0), ([1.0, 2.0], 0.25), ([1.0, 2.0, 3.0, 4.0, 100.0], 1.0), ([2.0, 2.0, 2.0], 0.0)],
    )
    def test_half_interquartile_range(self, values: list[float], expected: float):
        assert math.isclose(half_interquartile_range(values), expected)

    def test_commands_in_a_row_add_up(self):
        assert total([usage(1, 2, 30), usage(2, 3, 20)]) == usage(3, 5, 30)


def test_an_interrupted_measurement_ends_its_command(tmp_path: Path):
    import signal
    import subprocess

    pid = tmp_path / "pid"
    code = f"from benchmarks.measuring import run_command; run_command(['sh', '-c', 'echo $$ > {pid}; exec sleep 60'])"
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
