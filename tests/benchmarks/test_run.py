"""`make bench`: what it finds, keeps and refuses; and once everything at small sizes."""

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import measurements
from benchmarks.measurements import SMALL, Measurement, all_measurements, chosen
from benchmarks.measuring import CommandFailedError
from benchmarks.results_file import KEYS, read_results, write_results
from benchmarks.run import main, take

NOW = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)


def figure(name: str, ratio: float = 1.0) -> dict[str, Any]:
    return {**dict.fromkeys(KEYS, 0), "name": name, "ratio": ratio}


def measurement(name: str, *figures: dict[str, Any], error: Exception | None = None) -> Measurement:
    def function(repeats: int) -> list[dict[str, Any]]:
        if error is not None:
            raise error
        return [{**one, "repeats": repeats} for one in figures]

    return Measurement(name, function)


def test_measurements_are_chosen_by_the_beginning_of_their_name():
    all_of_them = [measurement("training.weekly"), measurement("training.cached"), measurement("inference.monthly")]
    assert [one.name for one in chosen(all_of_them, ["training", "inference.m"])] == [one.name for one in all_of_them]
    assert [one.name for one in chosen(all_of_them, ["training.c"])] == ["training.cached"]
    assert chosen(all_of_them, []) == all_of_them


def test_a_name_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no measurement is named 'trainign': there are training\.weekly"):
        chosen([measurement("training.weekly")], ["trainign"])


def test_every_measurement_is_found_by_its_function_and_says_what_it_measures():
    found = all_measurements()
    assert "control.itself" in [one.name for one in found]
    assert [one.name for one in found if not one.what] == []
    assert {one.name for one in found} == set(SMALL)


def test_each_figure_is_kept_with_when_and_on_what_it_was_taken(tmp_path: Path):
    file = tmp_path / "latest.json"
    write_results([figure("old"), figure("a")], file)
    run = take([measurement("x.y", figure("a", 2.0))], 5, quick=False, file=file, cache=tmp_path, now=lambda: NOW)
    assert run.failures == []
    old, new = read_results(file)
    assert old == figure("old")
    assert (new["name"], new["ratio"], new["repeats"]) == ("a", 2.0, 5)
    assert (new["measurement"], new["measured_at"]) == ("x.y", "2025-03-01T00:00:00+00:00")
    assert new["machine"]["cores"] >= 1
    assert {"python", "duckdb", "catboost", "pyarrow", "dagster"} <= set(new["machine"]["versions"])


@pytest.mark.parametrize("error", [CommandFailedError("ended with 1"), ValueError("no ratio"), AssertionError("rows")])
def test_one_that_fails_stops_none_and_is_told(tmp_path: Path, error: Exception):
    file = tmp_path / "latest.json"
    three = [measurement("a", figure("a")), measurement("b", error=error), measurement("c", figure("c"))]
    run = take(three, 1, quick=False, file=file, cache=tmp_path)
    assert run.failures == [f"b: {error}"]
    assert [one["name"] for one in read_results(file)] == ["a", "c"]


def test_what_was_taken_before_an_interruption_is_kept(tmp_path: Path):
    file = tmp_path / "latest.json"
    stopped = [measurement("a", figure("a")), Measurement("b", _interrupted), measurement("c", figure("c"))]
    with pytest.raises(KeyboardInterrupt):
        take(stopped, 1, quick=False, file=file, cache=tmp_path)
    assert [one["name"] for one in read_results(file)] == ["a"]


def _interrupted(repeats: int) -> list[dict[str, Any]]:
    raise KeyboardInterrupt


def test_a_measurement_gets_what_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def of_a_size(repeats: int, folder: Path, *, products: int = 1_000_000) -> list[dict[str, Any]]:
        return [{"repeats": repeats, "folder": folder, "products": products}]

    one = Measurement("training.weekly", of_a_size)
    whole = {"repeats": 5, "folder": tmp_path, "products": 1_000_000}
    assert one.take(5, quick=False, cache=tmp_path) == [whole]
    monkeypatch.setattr(measurements, "SMALL", {"training.weekly": {"products": 100}})
    assert one.take(1, quick=True, cache=tmp_path) == [{"repeats": 1, "folder": tmp_path, "products": 100}]


def test_a_home_is_made_once_and_again_if_it_was_not_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran: list[Path] = []

    def run_demo(command: list[Any]) -> None:
        assert command[1:-1] == ["demo", "--products", "3000", "--weeks", "3", "--seed", "7", "--home"]
        assert not command[-1].exists()
        command[-1].mkdir()
        ran.append(command[-1])

    monkeypatch.setattr(measurements, "run_command", run_demo)
    (tmp_path / "demo_home").mkdir()
    (tmp_path / "demo_home" / "half").touch()

    def needs_a_home(repeats: int, home: Path) -> list[dict[str, Any]]:
        return [{"home": home}]

    one = Measurement("orchestration.help", needs_a_home)
    assert [one.take(1, quick=True, cache=tmp_path) for _ in range(2)] == [[{"home": tmp_path / "demo_home"}]] * 2
    assert ran == [tmp_path / "demo_home"]


def test_the_command_lists_and_refuses():
    listed = CliRunner().invoke(main, ["--list"])
    assert listed.exit_code == 0
    assert "control.itself" in listed.output
    refused = CliRunner().invoke(main, ["--only", "nothing"])
    assert refused.exit_code == 2
    assert "no measurement is named 'nothing'" in refused.output


def test_what_needs_no_home_runs_once_at_small_sizes(tmp_path: Path):
    """The others make homes and catalogues first, for minutes: `make bench ARGS=--quick` runs them."""
    file, names = tmp_path / "quick.json", ("control.itself", "orchestration.help")
    chosen = [word for name in names for word in ("--only", name)]
    options = ["--quick", *chosen, "--output", str(file), "--cache", str(tmp_path)]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    figures = json.loads(file.read_text())
    assert {one["measurement"] for one in figures} == set(names)
    assert len({one["name"] for one in figures}) == len(figures)
    for one in figures:
        assert set(KEYS) <= set(one)
        assert all(math.isfinite(one[key]) for key in ("ratio", "floor", "ours", "spread")), one
        assert min(one["ratio"], one["floor"], one["ours"]) > 0, one
        assert one["goal"] is None or one["goal"] > 0, one
        assert one["ratio"] == pytest.approx(one["ours"] / one["floor"], rel=2e-3)
