import datetime as dt
import os
import re
from pathlib import Path

import pytest

from packaging_assets.aws_settings import AwsSettings
from packaging_assets.dagster_storage import open_instance
from packaging_assets.home import prepare_dagster_home
from packaging_assets.resources.environment import compute_for, resources_for
from packaging_assets.settings import (
    PROJECT_ROOT,
    Settings,
    SettingsError,
    current_settings,
    load_settings,
    use_settings,
)


def test_everything_has_a_default_and_a_description(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.env == "local"
    assert settings.home == PROJECT_ROOT / ".packaging"
    assert all(field.description for field in Settings.model_fields.values())


def test_the_homes_file_yields_to_the_environment_and_that_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text("rows_per_chunk = 1\ncatch_up_days = 1\nmaturity_days = 1\n")
    monkeypatch.setenv("PACKAGING_CATCH_UP_DAYS", "2")
    monkeypatch.setenv("PACKAGING_MATURITY_DAYS", "2")
    settings = load_settings(tmp_path, maturity_days=3)
    assert (settings.rows_per_chunk, settings.catch_up_days, settings.maturity_days) == (1, 2, 3)


def test_the_home_may_come_from_the_environment_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text("threads = 5\n")
    monkeypatch.setenv("PACKAGING_HOME", str(tmp_path))
    assert (load_settings().home, load_settings().threads) == (tmp_path, 5)


def test_a_home_of_no_name_is_not_the_folder_that_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PACKAGING_HOME", "")
    with pytest.raises(SettingsError, match=r"^Unusable settings: home = '': .*: name a folder, or unset it\. Correct"):
        load_settings()
    monkeypatch.setenv("PACKAGING_HOME", ".")
    assert load_settings().home == tmp_path


def test_a_relative_home_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("here"))
    assert settings.home == tmp_path / "here"
    assert settings.warehouse_path == tmp_path / "here" / "warehouse.duckdb"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FIRST_WEEK", "2025-01-07", "2025-01-07 is a Tuesday; weeks begin on Mondays: use 2025-01-06"),
        ("ENV", "azure", "'local' or 'aws'"),
        ("MAX_BAD_ROW_SHARE", "2", "less than or equal to 1"),
        ("MAX_BAD_ROW_SHARE", "nan", "finite number"),
        ("CACHE_MAX_AGE_DAYS", "nan", "finite number"),
        ("SAGEMAKER_POLL_SECONDS", "nan", "finite number"),
        ("WAREHOUSE_MEMORY_LIMIT", "lots", "match pattern"),
        ("THREADS", "0", "greater than or equal to 1"),
        ("THREADS", "1025", "less than or equal to 1024"),
        ("LAST_DAY", "9999-12-31", "less than or equal to 9998-12-31"),
        ("MATURITY_DAYS", "36501", "less than or equal to 36500"),
        ("DATA_LATE_HOURS", "8785", "less than or equal to 8784"),
        ("RUN_START_MINUTES", "10080", "in the last alert_look_back_days, which are 7, so that none would be told of"),
        ("ALERT_OWNER", "", "at least 1 character"),
        ("DAILY_AT", "03:00+02:00", "times are in UTC: write it without an offset"),
        ("MONTHLY_AT", "03:00:00.5", "schedules begin at full minutes"),
        ("WEEKLY_AT", "03:00:30", "schedules begin at full minutes"),
    ],
)
def test_an_unusable_value_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"PACKAGING_{name}", value)
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    message = str(error.value)
    assert message.startswith(f"Unusable settings: {name.lower()} = '{value}': ")
    assert said in message
    assert message.endswith(f"Correct the PACKAGING_* environment variable or {tmp_path / 'settings.toml'}.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thread = 2\n", "there is no setting thread; did you mean 'threads'?"),
        ('promotion_keys = "s3cr3t"\n', "there is no setting promotion_keys; did you mean 'promotion_key'?"),
        (
            '[[alert_route]]\nurl = "slack://s3cr3t/abc"\n',
            "there is no setting alert_route; did you mean 'alert_routes'?",
        ),
        ("quite_another = 1\n", "there is no setting quite_another"),
    ],
    ids=["near", "a secret", "a table of secrets", "far"],
)
def test_an_unknown_setting_in_the_file_is_refused_and_its_value_not_shown(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    file = tmp_path / "settings.toml"
    assert str(error.value) == f"Unusable settings: {said}. Correct the PACKAGING_* environment variable or {file}."


def test_a_list_that_is_no_json_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGING_SAGEMAKER_SUBNETS", "subnet-1")
    with pytest.raises(
        SettingsError, match=r'"sagemaker_subnets".*; lists are written as JSON, such as \["one", "two"\]'
    ):
        load_settings(tmp_path)


@pytest.mark.parametrize("name", ["alert_routes", "promotion_key", "redshift_password", "state_database_url"])
def test_what_may_hold_a_secret_is_refused_without_being_shown(tmp_path: Path, name: str) -> None:
    (tmp_path / "settings.toml").write_text(f"{name} = 271828\n")
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    assert str(error.value).startswith(f"Unusable settings: {name} = (not shown): Input should be a valid ")
    assert "271828" not in str(error.value)


def test_every_secret_is_known_to_be_one() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret == {"promotion_key", "redshift_password", "state_database_url"}


def test_a_homes_file_names_no_other_home(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('home = "elsewhere"\n')
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'settings.toml'} sets home, which is the folder that it lies in: delete the line, and name "
        "another home by --home or PACKAGING_HOME."
    )


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("threads: 2\n")
    with pytest.raises(SettingsError, match=r"settings\.toml is not valid TOML: .* \(at line 1, column 8\)"):
        load_settings(tmp_path)


def test_an_environment_that_is_not_told_where_its_services_are_says_what_to_set(tmp_path: Path) -> None:
    missing = r"^PACKAGING_ENV = 'aws' needs PACKAGING_REDSHIFT_COPY_ROLE_ARN: set it in .*settings\.toml\.$"
    with pytest.raises(SettingsError, match=missing):
        resources_for(load_settings(tmp_path, env="aws"))


@pytest.mark.parametrize(("given", "missing"), [("subnets", "SECURITY_GROUPS"), ("security_groups", "SUBNETS")])
def test_subnets_and_security_groups_of_jobs_are_given_together(tmp_path: Path, given: str, missing: str) -> None:
    role = "arn:aws:iam::123456789012:role/job"
    known = {"s3_bucket": "a-bucket", "sagemaker_role_arn": role, "sagemaker_image": "image:1"}
    settings = load_settings(tmp_path, env="aws", **known, **{f"sagemaker_{given}": ("x-1",)})
    with pytest.raises(SettingsError, match=f"needs PACKAGING_SAGEMAKER_{missing}: set it"):
        compute_for(settings)


def test_settings_in_use_last_as_long_as_the_block(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    with use_settings(settings):
        assert current_settings() is settings
    assert current_settings() is not settings


def test_a_day_in_the_homes_file_is_told_as_it_stands_there(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("first_week = 2025-01-07\n")
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    said = (
        "Unusable settings: first_week = 2025-01-07: 2025-01-07 is a Tuesday; weeks begin on Mondays: use 2025-01-06."
    )
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("name", ["daily_at", "weekly_at", "monthly_at"])
def test_a_number_is_no_time(tmp_path: Path, name: str) -> None:
    (tmp_path / "settings.toml").write_text(f"{name} = 5\n")
    with pytest.raises(SettingsError, match=f"^Unusable settings: {name} = 5: it is a number; write hours"):
        load_settings(tmp_path)


def test_a_time_may_say_that_it_is_utc(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('daily_at = 04:30:00\nweekly_at = "05:00Z"\nmonthly_at = "06:15+00:00"\n')
    settings = load_settings(tmp_path)
    assert (settings.daily_at, settings.weekly_at) == (dt.time(4, 30), dt.time(5))
    assert settings.monthly_at == dt.time(6, 15)
    assert settings.monthly_at.tzinfo is None


def test_runs_are_looked_for_longer_than_they_may_wait(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, alert_look_back_days=1, run_start_minutes=1439)
    assert settings.run_start_minutes == 1439
    with pytest.raises(SettingsError, match="run_start_minutes = 1440"):
        load_settings(tmp_path, alert_look_back_days=1, run_start_minutes=1440)


def test_a_last_day_before_the_first_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("first_week = 2025-01-06\nlast_day = 2025-01-05\n")
    with pytest.raises(
        SettingsError, match="it is before first_week, which is 2025-01-06, so that there would be no day"
    ):
        load_settings(tmp_path)
    assert load_settings(tmp_path, last_day=dt.date(2025, 1, 6)).last_day == dt.date(2025, 1, 6)


@pytest.mark.parametrize("name", ["what?", "a%20b"])
def test_a_home_that_dagster_would_take_for_another_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="Dagster names its files by URLs, and would take this for another path"):
        load_settings(tmp_path / name)


@pytest.mark.parametrize("name", ["a*", "a[b]", "["])
def test_a_home_that_would_be_taken_for_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"take this for one: name a folder without '\*' and '\['"):
        load_settings(tmp_path / name)


def test_a_home_whose_path_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="its path is not UTF-8, which DuckDB and Arrow cannot open: rename the f"):
        load_settings(tmp_path / os.fsdecode(b"\xff"))


@pytest.mark.parametrize("name", ["a b", "a]b", "ä#b", "100%", "a&b=c"])
def test_a_home_of_any_other_name_keeps_dagsters_records(tmp_path: Path, name: str) -> None:
    settings = load_settings(tmp_path / name)
    prepare_dagster_home(settings)
    with open_instance(settings.dagster_home) as instance:
        assert instance.get_runs() == []
    assert [path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("runs.db")] == [name]


@pytest.mark.parametrize("page", ["operating.md", "alerts.md"])
def test_the_pages_say_the_defaults(page: str) -> None:
    text = (PROJECT_ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|(?: `(PACKAGING_\w+)`[^|]* \|)? ([^|]+) \| [^|]+ \|$", text, re.MULTILINE)
    said = {name: (variable, default.strip("`")) for name, variable, default in rows if name in Settings.model_fields}
    in_words = {"home": "`.packaging/` in the project", "name": "the home's folder name", "alert_routes": "none"}
    local = {name: field for name, field in Settings.model_fields.items() if name not in AwsSettings.model_fields}
    if page == "operating.md":
        assert said.keys() == local.keys()
        assert {variable for variable, _ in said.values()} == {f"PACKAGING_{name.upper()}" for name in local}
    for name in said.keys() & local.keys():
        default = "none" if local[name].default is None else local[name].default
        shown = f"{default:%H:%M}" if isinstance(default, dt.time) else str(default)
        assert said[name][1] == in_words.get(name, shown).strip("`"), name


def test_an_unknown_environment_variable_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGING_ROWS_PER_CHUNKS", "1")
    assert load_settings().rows_per_chunk == 200_000


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(b'name = "caf\xe9"\n')
    with pytest.raises(SettingsError, match=r"settings\.toml is not valid TOML: .*utf-8"):
        load_settings(tmp_path)


def test_a_folder_and_a_link_to_nothing_are_no_settings(tmp_path: Path) -> None:
    (tmp_path / "folder" / "settings.toml").mkdir(parents=True)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "settings.toml").symlink_to(tmp_path / "moved.toml")
    for home in (tmp_path / "folder", tmp_path / "link"):
        with pytest.raises(SettingsError) as error:
            load_settings(home)
        said = "is no file that can be read: move it away, or put a file of settings in its place."
        assert str(error.value) == f"{home / 'settings.toml'} {said}"


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000 + "]" * 5000], ids=["digits", "lists"])
def test_what_the_reader_of_toml_cannot_hold_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "settings.toml").write_text(f"threads = {value}\n")
    with pytest.raises(SettingsError, match=r"settings\.toml is not valid TOML: .*Correct it, or delete it"):
        load_settings(tmp_path)


def test_a_home_of_a_user_that_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^home = '~nobody-here/home' names a user that there is not: write the f"):
        load_settings(Path("~nobody-here/home"))
