"""What is written into a home before anything runs, and what is left alone."""

import datetime as dt
import errno
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._utils.tags import TagConcurrencyLimitsCounter

from packaging_assets.home import prepare_dagster_home, write_partition_range
from packaging_assets.settings import load_settings

FIRST_WEEK, LAST_DAY = dt.date(2025, 1, 6), dt.date(2025, 2, 16)


def test_the_partitions_are_read_back(tmp_path: Path) -> None:
    write_partition_range(load_settings(tmp_path / "home"), first_week=FIRST_WEEK, last_day=LAST_DAY)
    settings = load_settings(tmp_path / "home")
    assert (settings.first_week, settings.last_day) == (FIRST_WEEK, LAST_DAY)


def test_what_people_wrote_stays_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('# ours\nname = "test"\nlast_day = 2025-01-12  # so far\n\n[[alert_routes]]\nurl = "json://x"\n')
    write_partition_range(load_settings(tmp_path), first_week=FIRST_WEEK, last_day=LAST_DAY)
    assert file.read_text() == (
        '# ours\nname = "test"\nlast_day = 2025-02-16  # so far\nfirst_week = 2025-01-06\n'
        '\n[[alert_routes]]\nurl = "json://x"\n'
    )
    settings = load_settings(tmp_path)
    assert (settings.name, settings.last_day, len(settings.alert_routes)) == ("test", LAST_DAY, 1)


def test_the_same_partitions_again_touch_nothing(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("first_week=2025-01-06\nlast_day=2025-02-16\n")
    before = file.stat().st_mtime_ns
    write_partition_range(load_settings(tmp_path), first_week=FIRST_WEEK, last_day=LAST_DAY)
    assert (file.read_text(), file.stat().st_mtime_ns) == ("first_week=2025-01-06\nlast_day=2025-02-16\n", before)


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be opened for writing, and take nothing."""
    write = Path.write_text

    def write_nothing(self: Path, text: str, **options: str) -> int:
        write(self, "", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_nothing)


def test_a_full_disk_leaves_no_empty_configuration_that_would_stand_for_good(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fill_disk(monkeypatch)
        with pytest.raises(OSError, match="No space left"):
            prepare_dagster_home(settings)
    assert list(settings.dagster_home.iterdir()) == []
    prepare_dagster_home(settings)
    configured = yaml.safe_load((settings.dagster_home / "dagster.yaml").read_text())
    assert configured["concurrency"]["pools"] == {"default_limit": 1}


def test_dagster_sends_nothing_and_frees_what_ended_runs_held(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert (instance.telemetry_enabled, instance.nux_enabled, instance.run_monitoring_enabled) == (
            False,
            False,
            True,
        )
        assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 30


def test_a_configuration_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    settings.dagster_home.mkdir()
    (settings.dagster_home / "dagster.yaml").write_text("# ours\n")
    prepare_dagster_home(settings)
    assert (settings.dagster_home / "dagster.yaml").read_text() == "# ours\n"


@dg.job
def nothing() -> None: ...


BACKFILL, TRAINING = {"dagster/backfill": "abc"}, {"dagster/schedule_name": "weekly_training_schedule"}


@pytest.mark.parametrize(
    ("under_way", "asked_for", "waits"),
    [
        (BACKFILL, BACKFILL, True),
        (TRAINING, TRAINING, True),
        ({"packaging/trigger": "one"}, {"packaging/trigger": "one"}, True),
        ({"packaging/trigger": "one"}, {"packaging/trigger": "another"}, False),
        (BACKFILL, TRAINING, False),
        (TRAINING, {"dagster/schedule_name": "daily_inference_schedule"}, False),
    ],
)
def test_weeks_of_one_origin_are_run_one_after_the_other(
    tmp_path: Path, under_way: dict[str, str], asked_for: dict[str, str], *, waits: bool
) -> None:
    settings = load_settings(tmp_path)
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        first = instance.create_run_for_job(nothing, tags=under_way, status=dg.DagsterRunStatus.STARTED)
        second = instance.create_run_for_job(nothing, tags=asked_for)
        assert TagConcurrencyLimitsCounter(queue.tag_concurrency_limits, [first]).is_blocked(second) is waits


def test_a_full_disk_leaves_settings_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('name = "test"\n')
    with pytest.MonkeyPatch.context() as monkeypatch:
        fill_disk(monkeypatch)
        with pytest.raises(OSError, match="No space left"):
            write_partition_range(load_settings(tmp_path), first_week=FIRST_WEEK, last_day=LAST_DAY)
    assert (list(tmp_path.iterdir()), file.read_text()) == ([file], 'name = "test"\n')
