"""Artifacts on disk: layout, damage, failures and kills at every stage."""

import datetime as dt
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from artifact_examples import DAY, KEY, NOW, PARTS, WEEK

from packaging_assets.artifacts import local_store
from packaging_assets.artifacts.content import differing_files
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import ArtifactError


@pytest.fixture
def store(tmp_path, artifact_clock):
    return LocalArtifactStore(tmp_path / "artifacts", clock=artifact_clock, max_age=7 * DAY)


def test_without_a_limit_nothing_expires(tmp_path, artifact_clock):
    store = LocalArtifactStore(tmp_path / "artifacts", clock=artifact_clock)
    with store.scratch() as scratch:
        (scratch / "a.txt").write_text("1")
        artifact = store.commit(KEY, WEEK, scratch, parts=PARTS, provenance={})
    artifact_clock.now += 10_000 * DAY
    assert not store.is_expired(artifact)


def test_leftovers_are_what_no_living_process_works_in(store, commit, artifact_clock):
    artifact_clock.now = dt.datetime.now(dt.UTC) + 2 * DAY
    assert not store.is_busy()
    with store.scratch() as scratch:
        (scratch / "a.txt").write_text("abc")
        assert store.is_busy()
        assert store.leftovers(untouched_for=DAY) == {}
        left = scratch.parent / "left"
        left.mkdir()
        (left / "b.txt").write_text("abcd")
        assert store.leftovers(untouched_for=DAY) == {"left": 4}
        assert store.leftovers(untouched_for=3 * DAY) == {}
        store.discard_leftover("left")
        assert (left.exists(), scratch.exists()) == (False, True)
    assert not store.is_busy()


def test_a_leftover_is_as_old_as_what_was_touched_in_it_last(store, root, artifact_clock):
    artifact_clock.now = dt.datetime.now(dt.UTC)
    left = root / ".staging" / "left"
    left.mkdir(parents=True)
    (left / "a.txt").write_text("abc")
    long_ago = (artifact_clock.now - 3 * DAY).timestamp()
    os.utime(left, (long_ago, long_ago))
    assert store.leftovers(untouched_for=DAY) == {}
    os.utime(left / "a.txt", (long_ago, long_ago))
    assert store.leftovers(untouched_for=DAY) == {"left": 3}


def test_a_small_file_that_is_left_goes_and_is_not_missed(store, root, artifact_clock):
    """A pointer that was being written."""
    artifact_clock.now = dt.datetime.now(dt.UTC) + 2 * DAY
    left = root / ".staging" / "left"
    left.parent.mkdir(parents=True)
    left.write_text("abc")
    assert store.leftovers(untouched_for=DAY) == {"left": 3}
    for _ in range(2):
        store.discard_leftover("left")
        assert not left.exists()


def test_what_is_discarded_leaves_no_folders_and_others_keep_theirs(store, commit, root):
    artifact = commit({"a.txt": "1"})
    other = commit({"a.txt": "1"}, partition="2025-01-13")
    for each, left in ((artifact, [KEY.partition("/")[0], KEY, f"{KEY}/2025-01-13", other.uri]), (other, [])):
        store.set_aside(each.uri)
        store.discard(each.uri)
        folders = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_dir()]
        assert [folder for folder in folders if folder != ".staging"] == left


def test_what_cannot_be_put_back_stays_aside(store, commit, root, monkeypatch):
    artifact = commit({"a.txt": "1"})
    store.set_aside(artifact.uri)

    def refuse(path, target):
        raise PermissionError(errno.EACCES, "no luck", str(target))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(PermissionError, match="no luck"):
            store.put_back(artifact.uri)
    assert store.aside() == [artifact.uri]
    store.put_back(artifact.uri)
    store.verify(artifact)


def test_artifacts_from_before_times_were_kept_are_as_old_as_their_folder(store, commit, root):
    artifact = commit()
    provenance = root / artifact.uri / "provenance.json"
    provenance.chmod(0o644)
    provenance.write_text("{}")
    os.utime(provenance, (NOW.timestamp(), NOW.timestamp()))
    assert store.computed_at(store.get(artifact.uri)) == NOW


def test_artifacts_from_before_blake3_are_read_verified_and_compared_by_sha256(store, commit, root, tmp_path):
    artifact = commit({"a.txt": "1", "b.txt": "2"})
    folder = root / artifact.uri
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("a.txt", "b.txt")}
    listing = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    manifest = json.loads((folder / "manifest.json").read_text()) | {
        "format": 1,
        "content_hash": hashlib.sha256(listing.encode()).hexdigest(),
        "files": {name: {"sha256": digest, "bytes": 1} for name, digest in hashes.items()},
    }
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    old = store.get(artifact.uri)
    assert old.content_hash == manifest["content_hash"]
    store.verify(old)
    (tmp_path / "output").mkdir()
    for name, text in (("a.txt", "1"), ("b.txt", "3"), ("c.txt", "4")):
        (tmp_path / "output" / name).write_text(text)
    assert differing_files(old.files, tmp_path / "output") == ("b.txt", "c.txt")
    (folder / "b.txt").chmod(0o644)
    (folder / "b.txt").write_text("3")
    with pytest.raises(ArtifactError, match=r"b\.txt has other content"):
        store.verify(old)


@pytest.fixture
def root(store, tmp_path):
    return tmp_path / "artifacts"


def test_the_manifest_is_the_same_on_every_machine_and_in_every_run(commit, root, tmp_path):
    artifact = commit({"a.txt": "1"}, run_id="r1")
    other = LocalArtifactStore(tmp_path / "elsewhere")
    with other.scratch() as scratch:
        (scratch / "a.txt").write_text("1")
        other.commit(KEY, WEEK, scratch, parts=PARTS, provenance={"run_id": "r2", "seconds": 9.5})
    for name in ("manifest.json", "fingerprint.json"):
        content = (root / artifact.uri / name).read_bytes()
        assert content == (tmp_path / "elsewhere" / artifact.uri / name).read_bytes()
        assert str(tmp_path).encode() not in content


def test_files_are_read_only_and_nothing_is_left_in_staging(store, commit, root):
    artifact = commit({"a/b.txt": "1"})
    store.point(artifact)
    modes = {path.stat().st_mode & 0o777 for path in (root / artifact.uri).rglob("*") if path.is_file()}
    assert modes == {0o444}
    assert list((root / ".staging").iterdir()) == []
    assert (root / "mailer/split/2025-01-06/current").read_text() == f"{artifact.fingerprint}\n"


def spoil_file_missing(folder):
    (folder / "a.txt").unlink()


def spoil_size(folder):
    (folder / "a.txt").chmod(0o644)
    (folder / "a.txt").write_text("longer than it was")


def spoil_manifest_missing(folder):
    (folder / "manifest.json").unlink()


def spoil_manifest_truncated(folder):
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text('{"files": {')


def spoil_manifest_foreign(folder):
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text('{"files": []}')


def spoil_manifest_edited(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["a.txt"]["hash"] = "blake3:" + "0" * 64
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_file_missing, r"a\.txt is missing"),
        (spoil_size, r"a\.txt has 18 bytes and had 1 when"),
        (spoil_manifest_missing, r"manifest\.json is missing"),
        (spoil_manifest_truncated, r"manifest\.json is not JSON"),
        (spoil_manifest_foreign, "is not a manifest that this version reads"),
        (spoil_manifest_edited, "contradicts itself"),
    ],
)
def test_a_damaged_artifact_says_what_is_wrong_and_what_to_do(store, commit, root, spoil, said):
    artifact = commit({"a.txt": "1"})
    store.point(artifact)
    spoil(root / artifact.uri)
    for read in (lambda: store.get(artifact.uri), lambda: store.current(KEY, WEEK)):
        with pytest.raises(ArtifactError, match=f"(?s)Damaged artifact: .*{said}.*Delete the folder .* materialize"):
            read()


def test_damage_is_seen_on_opening_and_a_changed_byte_on_verifying(store, commit, root, tmp_path):
    artifact = commit({"a.txt": "1", "b.txt": "2"})
    (root / artifact.uri / "b.txt").chmod(0o644)
    (root / artifact.uri / "b.txt").write_text("3")
    store.local_path(artifact, tmp_path)
    with pytest.raises(ArtifactError, match=r"b\.txt has other content"):
        store.verify(artifact)
    (root / artifact.uri / "a.txt").unlink()
    with pytest.raises(ArtifactError, match=r"a\.txt is missing"):
        store.local_path(artifact, tmp_path)


def test_a_pointer_to_nothing_is_told(store, commit, root):
    artifact = commit()
    store.point(artifact)
    (root / artifact.uri).rename(root / "away")
    with pytest.raises(ArtifactError, match="which is not there: materialize mailer/split"):
        store.current(KEY, WEEK)
    with pytest.raises(ArtifactError, match="commit it before pointing"):
        store.point(artifact)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"abc", b"../../secret"])
def test_a_damaged_pointer_is_told_and_replaced_by_the_next_materialization(store, commit, root, content):
    artifact = commit()
    store.point(artifact)
    pointer = root / "mailer/split/2025-01-06/current"
    pointer.write_bytes(content)
    with pytest.raises(ArtifactError) as told:
        store.current(KEY, WEEK)
    named = content.decode(errors="replace")
    assert str(told.value) == (
        f"{pointer} names {named!a}, which is not there: materialize mailer/split for this partition again."
    )
    assert not store.pointed(artifact.uri)
    store.point(artifact)
    assert store.current(KEY, WEEK) == artifact


class InjectedError(Exception):
    """A failure that a test brought about."""


@pytest.mark.parametrize(
    "stage", ["_write_json", "describe_artifact", "_flush_file", "_flush_rest", "flush", "_rename_unless_there"]
)
@pytest.mark.parametrize("calls_before", [0, 1, 2, 3])
def test_a_failure_at_any_stage_of_a_commit_leaves_nothing_that_looks_finished(
    store, commit, monkeypatch, stage, calls_before, *, root
):
    real, calls = getattr(local_store, stage), []

    def fail_later(*args):
        calls.append(args)
        if len(calls) > calls_before:
            raise InjectedError
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(local_store, stage, fail_later)
        try:
            finished = commit({"a.txt": "1", "b.txt": "2"})
        except InjectedError:
            finished = None
    assert store.find(KEY, WEEK, PARTS.fingerprint) == finished
    assert list((root / ".staging").iterdir()) == []
    assert store.current(KEY, WEEK) is None
    assert commit({"a.txt": "1", "b.txt": "2"}).total_bytes == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from packaging_assets.artifacts import local_store
from packaging_assets.artifacts.fingerprint import FingerprintParts

root, calls_before = Path(sys.argv[1]), int(sys.argv[2])
real, calls = os.fsync, []

def kill_later(descriptor):
    calls.append(descriptor)
    if len(calls) > calls_before:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)

os.fsync = kill_later
store = local_store.LocalArtifactStore(root)
parts = FingerprintParts(step="m:f", modules={"m": "1"}, libraries={}, params={"seed": 1}, inputs={})
with store.scratch() as scratch:
    (scratch / "a.txt").write_text("1")
    store.point(store.commit("mailer/split", "2025-01-06", scratch, parts=parts, provenance={}))
"""

# A commit of one file flushes it, fingerprint, provenance, manifest and folder (5), then renames and flushes the
# parent (6); the pointer is flushed (7), replaced, and its folder flushed (8).
KILL_POINTS = [
    (0, False, False),
    (3, False, False),
    (4, False, False),
    (5, True, False),
    (6, True, False),
    (7, True, True),
]


@pytest.mark.parametrize(("calls_before", "is_committed", "is_pointed"), KILL_POINTS)
def test_after_a_kill_an_artifact_is_there_whole_or_not_at_all(
    store, commit, root, calls_before, *, is_committed, is_pointed
):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(root), str(calls_before)], check=False)  # noqa: S603
    assert killed.returncode == -signal.SIGKILL
    found, current = store.find(KEY, WEEK, PARTS.fingerprint), store.current(KEY, WEEK)
    assert (found is not None, current is not None) == (is_committed, is_pointed)
    after = commit({"a.txt": "1"})
    assert found in (None, after)
    store.verify(after)
    store.point(after)
    assert store.current(KEY, WEEK) == after


def test_a_folder_from_another_disk_is_taken_over_too(store, root, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "a.txt").write_text("1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)  # what shutil.move uses; the commit itself uses Path.rename
        patch.setattr(local_store, "_rename_unless_there", _move)
        artifact = store.commit(KEY, WEEK, folder, parts=PARTS, provenance={})
    assert not folder.exists()
    assert artifact.total_bytes == 1


def _move(staged, target):
    target.parent.mkdir(parents=True)
    subprocess.run(["/bin/mv", str(staged), str(target)], check=True)  # noqa: S603


def test_a_disk_that_refuses_the_rename_is_an_error_not_a_lost_race(store, commit, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(local_store.Path, "rename", refuse)
        with pytest.raises(PermissionError):
            commit()
    assert store.find(KEY, WEEK, PARTS.fingerprint) is None


def test_a_fingerprint_of_another_layout_is_damage(store, commit, tmp_path):
    artifact = commit()
    file = tmp_path / "artifacts" / artifact.uri / "fingerprint.json"
    file.chmod(0o644)
    file.write_text('{"step": "labels", "machine": "arm"}')
    with pytest.raises(
        ArtifactError, match=r"fingerprint\.json does not say what it was made from\. Delete the folder"
    ):
        store.parts(artifact)


@pytest.mark.parametrize("said", ['"yesterday"', "3"])
def test_a_time_that_is_none_is_damage(store, commit, root, said):
    artifact = commit()
    provenance = root / artifact.uri / "provenance.json"
    provenance.chmod(0o644)
    provenance.write_text(f'{{"computed_at": {said}}}')
    with pytest.raises(ArtifactError, match=r"Damaged artifact: it was computed at .*, which is no time\. Delete the "):
        store.computed_at(store.get(artifact.uri))


def test_what_is_set_aside_while_it_is_read_is_not_there(store, commit, monkeypatch):
    artifact, really_load = commit(), local_store._load

    def load_too_late(*arguments):
        store.set_aside(artifact.uri)
        return really_load(*arguments)

    monkeypatch.setattr(local_store, "_load", load_too_late)
    assert store.find(KEY, WEEK, PARTS.fingerprint) is None
