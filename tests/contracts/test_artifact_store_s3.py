"""Artifacts in S3: what is asked of it, and what happens when it answers late, twice or not at all."""

import contextlib
import datetime as dt
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from artifact_examples import DAY, KEY, NOW, PARTS, WEEK, parts_of
from blake3 import blake3
from botocore.exceptions import ClientError

from packaging_assets.artifacts import s3_store
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.manifest import RESERVED
from packaging_assets.artifacts.prune import PrunePolicy, prune
from packaging_assets.artifacts.s3_objects import PART_BYTES, S3Objects, encryption_arguments
from packaging_assets.artifacts.s3_removal import S3Removal
from packaging_assets.artifacts.s3_store import S3ArtifactStore
from packaging_assets.artifacts.store import ArtifactError, MissingArtifactError

URI = f"{KEY}/{WEEK}/{PARTS.fingerprint}"
PREFIX = "prod/artifacts"


@pytest.fixture
def store(bucket, s3, artifact_clock):
    return S3ArtifactStore(bucket, PREFIX, client=s3, clock=artifact_clock, max_age=7 * DAY)


@pytest.fixture
def objects(bucket, s3):
    return S3Objects(s3, bucket, PREFIX)


def keys_of(objects, prefix=""):
    return [entry.key for entry in objects.entries(prefix)]


@pytest.fixture
def asked(s3):
    """The S3 operations that were called, in order."""
    called = []

    def note(model, **_):
        called.append(model.name)

    s3.meta.events.register("before-call.s3", note)
    yield called
    s3.meta.events.unregister("before-call.s3", note)


def test_an_artifact_is_one_manifest_and_its_files_and_nothing_is_left_of_the_work(commit, objects):
    commit({"a.txt": "1", "model/b.txt": "2"})
    keys = keys_of(objects)
    assert keys[-1] == f"{URI}/manifest.json"
    folder = keys[0].removeprefix(f"{URI}/").partition("/")[0]
    assert keys[:-1] == [f"{URI}/{folder}/a.txt", f"{URI}/{folder}/model/b.txt"]


def test_nothing_is_listed_to_find_or_read_an_artifact_or_to_point_at_one(store, commit, asked, tmp_path):
    artifact = commit()
    asked.clear()
    assert store.find(KEY, WEEK, PARTS.fingerprint) == artifact
    assert asked == ["GetObject"]
    store.point(artifact)
    assert store.current(KEY, WEEK) == artifact
    store.local_path(artifact, tmp_path)
    assert store.parts(artifact) == PARTS
    assert not store.is_expired(artifact)
    assert [name for name in asked if name.startswith("List")] == []


def test_the_same_files_have_the_same_content_hash_on_disk_and_in_s3(commit, tmp_path):
    local = LocalArtifactStore(tmp_path / "artifacts")
    with local.scratch() as scratch:
        (scratch / "a.txt").write_text("1")
        on_disk = local.commit(KEY, WEEK, scratch, parts=PARTS, provenance={})
    assert commit({"a.txt": "1"}) == on_disk


def test_a_large_file_goes_and_comes_in_parts(store, asked, tmp_path):
    content = bytes(range(256)) * ((PART_BYTES + 2**20) // 256)
    with store.scratch() as scratch:
        (scratch / "large.bin").write_bytes(content)
        artifact = store.commit(KEY, WEEK, scratch, parts=PARTS, provenance={})
    assert asked.count("UploadPart") == 2
    fetched = store.local_path(artifact, tmp_path) / "large.bin"
    assert artifact.files["large.bin"].hash == f"blake3:{blake3(fetched.read_bytes()).hexdigest()}"
    assert asked.count("GetObject") >= 3  # ranges of it, and the manifests


ROUND_TRIP = """
import sys, tempfile
from pathlib import Path
import boto3
from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.s3_store import S3ArtifactStore

def peak_mb():
    # Of this program alone: what getrusage() gives begins with the memory of the process that started it.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024

store = S3ArtifactStore(sys.argv[1], "prod", client=boto3.client("s3"))
before = peak_mb()
with store.scratch() as scratch, open(scratch / "large.bin", "wb") as file:
    for number in range(int(sys.argv[2])):
        file.write(bytes([number % 256]) * 2**20)
    file.flush()
    artifact = store.commit("a", None, scratch, parts=FingerprintParts("s", {}, {}, {}, {}), provenance={})
with tempfile.TemporaryDirectory() as folder:
    assert (store.local_path(artifact, Path(folder)) / "large.bin").stat().st_size == int(sys.argv[2]) * 2**20
print(peak_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is Linux's to tell")
def test_memory_does_not_grow_with_the_size_of_a_file(bucket):
    megabytes = 192
    command = [sys.executable, "-c", ROUND_TRIP, bucket, str(megabytes)]
    # glibc keeps a heap for each of the transfer's threads, 120 MB or 10 as it happens: one heap has what is in use.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    more = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603 - our own
    assert float(more.stdout) < megabytes / 2


def test_environments_of_one_bucket_do_not_see_each_other(store, commit, bucket, s3):
    other = S3ArtifactStore(bucket, "test/artifacts", client=s3)
    commit()
    assert other.find(KEY, WEEK, PARTS.fingerprint) is None
    assert other.uris() == []
    assert S3ArtifactStore(bucket, "prod", client=s3).uris() == [f"artifacts/{URI}"]


@pytest.mark.parametrize(
    ("kms_key", "expected"), [(None, ("AES256", None)), ("alias/packaging", ("aws:kms", "alias/packaging"))]
)
def test_every_object_is_encrypted_at_rest(bucket, s3, kms_key, expected):
    store = S3ArtifactStore(bucket, PREFIX, client=s3, kms_key=kms_key)
    with store.scratch() as scratch:
        (scratch / "a.txt").write_text("1")
        store.point(store.commit(KEY, WEEK, scratch, parts=PARTS, provenance={}))
    for key in keys_of(S3Objects(s3, bucket)):
        head = s3.head_object(Bucket=bucket, Key=key)
        assert (head["ServerSideEncryption"], head.get("SSEKMSKeyId")) == expected, key


def test_a_client_of_the_process_is_made_when_none_is_given(bucket):
    store = S3ArtifactStore(bucket, PREFIX)
    assert store.uris() == []
    store._objects.client.close()


def test_an_artifact_says_where_its_very_files_are_in_s3(store, commit, objects, tmp_path):
    artifact = commit({"a.txt": "1", "below/b.txt": "22"})
    origin = store.origin(artifact)
    assert origin.files == {"a.txt": 1, "below/b.txt": 2}
    below = origin.uri.removeprefix(f"s3://{objects.bucket}/{PREFIX}/")
    assert keys_of(objects, below) == [f"{below}a.txt", f"{below}below/b.txt"]
    folder = store.local_path(artifact, tmp_path)
    assert store.local_path(artifact, tmp_path) == folder


def test_who_comes_second_leaves_no_files(commit, objects):
    commit({"a.txt": "first"})
    commit({"a.txt": "second"})
    assert len(keys_of(objects)) == 2


def lose_answers(objects):
    """botocore asks again: each conditional put is made twice, and the second answer is what is told."""
    real = objects.put_new

    def answered_late(key, body):
        real(key, body)
        return real(key, body)

    object.__setattr__(objects, "put_new", answered_late)


def test_a_commit_whose_answer_is_lost_has_won_all_the_same(store, commit, tmp_path):
    """botocore asks again, and S3 says that the manifest is there: it is one's own."""
    lose_answers(store._objects)
    artifact = commit({"a.txt": "1"})
    assert (store.local_path(artifact, tmp_path) / "a.txt").read_text() == "1"


def test_a_manifest_that_s3_would_not_write_for_others_sake_is_written_next_time(store, commit):
    """S3 answers 409 to a conditional put while another is under way, which may fail."""
    objects = store._objects
    real, refusals = objects.put_new, [False, False]
    object.__setattr__(objects, "put_new", lambda key, body: refusals.pop() if refusals else real(key, body))
    assert commit({"a.txt": "1"}).total_bytes == 1


class MayDeleteItsWorkOnly:
    """A client that may delete below `.work/` and nothing else, as with the roles of runs and promoters."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def delete_objects(self, *, Bucket, Delete):
        refused = [item["Key"] for item in Delete["Objects"] if "/.work/" not in item["Key"]]
        if refused:
            return {"Errors": [{"Key": key, "Code": "AccessDenied", "Message": "Access Denied"} for key in refused]}
        return self._client.delete_objects(Bucket=Bucket, Delete=Delete)

    def delete_object(self, **_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "DeleteObject")


def test_who_may_not_delete_gets_the_artifact_that_was_first_and_a_prune_removes_the_other_files(
    bucket, s3, store, commit, artifact_clock, tmp_path
):
    first = commit({"a.txt": "1"})
    of_a_run = S3ArtifactStore(bucket, PREFIX, client=MayDeleteItsWorkOnly(s3), clock=artifact_clock)
    with of_a_run.scratch() as scratch:
        (scratch / "a.txt").write_text("1")
        second = of_a_run.commit(KEY, WEEK, scratch, parts=PARTS, provenance={})
    assert (second, second.provenance) == (first, first.provenance)
    artifact_clock.now = dt.datetime.now(dt.UTC) + 2 * DAY
    [(name, size)] = store.leftovers(untouched_for=DAY).items()
    assert size == 1
    store.discard_leftover(name)
    assert (store.local_path(first, tmp_path) / "a.txt").read_text() == "1"


def test_a_manifest_that_s3_never_writes_is_an_error(store, commit, objects):
    object.__setattr__(store._objects, "put_new", lambda *_: False)
    with pytest.raises(ArtifactError, match="neither there nor could it be written, 20 times"):
        commit({"a.txt": "1"})


def test_a_pointer_that_others_keep_writing_is_an_error(store, commit):
    artifact = commit()
    object.__setattr__(store._objects, "put_new", lambda *_: False)
    with pytest.raises(ArtifactError, match="was written by others 20 times"):
        store.point(artifact)


def test_of_pointers_set_at_once_one_stays_and_is_whole(store, commit):
    artifacts = [commit({"a.txt": str(seed)}, parts=parts_of(seed)) for seed in range(6)]
    threads = [threading.Thread(target=store.point, args=(artifact,)) for artifact in artifacts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.current(KEY, WEEK) in artifacts


class KilledError(Exception):
    """Stands for the death of the process."""


def test_a_commit_that_is_killed_leaves_nothing_that_looks_finished(store, commit, objects, artifact_clock):
    def die(*_):
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_store, "put_manifest", die)
        with pytest.raises(KilledError):
            commit({"a.txt": "123"})
    assert store.find(KEY, WEEK, PARTS.fingerprint) is None
    assert (store.uris(), store.current(KEY, WEEK), store.committed(KEY, WEEK)) == ([], None, [])
    assert len(keys_of(objects)) == 1
    finished = commit({"a.txt": "123"})
    artifact_clock.now = dt.datetime.now(dt.UTC) + 2 * DAY
    [(name, size)] = store.leftovers(untouched_for=DAY).items()
    assert (name.rpartition("/")[0], size) == (URI, 3)
    assert store.leftovers(untouched_for=3 * DAY) == {}
    store.discard_leftover(name)
    assert store.leftovers(untouched_for=DAY) == {}
    store.verify(finished)


def test_leftovers_are_never_what_a_manifest_names(store, commit, artifact_clock, objects):
    artifact, aside = commit({"a.txt": "1"}), commit({"a.txt": "2"}, parts=parts_of(2))
    store.set_aside(aside.uri)
    artifact_clock.now = dt.datetime.now(dt.UTC) + 2 * DAY
    assert store.leftovers(untouched_for=DAY) == {}
    folder = keys_of(objects, f"{artifact.uri}/")[0].rpartition("/")[0]
    store.discard_leftover(folder)
    store.verify(artifact)
    for name in ("manifest.json", URI, f"{URI}/manifest.json", f"../{'a' * 32}", ".pruning"):
        with pytest.raises(ArtifactError, match="is not"):
            store.discard_leftover(name)


def test_who_works_is_seen_everywhere_until_it_ends_or_has_been_silent(store, bucket, s3, artifact_clock):
    elsewhere = S3ArtifactStore(bucket, PREFIX, client=s3, clock=artifact_clock)
    assert not elsewhere.is_busy()
    with store.scratch():
        assert elsewhere.is_busy()
        artifact_clock.now += dt.timedelta(minutes=6)
        assert not elsewhere.is_busy()
    artifact_clock.now = NOW
    assert not elsewhere.is_busy()


def test_a_sign_of_life_that_cannot_be_deleted_fails_no_step_and_hides_no_error(
    store, objects, bucket, moto, artifact_clock
):
    moto.faults.inject("error", "s3", matching=f"POST /{bucket}", times=100)
    with store.scratch():
        pass
    with pytest.raises(ZeroDivisionError), store.scratch():
        raise ZeroDivisionError
    moto.faults.clear()
    assert len(keys_of(objects, ".work/")) == 2
    assert store.is_busy()
    artifact_clock.now += dt.timedelta(minutes=6)
    assert not store.is_busy()


def test_the_sign_of_life_of_a_killed_process_is_a_leftover(store, objects, artifact_clock):
    objects.put(f".work/{'a' * 32}", NOW.isoformat().encode())
    artifact_clock.now = dt.datetime.now(dt.UTC) + 2 * DAY
    assert store.leftovers(untouched_for=DAY) == {f".work/{'a' * 32}": 25}
    store.discard_leftover(f".work/{'a' * 32}")
    assert keys_of(objects) == []


@pytest.mark.parametrize("said", [-5 * DAY, 2 * DAY - dt.timedelta(hours=1)], ids=["S3", "the mark itself"])
def test_a_sign_of_life_that_is_young_by_either_clock_is_no_leftover(store, objects, artifact_clock, said):
    """By S3's clock in the one case, by that of the machine that works in the other."""
    now = dt.datetime.now(dt.UTC)
    objects.put(f".work/{'a' * 32}", (now + said).isoformat().encode())
    artifact_clock.now = now if said < dt.timedelta() else now + 2 * DAY
    assert store.leftovers(untouched_for=DAY) == {}


def test_a_sign_of_life_is_renewed(objects, artifact_clock, monkeypatch):
    monkeypatch.setattr("packaging_assets.artifacts.s3_removal.RENEWED_EVERY_SECONDS", 0.01)
    removal = S3Removal(objects, artifact_clock)
    with removal.working():
        artifact_clock.now += dt.timedelta(hours=1)
        for _ in range(500):
            if removal.is_busy():
                break
            threading.Event().wait(0.01)
        assert removal.is_busy()


def test_the_right_to_prune_of_a_process_that_was_killed_is_free_after_an_hour(store, bucket, s3, artifact_clock):
    elsewhere = S3ArtifactStore(bucket, PREFIX, client=s3, clock=artifact_clock)
    with store.pruning():
        with pytest.raises(ArtifactError, match="Another process is pruning"), elsewhere.pruning():
            pass
        artifact_clock.now += dt.timedelta(minutes=61)
        with elsewhere.pruning():
            pass


def test_the_right_to_prune_whose_answer_is_lost_is_held_all_the_same(store):
    lose_answers(store._objects)
    with store.pruning(), pytest.raises(ArtifactError, match="Another process is pruning"), store.pruning():
        pass
    assert keys_of(store._objects) == []


def test_who_prunes_for_too_long_leaves_the_right_to_who_has_it_since(store, bucket, s3, artifact_clock):
    elsewhere, others = (S3ArtifactStore(bucket, PREFIX, client=s3, clock=artifact_clock) for _ in range(2))
    with contextlib.ExitStack() as later:
        with store.pruning():
            artifact_clock.now += dt.timedelta(minutes=61)
            later.enter_context(elsewhere.pruning())
        with pytest.raises(ArtifactError, match="Another process is pruning"), others.pruning():
            pass
    with others.pruning():
        pass


def test_an_artifact_that_is_pointed_at_while_it_is_set_aside_comes_back(store, commit, objects):
    """The prune has looked, and found no pointer; then it is set, and the artifact is gone from its place."""
    artifact = commit({"a.txt": "1"})
    answers = [False]
    real = S3Removal.pointed

    def looked_too_early(removal, uri):
        if answers:
            store.point(artifact)
            return answers.pop()
        return real(removal, uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Removal, "pointed", looked_too_early)
        assert not store.set_aside(artifact.uri)
    assert store.current(KEY, WEEK) == artifact
    assert store.aside() == []
    store.verify(artifact)


@pytest.mark.parametrize("reads", [1, 2])
def test_a_pointer_that_has_moved_on_stays_when_what_it_named_is_set_aside(store, commit, reads):
    """As with experiments, which go although they are current."""
    before, after = commit({"a.txt": "0"}), commit({"a.txt": "1"}, parts=parts_of(2))
    store.point(before)
    real, left = S3Objects.get, [reads]

    def read_just_before_it_moves(objects, key):
        found = real(objects, key)
        if key.endswith("/current"):
            left[0] -= 1
            if left[0] == 0:
                store.point(after)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Objects, "get", read_just_before_it_moves)
        assert store.set_aside(before.uri, even_if_current=True)
    assert store.current(KEY, WEEK) == after
    assert store.aside() == [before.uri]


@pytest.mark.parametrize("has_pointer", [False, True])
def test_a_pointer_to_what_is_set_aside_at_that_moment_is_taken_back(store, commit, has_pointer):
    before, artifact = commit({"a.txt": "0"}), commit({"a.txt": "1"}, parts=parts_of(2))
    if has_pointer:
        store.point(before)
    real = store._put_pointer

    def put_when_it_is_gone(*given):
        removal = store._removal
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(S3Removal, "pointed", lambda *_: False)
            assert removal.set_aside(artifact.uri, even_if_current=False)
        return real(*given)

    store._put_pointer = put_when_it_is_gone
    with pytest.raises(MissingArtifactError, match="commit it before pointing"):
        store.point(artifact)
    assert store.current(KEY, WEEK) == (before if has_pointer else None)


def test_who_may_not_take_a_pointer_back_is_told_that_the_artifact_is_gone_and_may_compute_it_again(
    bucket, s3, store, commit, artifact_clock
):
    """Such a run commits the artifact anew, which the pointer then names rightly."""
    of_a_run = S3ArtifactStore(bucket, PREFIX, client=MayDeleteItsWorkOnly(s3), clock=artifact_clock)
    artifact, real = commit({"a.txt": "1"}), of_a_run._put_pointer

    def put_when_it_is_gone(*given):
        assert store.set_aside(artifact.uri)
        return real(*given)

    of_a_run._put_pointer = put_when_it_is_gone
    with pytest.raises(MissingArtifactError, match="commit it before pointing"):
        of_a_run.point(artifact)
    again = commit({"a.txt": "1"})
    assert of_a_run.current(KEY, WEEK) == again


def test_a_pointer_that_has_moved_on_is_not_taken_back(store, commit):
    before, after = commit({"a.txt": "0"}), commit({"a.txt": "1"}, parts=parts_of(2))
    store.point(before)
    key, body = f"{KEY}/{WEEK}/current", f"{before.fingerprint}\n".encode()
    real, moves = S3Objects.get, [after]

    def read_just_before_it_moves(objects, key):
        found = real(objects, key)
        if moves:
            store.point(moves.pop())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Objects, "get", read_just_before_it_moves)
        store._take_back_pointer(key, body, None)
    assert store.current(KEY, WEEK) == after


def test_discarding_harms_nothing_that_has_been_committed_since(store, commit, objects, artifact_clock):
    artifact = commit({"a.txt": "1"})
    store.confirm(artifact, provenance={})
    store.set_aside(artifact.uri)
    again = commit({"a.txt": "1"})
    store.discard(again.uri)
    store.verify(again)
    assert store.aside() == []
    assert len([key for key in keys_of(objects) if key.endswith("/a.txt")]) == 1


@pytest.mark.parametrize("settle", ["discard", "put_back"])
def test_what_is_committed_anew_is_not_as_old_as_the_confirmation_of_what_was_set_aside(
    store, commit, artifact_clock, settle
):
    store.confirm(artifact := commit({"a.txt": "1"}), provenance={})
    store.set_aside(artifact.uri)
    artifact_clock.now += 60 * DAY
    again = commit({"a.txt": "1"})
    getattr(store, settle)(artifact.uri)
    assert store.computed_at(again) == artifact_clock.now
    assert prune(store, frozenset, PrunePolicy(), now=artifact_clock.now).young == {again.uri}


def test_a_put_back_that_was_killed_halfway_can_be_done_again_or_discarded(store, commit, objects):
    artifact = commit({"a.txt": "1"})
    store.set_aside(artifact.uri)
    manifest = objects.get(f".aside/{artifact.uri}/manifest.json").body
    for settle in (store.put_back, store.discard):
        objects.put(f"{artifact.uri}/manifest.json", manifest)
        objects.put(f".aside/{artifact.uri}/manifest.json", manifest)
        settle(artifact.uri)
        assert (store.uris(), store.aside()) == ([artifact.uri], [])
        store.verify(artifact)


def test_a_put_back_that_s3_would_not_write_for_others_sake_loses_nothing(store, commit):
    """S3 answers 409 to a conditional put while another is under way, which may fail."""
    artifact = commit({"a.txt": "1"})
    store.set_aside(artifact.uri)
    objects = store._objects
    real, refusals = objects.put_new, [False, False]
    object.__setattr__(objects, "put_new", lambda key, body: refusals.pop() if refusals else real(key, body))
    store.put_back(artifact.uri)
    assert (store.uris(), store.aside()) == ([artifact.uri], [])
    store.verify(artifact)


def test_a_put_back_that_s3_never_writes_is_an_error_and_stays_aside(store, commit):
    artifact = commit({"a.txt": "1"})
    store.set_aside(artifact.uri)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Objects, "put_new", lambda *_: False)
        with pytest.raises(ArtifactError, match=r"manifest\.json was neither there nor could it be written, 20 times"):
            store.put_back(artifact.uri)
    assert store.aside() == [artifact.uri]
    store.put_back(artifact.uri)
    store.verify(artifact)


def test_what_is_pointed_at_comes_back_also_when_the_prune_that_set_it_aside_was_killed(store, commit, objects):
    """It had looked, and found no pointer; then it was set, and the prune was killed before it looked again."""
    artifact = commit({"a.txt": "1"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Removal, "pointed", lambda *_: False)
        assert store.set_aside(artifact.uri)
    objects.put(f"{KEY}/{WEEK}/current", f"{artifact.fingerprint}\n".encode())
    assert prune(store, frozenset, PrunePolicy(), now=NOW).artifacts == {}
    assert store.current(KEY, WEEK) == artifact
    store.verify(artifact)


def test_what_is_discarded_leaves_no_object(store, commit, objects):
    artifact = commit({"a.txt": "1"})
    store.confirm(artifact, provenance={})
    store.set_aside(artifact.uri)
    store.discard(artifact.uri)
    assert keys_of(objects) == []


def test_pruning_takes_the_old_and_leaves_what_is_needed(store, commit, artifact_clock):
    current, old, referenced = (commit({"a.txt": str(seed)}, parts=parts_of(seed)) for seed in range(3))
    store.point(current)
    artifact_clock.now += 60 * DAY
    plan = prune(store, lambda: {referenced.uri}, PrunePolicy(), now=artifact_clock.now)
    assert set(plan.artifacts) == {old.uri}
    assert store.uris() == sorted([current.uri, referenced.uri])
    store.verify(referenced)


def manifest_of(objects):
    return f"{URI}/manifest.json", objects.get(f"{URI}/manifest.json").body


def lose_file(objects):
    objects.delete([key for key in keys_of(objects) if key.endswith("a.txt")])


def change_size(objects):
    objects.put(next(key for key in keys_of(objects) if key.endswith("a.txt")), b"longer")


def change_byte(objects):
    objects.put(next(key for key in keys_of(objects) if key.endswith("a.txt")), b"2")


def truncate_manifest(objects):
    key, body = manifest_of(objects)
    objects.put(key, body[:20])


def replace_manifest(objects):
    objects.put(f"{URI}/manifest.json", b"[]")


def empty_manifest(objects):
    objects.put(f"{URI}/manifest.json", b"{}")


def edit_manifest(objects):
    key, body = manifest_of(objects)
    objects.put(key, body.replace(b'"bytes": 1', b'"bytes": 2').replace(WEEK.encode(), b"2025-01-13"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_file, r"a\.txt is missing"),
        (change_size, r"a\.txt has 6 bytes and had 1 when"),
        (change_byte, r"a\.txt has other content"),
        (truncate_manifest, r"manifest\.json is not JSON"),
        (replace_manifest, "is not a manifest that this version reads"),
        (empty_manifest, "is not a manifest that this version reads"),
        (edit_manifest, "contradicts itself"),
    ],
)
def test_damage_is_told_with_the_place_and_the_remedy(store, commit, objects, spoil, said):
    commit({"a.txt": "1"})
    spoil(objects)
    with pytest.raises(ArtifactError, match=f"Damaged artifact: s3://.*{said}.*Delete the folder .* and materialize"):
        store.verify(store.get(URI))


def test_a_pointer_to_nothing_is_told(store, commit, objects):
    artifact = commit()
    store.point(artifact)
    objects.delete([f"{URI}/manifest.json"])
    with pytest.raises(ArtifactError, match="which is not there: materialize mailer/split for this partition again"):
        store.current(KEY, WEEK)
    with pytest.raises(MissingArtifactError, match="any more"):
        store.parts(artifact)


def test_objects_are_deleted_in_as_many_calls_as_it_takes(objects, asked):
    objects.delete([f"nothing/{number}" for number in range(1001)])
    objects.delete([])
    assert asked == ["DeleteObjects", "DeleteObjects"]


def test_a_refusal_to_delete_is_an_error(objects, monkeypatch):
    class Refusing:
        def delete_objects(self, **_):
            return {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "Access Denied"}]}

    with pytest.raises(PermissionError, match=r"s3://b/a cannot be deleted: Access Denied"):
        S3Objects(Refusing(), "b").delete(["a"])


def test_what_s3_refuses_for_other_reasons_is_raised(objects, s3):
    absent = S3Objects(s3, "there-is-no-such-bucket-here")
    for call in (
        lambda: absent.put_new("a", b""),
        lambda: absent.put("a", b""),
        lambda: list(absent.entries()),
    ):
        with pytest.raises(Exception, match="NoSuchBucket"):
            call()


def test_conditional_puts_of_a_tag(objects):
    assert objects.put_new("a", b"1")
    assert not objects.put_new("a", b"2")
    found = objects.get("a")
    assert objects.replace("a", b"3", etag=found.etag)
    assert not objects.replace("a", b"4", etag=found.etag)
    assert not objects.replace("absent", b"4", etag=found.etag)
    assert (objects.get("a").body, objects.size("a"), objects.size("absent")) == (b"3", 1, None)


def test_encryption_is_that_of_s3_by_default_and_the_manifest_is_reserved():
    assert encryption_arguments(None) == {"ServerSideEncryption": "AES256"}
    assert "manifest.json" in RESERVED
