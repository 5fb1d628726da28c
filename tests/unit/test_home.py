"""What is written into a home before anything runs, and what is left alone."""

import datetime as dt
from pathlib import Path

import pytest

from packaging_assets.home import DAGSTER_YAML, prepare_dagster_home, write_partition_range
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


def test_a_kill_while_dagsters_configuration_is_written_leaves_none_and_the_next_start_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path)
    write_text = Path.write_text

    def write_half(file: Path, text: str, **options: str) -> None:
        write_text(file, text[: len(text) // 2], **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", write_half)
        with pytest.raises(KeyboardInterrupt):
            prepare_dagster_home(settings)
    assert not (settings.dagster_home / "dagster.yaml").exists()
    prepare_dagster_home(settings)
    assert (settings.dagster_home / "dagster.yaml").read_text() == DAGSTER_YAML
