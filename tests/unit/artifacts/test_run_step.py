import datetime as dt
import itertools
import json

import pytest
from pydantic import BaseModel

from packaging_assets.artifacts.job import JobFacts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.run_step import run_step
from packaging_assets.artifacts.store import ArtifactError, ArtifactInput
from packaging_assets.resources.compute import InProcessCompute

WEEK = "2025-01-06"


class CountParams(BaseModel):
    factor: int = 1
    is_broken: bool = False


def count_words(inputs, params, output):
    words = (inputs["text"] / "text.txt").read_text().split()
    (output / "count.json").write_text(json.dumps(len(words) * params.factor))
    if params.is_broken:
        raise RuntimeError("the scales are broken")


def number_words(inputs, params, output):
    """Not deterministic, which no step should be."""
    (output / "number.txt").write_text(str(next(NUMBERS)))


NUMBERS = itertools.count()


class Text:
    """An input that is fetched when it is opened, like a query's result; it counts how often."""

    def __init__(self, text):
        self.text = text
        self.opened = 0

    @property
    def content_hash(self):
        return self.text

    def open(self, scratch):
        self.opened += 1
        assert list(scratch.iterdir()) == []
        (scratch / "text.txt").write_text(self.text)
        return scratch


@pytest.fixture
def store(tmp_path):
    return LocalArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def run(store, run_in):
    return lambda text, **options: run_in(store, text, **options)


@pytest.fixture
def run_in():
    def run_words(store, text, *, step=count_words, run_id="run-1", use_cache=True, compute=None, **params):
        return run_step(
            store,
            step,
            asset_key="words",
            partition=WEEK,
            inputs={"text": text},
            params=CountParams(**params),
            provenance={"run_id": run_id},
            compute=compute or InProcessCompute(),
            use_cache=use_cache,
        )

    return run_words


def value(store, result, tmp_path):
    return (store.local_path(result.artifact, tmp_path) / "count.json").read_text()


def test_a_miss_computes_commits_and_points(store, run, tmp_path):
    text = Text("one two")
    result = run(text, factor=3)
    assert (result.is_cache_hit, text.opened, value(store, result, tmp_path)) == (False, 1, "6")
    assert result.computed_by_run == "run-1"
    assert store.current("words", WEEK) == result.artifact
    assert result.artifact.fingerprint == result.parts.fingerprint
    assert store.parts(result.artifact) == result.parts
    assert set(result.artifact.provenance) == {"run_id", "seconds", "computed_at"}
    assert 0 < result.artifact.provenance["seconds"] <= result.seconds < 60
    assert (result.is_confirmed, result.differing_files, result.job) == (False, (), None)


def test_a_hit_opens_nothing_computes_nothing_and_names_the_run_that_did(run):
    first, text = run(Text("one two")), Text("one two")
    again = run(text, run_id="run-2")
    assert (again.is_cache_hit, text.opened, again.computed_by_run) == (True, 0, "run-1")
    assert again.artifact == first.artifact


def test_changed_content_misses_and_going_back_moves_the_pointer_back(store, run):
    first, second = run(Text("one")), run(Text("one two"))
    assert not second.is_cache_hit
    assert store.current("words", WEEK) == second.artifact
    back = run(Text("one"))
    assert back.is_cache_hit
    assert store.current("words", WEEK) == first.artifact


def test_equal_outcomes_of_different_params_have_equal_content(run):
    once, twice = run(Text("a b"), factor=1), run(Text("a"), factor=2)
    assert once.artifact.fingerprint != twice.artifact.fingerprint
    assert once.artifact.content_hash == twice.artifact.content_hash


def test_a_step_that_raises_leaves_nothing_and_the_pointer_where_it_was(store, run, tmp_path):
    first = run(Text("one"))
    with pytest.raises(RuntimeError, match="the scales are broken"):
        run(Text("one"), is_broken=True)
    assert store.current("words", WEEK) == first.artifact
    assert store.committed("words", WEEK) == [first.artifact]
    assert list((tmp_path / "artifacts" / ".staging").iterdir()) == []


def test_without_the_cache_a_step_runs_and_a_committed_artifact_stays_as_it_is(store, run, tmp_path):
    first = run(Text("one"), step=number_words)
    again = run(Text("one"), step=number_words, use_cache=False, run_id="run-2")
    assert not again.is_cache_hit
    assert next(NUMBERS) == 2
    assert again.artifact == first.artifact
    assert again.computed_by_run == "run-1"
    assert (again.is_confirmed, again.differing_files) == (False, ("number.txt",))
    store.verify(again.artifact)


def test_computing_again_with_the_same_outcome_confirms_the_artifact(store, run, tmp_path):
    first = run(Text("one"))
    again = run(Text("one"), use_cache=False, run_id="run-2")
    assert (again.is_cache_hit, again.is_confirmed, again.differing_files) == (False, True, ())
    assert again.artifact == first.artifact
    assert store.computed_at(again.artifact) > store.computed_at(first.artifact).replace(microsecond=0)
    assert len(store.committed("words", WEEK)) == 1
    confirmed = json.loads((tmp_path / "artifacts" / again.artifact.uri / "confirmed.json").read_text())
    assert confirmed["run_id"] == "run-2"


def test_what_is_computed_again_becomes_the_current_one(store, run):
    first, second = run(Text("one")), run(Text("one two"))
    assert store.current("words", WEEK) == second.artifact
    again = run(Text("one"), use_cache=False)
    assert (again.is_confirmed, store.current("words", WEEK)) == (True, first.artifact)


JOB = JobFacts(name="words-1", kind="processing", instance_type="ml.m5.large", instance_count=1, seconds=60.0)


class Jobs(InProcessCompute):
    """A compute whose work is a job, and which notes what is current when the job is let go of."""

    def __init__(self, store):
        self.store = store
        self.released = []

    def run(self, *args, **options):
        super().run(*args, **options)
        return JOB

    def release(self, job):
        self.released.append((job.name, self.store.current("words", WEEK)))


def test_a_job_is_let_go_of_once_its_output_is_current_and_not_on_a_hit(store, run):
    jobs = Jobs(store)
    first = run(Text("one"), compute=jobs)
    assert first.job == JOB
    assert jobs.released == [("words-1", first.artifact)]
    assert run(Text("one"), compute=jobs).job is None
    assert len(jobs.released) == 1


def test_an_expired_artifact_is_computed_again_once(tmp_path, run_in):
    now = [dt.datetime(2025, 2, 1, tzinfo=dt.UTC)]
    store = LocalArtifactStore(tmp_path / "aging", clock=lambda: now[0], max_age=dt.timedelta(days=30))
    first = run_in(store, Text("one"))
    now[0] += dt.timedelta(days=31)
    late = run_in(store, Text("one"), run_id="run-2")
    assert (late.is_cache_hit, late.is_confirmed, late.artifact) == (False, True, first.artifact)
    assert run_in(store, Text("one"), run_id="run-3").is_cache_hit
    assert len(store.uris()) == 1


class PrunedAtOnce:
    """A store in which everything is set aside between finding and pointing."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def find(self, *key):
        found = self._store.find(*key)
        if found is not None:
            self._store.set_aside(found.uri, even_if_current=True)
        return found


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_hit_that_is_pruned_at_that_moment_is_computed_again(store, run_in, use_cache):
    first = run_in(store, Text("one"))
    again = run_in(PrunedAtOnce(store), Text("one"), run_id="run-2", use_cache=use_cache)
    assert (again.is_cache_hit, again.computed_by_run) == (False, "run-2")
    assert store.current("words", WEEK) == again.artifact == first.artifact


def test_an_artifact_is_the_next_steps_input(store, run, tmp_path):
    class CopyParams(BaseModel):
        pass

    counted = run(Text("one two three"))
    result = run_step(
        store,
        copy_count,
        asset_key="copies/of_words",
        partition=None,
        inputs={"words": ArtifactInput(store, counted.artifact)},
        params=CopyParams(),
        provenance={},
        compute=InProcessCompute(),
    )
    assert result.parts.inputs == {"words": counted.artifact.content_hash}
    assert (result.artifact.uri.rpartition("/")[0], result.computed_by_run) == ("copies/of_words/_", None)
    assert value(store, result, tmp_path) == "3"


def copy_count(inputs, params, output):
    (output / "count.json").write_text((inputs["words"] / "count.json").read_text())


def test_a_damaged_artifact_is_told_on_a_hit(run, tmp_path):
    result = run(Text("one"))
    (tmp_path / "artifacts" / result.artifact.uri / "count.json").unlink()
    with pytest.raises(ArtifactError, match=r"count\.json is missing"):
        run(Text("one"))
