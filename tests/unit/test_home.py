"""What is written into a home's own settings, and what is left alone."""

import datetime as dt
from pathlib import Path

from packaging_assets.home import write_partition_range
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
