"""The registry in an SQLite file: several processes, files of other layouts, and what happens in between."""

import contextlib
import datetime as dt
import sqlite3
import subprocess
import sys

import pytest
from registry_examples import BY_ADA, WEEKS, race, registration

from packaging_assets.artifacts.clock import utc_now
from packaging_assets.domain.registry import RegistryError, Status
from packaging_assets.resources import sqlite_registry
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

RACING = """
import sys
from pathlib import Path
from packaging_assets.domain.registry import Registration, RegistryError, Status
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

registry, name = SqliteModelRegistry(Path(sys.argv[1])), sys.argv[2]
sys.stdin.readline()
for number in range(8):
    for fingerprint in (f"shared {number}", f"{name} {number}"):
        registry.register(Registration(
            model="mailer", package_type="mailer", training_week="2025-01-06", fingerprint=fingerprint,
            verdict="pending", artifact_uri="a", metrics_uri="m", content_hash="c", code_version="1"))
wins = 0
for version in range(1, 9):
    try:
        registry.approve("mailer", version, actor=name, reason="race", expected_status=Status.PENDING)
        wins += 1
    except RegistryError:
        pass
print(wins)
"""


def test_processes_racing_from_the_very_first_write_agree(tmp_path):
    path = tmp_path / "home" / "registry.db"
    processes = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", RACING, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("ada", "bob", "cyd")
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    wins = [int(process.communicate(timeout=60)[0]) for process in processes]
    registry = SqliteModelRegistry(path)
    versions = registry.versions("mailer")
    assert [version.version for version in versions] == list(range(1, 33))
    assert len({version.fingerprint for version in versions}) == 32
    assert sum(wins) == 8
    assert [v.status for v in versions].count(Status.APPROVED) == 8
    assert len(registry.history("mailer")) == 40


def test_a_file_that_is_no_registry_or_of_another_layout_is_told(tmp_path):
    path = tmp_path / "registry.db"
    path.write_text("this is not a database, whatever its name says; it is long enough to look like one " * 10)
    with pytest.raises(RegistryError, match=r"registry\.db cannot be used \(file is not a database\): .* has room"):
        SqliteModelRegistry(path).models()
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(RegistryError, match="has layout 9, and this version reads 2"):
        SqliteModelRegistry(path).register(registration())


LAYOUT_1 = """
CREATE TABLE versions (
    model VARCHAR NOT NULL, version INTEGER NOT NULL, package_type VARCHAR NOT NULL, status VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL, training_week VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL,
    artifact_uri VARCHAR NOT NULL, metrics_uri VARCHAR NOT NULL, content_hash VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL, metrics VARCHAR NOT NULL, reasons VARCHAR NOT NULL, actor VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL, updated_at VARCHAR NOT NULL,
    PRIMARY KEY (model, version), UNIQUE (model, training_week, fingerprint)
);
INSERT INTO versions VALUES (
    'mailer', 1, 'mailer', 'Approved', 'approve', '2025-01-06', 'f1', 'a', 'm', 'c', '1', '{"pr_auc": 0.5}', '["ok"]',
    'gates', '2025-02-03T09:00:00+00:00', '2025-02-03T09:00:00+00:00'
);
CREATE TABLE transitions (
    number INTEGER NOT NULL PRIMARY KEY, model VARCHAR NOT NULL, version INTEGER NOT NULL, action VARCHAR NOT NULL,
    from_status VARCHAR, to_status VARCHAR NOT NULL, from_champion INTEGER, to_champion INTEGER,
    actor VARCHAR NOT NULL, reason VARCHAR NOT NULL, at VARCHAR NOT NULL
);
CREATE TABLE pins (
    model VARCHAR NOT NULL PRIMARY KEY, version INTEGER NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR NOT NULL,
    pinned_at VARCHAR NOT NULL
);
PRAGMA user_version = 1;
"""


@pytest.fixture
def old_file(tmp_path):
    """A registry as the version before stages wrote it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "registry.db")) as connection:
        connection.executescript(LAYOUT_1)
    return tmp_path / "registry.db"


def test_versions_of_before_stages_are_live_also_for_one_who_only_reads(old_file):
    (version,) = SqliteModelRegistry(old_file).versions()
    assert (version.stage, version.status, version.is_champion) == ("live", Status.APPROVED, True)
    assert (version.reasons, version.metrics) == (("ok",), {"pr_auc": 0.5})
    shadow = SqliteModelRegistry(old_file).register(registration(WEEKS[1], stage="shadow"))
    assert (shadow.version, shadow.stage) == (2, "shadow")
    with contextlib.closing(sqlite3.connect(old_file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_many_who_open_an_old_file_at_once_migrate_it_once(old_file):
    found = race([lambda: SqliteModelRegistry(old_file).versions() for _ in range(6)])
    assert [[version.stage for version in versions] for versions in found] == [["live"]] * 6


def test_a_migration_that_fails_leaves_the_old_file(old_file, monkeypatch):
    monkeypatch.setattr("packaging_assets.resources.sqlite_registry_tables.LAYOUT", "no number")
    with pytest.raises(RegistryError, match="cannot be used"):
        SqliteModelRegistry(old_file).versions()
    monkeypatch.undo()
    with contextlib.closing(sqlite3.connect(old_file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert "stage" not in [column[1] for column in connection.execute("PRAGMA table_info(versions)")]
    assert len(SqliteModelRegistry(old_file).versions()) == 1


def test_a_failure_within_a_write_undoes_all_of_it(tmp_path):
    path = tmp_path / "registry.db"
    registry = SqliteModelRegistry(path)
    before = registry.register(registration(verdict="pending"))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create trigger full before insert on transitions begin select raise(abort, 'full'); end")
    with pytest.raises(RegistryError, match="cannot be used"):  # after the status is written, before the record is
        registry.approve("mailer", 1, **BY_ADA)
    assert registry.versions() == [before]


def test_the_default_clock_is_utc():
    assert utc_now().utcoffset() == dt.timedelta(0)


def test_one_who_saw_an_old_layout_that_another_has_migrated_meanwhile_finds_it_done(old_file, monkeypatch):
    SqliteModelRegistry(old_file).versions()
    really, seen = sqlite_registry.layout_of, [1]
    monkeypatch.setattr(sqlite_registry, "layout_of", lambda connection: seen.pop() if seen else really(connection))
    assert [version.stage for version in SqliteModelRegistry(old_file).versions()] == ["live"]
    assert seen == []


def test_who_reads_does_not_wait_for_one_who_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_registry, "LOCK_TIMEOUT_SECONDS", 0)
    registry = SqliteModelRegistry(tmp_path / "registry.db")
    version = registry.register(registration())
    with contextlib.closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        assert registry.versions() == [version]
        with pytest.raises(RegistryError, match=r"cannot be used \(database is locked\)"):
            registry.reject("mailer", 1, **BY_ADA)


def test_a_registry_is_one_file(tmp_path):
    SqliteModelRegistry(tmp_path / "registry.db").register(registration())
    assert [path.name for path in tmp_path.iterdir()] == ["registry.db"]
