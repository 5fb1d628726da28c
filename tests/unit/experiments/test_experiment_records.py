"""An experiment's id and its record on disk."""

import datetime as dt
import json
from pathlib import Path

import pytest

from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.records import (
    Evaluation,
    ExperimentRecord,
    ExperimentRecords,
    WeekRecord,
    experiment_id,
)

SIDE = Evaluation(
    steps=(),
    metrics_uri="experiments/mailer/metrics/2025-02-03/f",
    pr_auc=0.5,
    pr_auc_standard_error=0.01,
    log_loss=0.4,
    recall_at_95_precision=0.1,
    validation_rows=10,
    training_rows=20,
    minority_label=1,
    training_seconds=1.0,
    verdict="pending",
    reasons=("too few rows",),
)


def record(identifier: str, day: int = 1) -> ExperimentRecord:
    return ExperimentRecord(
        id=identifier,
        model="mailer",
        package_type="mailer",
        overrides={"parameters.depth": 8, "feeds_from": ["box"]},
        weeks=(WeekRecord(week="2025-02-03", candidate=SIDE, baseline=SIDE, to_baseline=None, champion=None),),
        seconds=2.5,
        cache_hits=4,
        steps=6,
        created_at=dt.datetime(2025, 3, day, tzinfo=dt.UTC),
        code_version="0.1.0",
    )


def test_the_id_is_a_hash_of_what_the_experiment_is():
    one = experiment_id("mailer", {"a": 1, "b": [2]}, ["2025-02-03", "2025-02-10"])
    assert one == "f1d09c564e"
    assert one == experiment_id("mailer", {"b": [2], "a": 1}, ["2025-02-10", "2025-02-03"])
    others = {
        experiment_id("box", {"a": 1, "b": [2]}, ["2025-02-03", "2025-02-10"]),
        experiment_id("mailer", {"a": 2, "b": [2]}, ["2025-02-03", "2025-02-10"]),
        experiment_id("mailer", {"a": 1, "b": [2]}, ["2025-02-03"]),
        one,
    }
    assert len(others) == 4


def test_a_record_comes_back_as_it_was_written(tmp_path: Path):
    records = ExperimentRecords(tmp_path)
    written = record("0123456789")
    path = records.write(written)
    assert path == tmp_path / "experiments" / "0123456789.json"
    assert records.get("0123456789") == records.find("0123456789") == written
    assert records.get("0123456789").week("2025-02-03") == written.weeks[0]
    assert records.get("0123456789").week("2025-02-10") is None
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_records_are_listed_by_age_and_other_files_are_not_records(tmp_path: Path):
    records = ExperimentRecords(tmp_path)
    assert records.all() == []
    records.write(record("aaaaaaaaaa", day=2))
    records.write(record("bbbbbbbbbb", day=1))
    (records.folder / "notes.json").write_text("{}")
    assert [each.id for each in records.all()] == ["bbbbbbbbbb", "aaaaaaaaaa"]


@pytest.mark.parametrize("identifier", ["0123456789", "../registry", "01234", "", "xyzxyzxyzx"])
def test_an_unknown_id_names_those_there_are(tmp_path: Path, identifier: str):
    records = ExperimentRecords(tmp_path)
    with pytest.raises(ExperimentError, match="there is none so far"):
        records.get(identifier)
    records.write(record("aaaaaaaaaa"))
    with pytest.raises(ExperimentError, match=f"no experiment '{identifier}' in .*; there is aaaaaaaaaa"):
        records.get(identifier)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"{", "Invalid JSON"), (b'{"id": "x"}', "Field required"), (b'{"id": "\xff"}', "Invalid JSON")],
)
def test_a_damaged_record_is_named_with_the_remedy(tmp_path: Path, content: bytes, problem: str):
    records = ExperimentRecords(tmp_path)
    path = records.write(record("aaaaaaaaaa"))
    path.write_bytes(content)
    with pytest.raises(ExperimentError, match=f"{problem}.*: delete it and run the experiment again"):
        records.get("aaaaaaaaaa")


def test_a_write_that_fails_leaves_the_earlier_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    records = ExperimentRecords(tmp_path)
    path = records.write(record("aaaaaaaaaa", day=1))

    def fail(_: Path, __: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        records.write(record("aaaaaaaaaa", day=2))
    assert json.loads(path.read_text())["created_at"] == "2025-03-01T00:00:00Z"
    assert [each.name for each in path.parent.iterdir()] == [path.name]
