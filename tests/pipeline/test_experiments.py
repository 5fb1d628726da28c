"""Experiments over a home in which everything was trained: quick where nothing changed, and unseen by all else."""

import json
import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score
from small_retailer import WEEKS, Home

from packaging_assets.artifacts.prune import EXPERIMENTS

WEEK = WEEKS[2]
SPACE = """\
parameters.depth: {int: [3, 6]}
parameters.iterations: {int: [20, 120], log: true}
"""


def experiment(home: Home, *arguments: str) -> Any:
    process = home.start("experiment", *arguments, "--json")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return json.loads(out)


def outside(home: Home) -> dict[str, bytes]:
    """Registry, warehouse, pointers, Dagster's storage and all else that is not an experiment's."""
    paths = [path for path in home.folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    named = {path.relative_to(home.folder).as_posix(): path for path in paths}
    own = ("experiments/", f"artifacts/{EXPERIMENTS}")
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(own)}


def scores_of(home: Home, uri: str) -> pa.Table:
    return pq.read_table(home.folder / "artifacts" / uri / "scores.parquet")


def pr_auc(scores: pa.Table, minority_label: int) -> float:
    y, values = scores["label"].to_numpy(), scores["candidate_score"].to_numpy()
    return average_precision_score(y, values) if minority_label else average_precision_score(1 - y, 1 - values)


def test_an_experiment_re_uses_the_home_and_leaves_it_byte_for_byte(home: Home):
    before = outside(home)
    deeper = experiment(home, "run", "mailer", "--set", "parameters.depth=5")
    (week,) = deeper["weeks"]
    hits = {step["asset_key"]: step["is_cache_hit"] for step in week["candidate"]["steps"]}
    assert (week["week"], hits) == (WEEK, {"mailer/split": True, "mailer/model": False, "mailer/metrics": False})
    assert all(step["is_cache_hit"] for step in week["baseline"]["steps"])
    metrics = home.store.current("mailer/metrics", WEEK)
    assert metrics is not None
    assert week["baseline"]["metrics_uri"] == metrics.uri

    again = experiment(home, "run", "mailer", "--set", "parameters.depth=5")
    assert (again["id"], again["cache_hits"], again["steps"]) == (deeper["id"], 6, 6)
    other_split = experiment(home, "run", "mailer", "--set", "split.validation_fraction=0.2", "--week", WEEK)
    assert [step["is_cache_hit"] for step in other_split["weeks"][0]["candidate"]["steps"]] == [False] * 3

    found = experiment(home, "compare", deeper["id"])
    candidate, baseline = (scores_of(home, week[side]["metrics_uri"]) for side in ("candidate", "baseline"))
    minority = week["candidate"]["minority_label"]
    direct = pr_auc(candidate, minority) - pr_auc(baseline, minority)
    assert found["weeks"][0]["difference"] == pytest.approx(direct)
    assert week["to_baseline"]["difference"] == found["weeks"][0]["difference"]
    assert outside(home) == before


def finished_trials(database: Path) -> int:
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("select count(*) from trial_values").fetchone()[0]
        except sqlite3.OperationalError:  # its tables are being made
            return 0


def kill_after(home: Home, arguments: tuple[str, ...], trials: int) -> None:
    process = home.start("experiment", *arguments)
    end = time.monotonic() + 120
    while finished_trials(home.folder / "experiments" / "studies.db") < trials:
        assert time.monotonic() < end, "the trials did not come"
        assert process.poll() is None, "the search ended before it was killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_search_killed_twice_finds_what_an_uninterrupted_one_finds(home: Home, retailer: Home, tmp_path: Path):
    (tmp_path / "space.yaml").write_text(SPACE)
    arguments = ("tune", "box", "--space", str(tmp_path / "space.yaml"), "--trials", "5", "--week", WEEK)
    uninterrupted = experiment(retailer.copy_to(tmp_path / "uninterrupted"), *arguments)
    before = outside(home)
    kill_after(home, arguments, 1)
    kill_after(home, arguments, 3)
    resumed = experiment(home, *arguments)
    assert resumed["trials"] == uninterrupted["trials"]
    assert len(resumed["trials"]) == 5
    assert (resumed["study"], resumed["best"]) == (uninterrupted["study"], uninterrupted["best"])
    assert resumed["experiment"]["id"] == uninterrupted["experiment"]["id"]
    # What a kill leaves under `.staging/` is the store's to remove.
    assert {name: content for name, content in outside(home).items() if "/.staging/" not in name} == before
    assert re.fullmatch(rf"box-{WEEK}-[0-9a-f]{{10}}", resumed["study"])
