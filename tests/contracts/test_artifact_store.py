"""What every artifact store promises; a store joins by a line in `store`."""

import datetime as dt
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artifact_examples import DAY, KEY, NOW, PARTS, WEEK, parts_of
from blake3 import blake3

from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.s3_store import S3ArtifactStore
from packaging_assets.artifacts.store import ArtifactError, ArtifactInput, FileEntry, MissingArtifactError


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path, artifact_clock):
    settings = {"clock": artifact_clock, "max_age": 7 * DAY}
    if request.param == "local":
        return LocalArtifactStore(tmp_path / "artifacts", **settings)
    client = request.getfixturevalue("s3")
    return S3ArtifactStore(request.getfixturevalue("bucket"), "env/artifacts", client=client, **settings)


def test_a_committed_artifact_can_be_found_opened_and_traced(store, commit, tmp_path):
    artifact = commit({"a.txt": "abc", "model/b.txt": ""})
    assert artifact.uri == f"mailer/split/2025-01-06/{PARTS.fingerprint}"
    assert artifact.files == {
        "a.txt": FileEntry(f"blake3:{blake3(b'abc').hexdigest()}", 3),
        "model/b.txt": FileEntry(f"blake3:{blake3(b'').hexdigest()}", 0),
    }
    assert artifact.total_bytes == 3
    assert store.find(KEY, WEEK, PARTS.fingerprint) == artifact
    assert store.get(artifact.uri) == artifact
    assert store.parts(artifact) == PARTS
    assert artifact.provenance == {"run_id": "run-1", "computed_at": NOW.isoformat()}
    assert store.computed_at(artifact) == NOW
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
    assert second.provenance["run_id"] == "r1"
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


def test_an_artifact_expires_and_confirming_it_makes_it_young_again(store, commit, artifact_clock):
    artifact = commit({"a.txt": "1"})
    artifact_clock.now = NOW + 7 * DAY
    assert not store.is_expired(artifact)
    artifact_clock.now += dt.timedelta(seconds=1)
    assert store.is_expired(artifact)
    store.confirm(artifact, provenance={"run_id": "run-2"})
    assert not store.is_expired(artifact)
    assert store.computed_at(artifact) == artifact_clock.now
    assert store.find(KEY, WEEK, PARTS.fingerprint).provenance["run_id"] == "run-1"
    store.verify(artifact)


def test_all_artifacts_are_listed_by_uri(store, commit):
    assert store.uris() == []
    # A model that feeds from others holds copies of their folders, whatever is in them.
    nested = commit({"feeders/box/manifest.json": "{}", f"{'a' * 64}/a.txt": "1"})
    whole = commit(key="labels", partition=None)
    assert store.uris() == sorted([nested.uri, whole.uri])


def test_what_is_set_aside_is_out_of_sight_and_comes_back_whole(store, commit):
    artifact = commit({"a.txt": "1"})
    assert store.set_aside(artifact.uri)
    assert store.find(KEY, WEEK, PARTS.fingerprint) is None
    assert (store.uris(), store.aside()) == ([], [artifact.uri])
    with pytest.raises(MissingArtifactError):
        store.get(artifact.uri)
    for change in (store.point, lambda gone: store.confirm(gone, provenance={})):
        with pytest.raises(MissingArtifactError, match="commit it before pointing"):
            change(artifact)
    store.put_back(artifact.uri)
    assert (store.uris(), store.aside()) == ([artifact.uri], [])
    store.verify(store.get(artifact.uri))


def test_what_a_pointer_names_is_not_set_aside_unless_the_pointer_goes_too(store, commit):
    artifact = commit()
    store.point(artifact)
    assert store.pointed(artifact.uri)
    assert not store.set_aside(artifact.uri)
    assert store.current(KEY, WEEK) == artifact
    assert store.set_aside(artifact.uri, even_if_current=True)
    assert store.current(KEY, WEEK) is None
    assert not store.set_aside(artifact.uri)


def test_what_is_discarded_is_gone_and_can_be_computed_again(store, commit):
    artifact = commit({"a.txt": "1"})
    store.set_aside(artifact.uri)
    store.discard(artifact.uri)
    assert (store.uris(), store.aside()) == ([], [])
    assert commit({"a.txt": "1"}) == artifact


def test_an_artifact_committed_while_its_like_was_aside_stays(store, commit):
    store.set_aside(commit({"a.txt": "1"}, run_id="run-1").uri)
    again = commit({"a.txt": "1"}, run_id="run-2")
    store.put_back(again.uri)
    assert store.get(again.uri).provenance["run_id"] == "run-2"
    assert store.aside() == []


@pytest.mark.parametrize("uri", ["../elsewhere", "mailer", f"mailer/../{'a' * 64}", ""])
def test_nothing_but_an_artifact_is_ever_removed(store, uri):
    for remove in (store.set_aside, store.put_back, store.discard):
        with pytest.raises(ArtifactError, match="is not"):
            remove(uri)


def test_one_process_prunes_at_a_time(store):
    with store.pruning(), pytest.raises(ArtifactError, match="Another process is pruning"), store.pruning():
        pass
    with store.pruning():
        pass
