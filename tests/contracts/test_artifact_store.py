"""What every artifact store promises; a store joins by a line in `stores`."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.artifacts import local_store
from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import ArtifactError, ArtifactInput, FileEntry

WEEK = "2025-01-06"
KEY = "mailer/split"


def parts_of(seed: int) -> FingerprintParts:
    return FingerprintParts(step="m:f", modules={"m": "1"}, libraries={}, params={"seed": seed}, inputs={})


PARTS = parts_of(1)


@pytest.fixture(params=[LocalArtifactStore])
def store(request, tmp_path):
    return request.param(tmp_path / "artifacts")


@pytest.fixture
def commit(store):
    def commit_files(files=None, *, parts=PARTS, key=KEY, partition=WEEK, run_id="run-1"):
        with store.scratch() as scratch:
            folder = scratch / "output"
            for name, content in (files or {"split.json": "{}\n"}).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(content)
            return store.commit(key, partition, folder, parts=parts, provenance={"run_id": run_id})

    return commit_files


def test_a_committed_artifact_can_be_found_opened_and_traced(store, commit, tmp_path):
    artifact = commit({"a.txt": "abc", "model/b.txt": ""})
    assert artifact.uri == f"mailer/split/2025-01-06/{PARTS.fingerprint}"
    assert artifact.files == {
        "a.txt": FileEntry(hashlib.sha256(b"abc").hexdigest(), 3),
        "model/b.txt": FileEntry(hashlib.sha256(b"").hexdigest(), 0),
    }
    assert artifact.total_bytes == 3
    assert store.find(KEY, WEEK, PARTS.fingerprint) == artifact
    assert store.get(artifact.uri) == artifact
    assert store.parts(artifact) == PARTS
    assert artifact.provenance == {"run_id": "run-1"}
    folder = ArtifactInput(store, artifact).open(tmp_path)
    assert (folder / "a.txt").read_text() == "abc"
    assert ArtifactInput(store, artifact).content_hash == artifact.content_hash
    store.verify(artifact)


def test_what_is_not_there_is_none_or_one_sentence(store, commit):
    assert store.find(KEY, WEEK, "a" * 64) is None
    assert store.current(KEY, WEEK) is None
    assert store.committed(KEY, WEEK) == []
    with pytest.raises(ArtifactError, match=r"No artifact mailer/split/_/a+ in .*materialize mailer/split again"):
        store.get(f"mailer/split/_/{'a' * 64}")


def test_the_content_hash_depends_on_names_and_bytes_only(commit):
    first = commit({"a.txt": "1", "b.txt": "2"})
    assert commit({"b.txt": "2", "a.txt": "1"}, parts=parts_of(2), partition=None).content_hash == first.content_hash
    assert commit({"a.txt": "2", "b.txt": "1"}, parts=parts_of(3)).content_hash != first.content_hash
    assert commit({"c.txt": "1", "b.txt": "2"}, parts=parts_of(4)).content_hash != first.content_hash


def test_parquet_files_are_described_by_rows_and_columns(store):
    with store.scratch() as scratch:
        folder = scratch / "output"
        folder.mkdir()
        table = pa.table({"product_id": pa.array(["p1", "p2"]), "label": pa.array([1, 0], pa.int8())})
        pq.write_table(table, folder / "train.parquet")
        pq.write_table(table.slice(0, 1), folder / "validation.parquet")
        artifact = store.commit(KEY, WEEK, folder, parts=PARTS, provenance={})
    assert artifact.rows == {"train.parquet": 2, "validation.parquet": 1}
    assert artifact.total_rows == 3
    assert artifact.schema["train.parquet"] == {"product_id": "string", "label": "int8"}


def test_of_two_commits_the_first_wins_and_both_get_it(store, commit):
    first, second = commit({"a.txt": "first"}, run_id="r1"), commit({"a.txt": "second!"}, run_id="r2")
    assert second == first
    assert second.provenance == {"run_id": "r1"}
    assert len(store.committed(KEY, WEEK)) == 1


def test_of_writers_at_once_exactly_one_wins(store, commit):
    results = []
    barrier = threading.Barrier(6)

    def write(number):
        barrier.wait()
        results.append(commit({"a.txt": f"writer {number}"}, run_id=f"r{number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert len({artifact.content_hash for artifact in results}) == 1
    assert len({artifact.provenance["run_id"] for artifact in results}) == 1


def test_the_pointer_moves_between_artifacts_and_partitions_do_not_mix(store, commit):
    first, second = commit({"a.txt": "1"}), commit({"a.txt": "2"}, parts=parts_of(2))
    whole = commit({"a.txt": "3"}, partition=None)
    for artifact in (first, second, second, first, whole):
        store.point(artifact)
        assert store.current(KEY, artifact.partition) == artifact
    assert store.current(KEY, WEEK) == first
    assert store.committed(KEY, WEEK) == sorted([first, second], key=lambda artifact: artifact.fingerprint)


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        ("../mailer", WEEK),
        ("mailer/../../etc", WEEK),
        ("/etc", WEEK),
        ("mailer//split", WEEK),
        ("mailer/", WEEK),
        ("", WEEK),
        (".staging", WEEK),
        ("Mailer", WEEK),
        ("mailer\n", WEEK),
        ("mailer/current", WEEK),
        ("mailer", ".."),
        ("mailer", "a/b"),
        ("mailer", ""),
        ("mailer", "_"),
        ("mailer", "current"),
        ("mailer", "a" * 64),
        ("mailer", "2025-01-06\x00"),
    ],
)
def test_a_key_that_is_not_a_safe_path_is_refused_everywhere(store, commit, key, partition):
    for call in (
        lambda: commit(key=key, partition=partition),
        lambda: store.find(key, partition, "a" * 64),
        lambda: store.current(key, partition),
        lambda: store.committed(key, partition),
    ):
        with pytest.raises(ArtifactError, match="is not valid"):
            call()


@pytest.mark.parametrize("uri", ["", "mailer", "mailer/2025-01-06/xyz", f"2025-01-06/{'a' * 64}", f"../x/_/{'a' * 64}"])
def test_a_uri_that_is_not_an_artifacts_is_refused(store, uri):
    with pytest.raises(ArtifactError, match="not"):
        store.get(uri)


def test_an_output_without_files_or_with_reserved_names_or_links_is_refused(store, commit):
    with pytest.raises(ArtifactError, match=r"manifest\.json: the artifact store uses this name itself"):
        commit({"manifest.json": "{}"})
    with pytest.raises(ArtifactError, match="not a Parquet file"):
        commit({"train.parquet": "no"})
    with store.scratch() as scratch:
        with pytest.raises(ArtifactError, match="wrote no file"):
            store.commit(KEY, WEEK, scratch, parts=PARTS, provenance={})
        (scratch / "link").symlink_to("/etc/hostname")
        with pytest.raises(ArtifactError, match="symbolic link"):
            store.commit(KEY, WEEK, scratch, parts=PARTS, provenance={})
    assert store.committed(KEY, WEEK) == []


# What follows is about files on disk.


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
    manifest["files"]["a.txt"]["sha256"] = "0" * 64
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


class InjectedError(Exception):
    """A failure that a test brought about."""


@pytest.mark.parametrize("stage", ["_write_json", "_describe", "_sha256", "_flush", "_fsync", "_rename_unless_there"])
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
