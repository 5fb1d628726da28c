"""Pruning never takes what anything needs, whoever else is at work."""

import datetime as dt
import itertools
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.prune import PrunePolicy, plan_prune, prune
from packaging_assets.artifacts.run_step import run_step
from packaging_assets.resources.compute import InProcessCompute

NOW = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
ALL = PrunePolicy(older_than=dt.timedelta(0), grace=dt.timedelta(0))
ALL_EXPERIMENTS = replace(ALL, experiments=True)


def nothing():
    return frozenset()


class Shelf:
    """A store that is filled by name, at any age."""

    def __init__(self, root):
        self.now = NOW
        self.store = LocalArtifactStore(root, clock=lambda: self.now)

    def put(self, key, name, *, partition="2025-01-06", days_old=100, made_from=(), lineage=(), is_current=False):
        parts = FingerprintParts(
            step=f"m:{name}",
            modules={},
            libraries={},
            params={"lineage": [{"uri": artifact.uri} for artifact in lineage]},
            inputs={str(number): artifact.content_hash for number, artifact in enumerate(made_from)},
        )
        with self.store.scratch() as scratch:
            (scratch / "content.txt").write_text(name)
            made = {"computed_at": (NOW - days_old * DAY).isoformat()}
            artifact = self.store.commit(key, partition, scratch, parts=parts, provenance=made)
        if is_current:
            self.store.point(artifact)
        return artifact

    def prune(self, policy=ALL, references=nothing):
        return prune(self.store, references, policy, now=NOW)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "artifacts")


def test_what_nothing_needs_goes_and_its_bytes_are_counted(shelf):
    current, old = shelf.put("labels", "new", is_current=True), shelf.put("labels", "old")
    gone = shelf.prune()
    assert (gone.artifacts, gone.total_bytes) == ({old.uri: 3}, 3)
    assert gone.needed == {current.uri}
    assert shelf.store.uris() == [current.uri]
    assert shelf.store.aside() == []


def test_a_dry_look_changes_nothing(shelf):
    old = shelf.put("labels", "old")
    assert plan_prune(shelf.store, nothing, ALL, now=NOW).artifacts == {old.uri: 3}
    assert shelf.store.uris() == [old.uri]


def test_what_the_registry_refers_to_stays_with_all_that_it_was_made_from(shelf):
    labels, features = shelf.put("labels", "labels"), shelf.put("features", "features")
    split = shelf.put("mailer/split", "split", made_from=[labels, features])
    model = shelf.put("mailer/model", "model", made_from=[split, features])
    other = shelf.put("mailer/model", "other")
    shelf.prune(references=lambda: {model.uri})
    assert set(shelf.store.uris()) == {labels.uri, features.uri, split.uri, model.uri}
    assert other.uri not in shelf.store.uris()


def test_a_card_keeps_the_sources_that_it_names(shelf):
    champion = shelf.put("mailer/model", "champion")
    card = shelf.put("mailer/model_card", "card", lineage=[champion], is_current=True)
    shelf.prune()
    assert set(shelf.store.uris()) == {champion.uri, card.uri}


def test_a_card_may_name_sources_that_are_gone(shelf):
    champion = shelf.put("mailer/model", "champion")
    card = shelf.put("mailer/model_card", "card", lineage=[champion], is_current=True)
    shelf.store.set_aside(champion.uri)
    shelf.store.discard(champion.uri)
    assert shelf.prune().needed == {card.uri}


def test_what_a_young_experiment_was_made_from_stays_as_long_as_it(shelf):
    split = shelf.put("experiments/mailer/split", "split")
    model = shelf.put("experiments/mailer/model", "model", days_old=1, made_from=[split], is_current=True)
    policy = PrunePolicy(older_than=10 * DAY, experiments=True)
    assert shelf.prune(policy).needed == {split.uri, model.uri}
    assert set(shelf.prune(ALL_EXPERIMENTS).artifacts) == {split.uri, model.uri}


def test_the_young_and_the_newest_of_a_partition_stay(shelf):
    put = {days: shelf.put("labels", f"of {days}", days_old=days) for days in (5, 40, 50, 60)}
    other = shelf.put("labels", "other", partition="2025-01-13", days_old=90)
    gone = shelf.prune(PrunePolicy(older_than=30 * DAY, keep=2))
    assert set(gone.artifacts) == {put[50].uri, put[60].uri}
    assert set(shelf.store.uris()) == {put[5].uri, put[40].uri, other.uri}
    assert gone.young == frozenset()
    assert shelf.prune(PrunePolicy(older_than=45 * DAY)).young == {put[5].uri, put[40].uri}


def test_an_artifact_may_go_from_the_very_age_on_that_is_asked_for(shelf):
    old, younger = shelf.put("labels", "old", days_old=30), shelf.put("labels", "younger", days_old=29)
    assert shelf.prune(PrunePolicy(older_than=30 * DAY)).artifacts == {old.uri: 3}
    assert shelf.store.uris() == [younger.uri]


def test_what_a_killed_prune_left_aside_keeps_what_it_was_made_from(shelf):
    split = shelf.put("mailer/split", "split")
    model = shelf.put("mailer/model", "model", made_from=[split])
    shelf.store.set_aside(model.uri)
    gone = shelf.prune(references=lambda: frozenset({model.uri}))
    assert (gone.artifacts, gone.needed) == ({}, {split.uri, model.uri})
    assert set(shelf.store.uris()) == {split.uri, model.uri}


def test_nothing_younger_than_the_grace_period_goes(shelf):
    committed = shelf.put("labels", "not yet pointed at", days_old=0)
    assert shelf.prune(PrunePolicy(older_than=dt.timedelta(0))).young == {committed.uri}


def test_experiments_go_only_when_asked_for_and_then_by_age_alone(shelf):
    old = shelf.put("experiments/mailer/model", "old", is_current=True)
    young = shelf.put("experiments/mailer/model", "young", partition="2025-01-13", days_old=1, is_current=True)
    source = shelf.put("experiments/mailer/split", "the same")
    split = shelf.put("mailer/split", "the same")
    model = shelf.put("mailer/model", "model", made_from=[split], is_current=True)
    policy = PrunePolicy(older_than=10 * DAY)
    assert shelf.prune(policy).artifacts == {}
    gone = shelf.prune(PrunePolicy(older_than=10 * DAY, experiments=True))
    assert set(gone.artifacts) == {old.uri, source.uri}
    assert set(shelf.store.uris()) == {young.uri, split.uri, model.uri}
    assert shelf.store.current("experiments/mailer/model", "2025-01-06") is None


def test_what_comes_to_be_referenced_meanwhile_is_put_back(shelf):
    old = shelf.put("mailer/model", "old")
    answers = iter([frozenset(), frozenset({old.uri})])
    assert shelf.prune(references=lambda: next(answers)).artifacts == {}
    shelf.store.verify(shelf.store.get(old.uri))


def test_what_is_pointed_at_meanwhile_stays(shelf):
    old = shelf.put("labels", "old")

    def references():
        shelf.store.point(old)  # after the pointers were read
        return frozenset()

    real, shelf.store.pointed = shelf.store.pointed, {old.uri: False}.get
    assert shelf.prune(references=references).artifacts == {}
    shelf.store.pointed = real
    assert shelf.store.current("labels", "2025-01-06") == old


def test_a_damaged_artifact_is_left_alone_and_told(shelf, tmp_path):
    old = shelf.put("labels", "old")
    (tmp_path / "artifacts" / old.uri / "content.txt").unlink()
    gone = shelf.prune()
    assert gone.artifacts == {}
    assert "content.txt is missing" in gone.damaged[old.uri]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("confirmed.json", "{", "is not JSON"),
        ("provenance.json", '{"computed_at": "May"}', "at 'May', which is no time"),
    ],
)
def test_an_artifact_that_does_not_say_how_old_it_is_stays_and_the_others_go(shelf, tmp_path, name, text, said):
    undated, old = shelf.put("labels", "undated"), shelf.put("labels", "old")
    path = tmp_path / "artifacts" / undated.uri / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    gone = shelf.prune()
    assert gone.artifacts == {old.uri: 3}
    assert list(gone.damaged) == [undated.uri]
    assert said in gone.damaged[undated.uri]
    assert gone.young == frozenset()
    assert shelf.store.uris() == [undated.uri]


def test_what_an_artifact_that_does_not_say_how_old_it_is_was_made_from_stays(shelf, tmp_path):
    split = shelf.put("mailer/split", "split")
    model = shelf.put("mailer/model", "model", made_from=[split], is_current=True)
    (tmp_path / "artifacts" / model.uri / "confirmed.json").write_text("{")
    assert shelf.prune().artifacts == {}
    assert set(shelf.store.uris()) == {split.uri, model.uri}


def test_what_another_prune_removes_meanwhile_is_not_damaged(shelf):
    old, gone = shelf.put("labels", "old"), shelf.put("labels", "gone")
    listed = shelf.store.uris()
    shelf.store.uris = lambda: listed
    shelf.store.set_aside(gone.uri)
    plan = plan_prune(shelf.store, nothing, ALL, now=NOW)
    assert (plan.artifacts, plan.damaged) == ({old.uri: 3}, {})


def test_what_killed_runs_left_goes_and_a_working_ones_folder_stays(shelf, tmp_path):
    staging = tmp_path / "artifacts" / ".staging"
    shelf.now = dt.datetime.now(dt.UTC) + 2 * DAY
    with shelf.store.scratch() as scratch:
        left = staging / "left"
        (left / "output").mkdir(parents=True)
        (left / "output" / "half.txt").write_text("half")
        assert shelf.prune(PrunePolicy(grace=DAY)).leftovers == {"left": 4}
        assert [path.name for path in staging.iterdir()] == [scratch.name]


KILLED = """
import datetime as dt, os, signal, sys
from pathlib import Path
from packaging_assets.artifacts import local_store, prune

store = local_store.LocalArtifactStore(Path(sys.argv[1]))
real, calls = local_store.LocalArtifactStore.discard, []

def kill_later(self, uri):
    calls.append(uri)
    if len(calls) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, uri)

local_store.LocalArtifactStore.discard = kill_later
policy = prune.PrunePolicy(older_than=dt.timedelta(0), grace=dt.timedelta(0))
prune.prune(store, frozenset, policy, now=dt.datetime(2025, 6, 1, tzinfo=dt.UTC))
"""


def test_a_killed_prune_leaves_artifacts_whole_and_the_next_one_decides(shelf, tmp_path):
    old = [shelf.put("labels", f"old {number}") for number in range(4)]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "artifacts")], check=False)  # noqa: S603
    assert killed.returncode == -signal.SIGKILL
    aside = shelf.store.aside()
    assert len(aside) == 3
    assert shelf.store.uris() == []
    needed = aside[0]
    shelf.prune(references=lambda: frozenset({needed}))
    assert (shelf.store.uris(), shelf.store.aside()) == ([needed], [])
    shelf.store.verify(shelf.store.get(needed))
    assert needed in {artifact.uri for artifact in old}


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["labels", "mailer/model", "experiments/mailer/model"]),
        st.sampled_from(["2025-01-06", "2025-01-13"]),
        st.integers(0, 60),  # days old
        st.booleans(),  # current
        st.booleans(),  # referenced by the registry
        st.lists(st.integers(0, 11), max_size=2),  # made from these earlier ones
    ),
    max_size=12,
)


@given(entries=ENTRIES, older_than=st.integers(0, 60), keep=st.integers(0, 2), experiments=st.booleans())
def test_whatever_is_there_exactly_what_nothing_needs_goes(entries, older_than, keep, experiments):
    policy = PrunePolicy(older_than=older_than * DAY, keep=keep, grace=DAY, experiments=experiments)
    with tempfile.TemporaryDirectory() as folder:
        shelf, put = Shelf(Path(folder)), []
        for number, (key, partition, days, is_current, _, sources) in enumerate(entries):
            made_from = [put[source] for source in sources if source < number]
            put.append(
                shelf.put(
                    key,
                    f"number {number}",
                    partition=partition,
                    days_old=days,
                    made_from=made_from,
                    is_current=is_current,
                )
            )
        referenced = frozenset(artifact.uri for artifact, entry in zip(put, entries, strict=True) if entry[4])
        pointed = {artifact.uri for artifact in put if shelf.store.pointed(artifact.uri)}
        old = {a.uri for a, entry in zip(put, entries, strict=True) if entry[2] >= max(older_than, 1)}
        free = {uri for uri in old if experiments and uri.startswith("experiments/")}
        needed, waiting = set(), [*referenced, *(pointed - free)]
        while waiting:
            uri = waiting.pop()
            if uri not in needed:
                needed.add(uri)
                number = [artifact.uri for artifact in put].index(uri)
                waiting += [put[source].uri for source in entries[number][5] if source < number]
        prune(shelf.store, lambda: referenced, policy, now=NOW)
        left = set(shelf.store.uris())
        assert needed <= left
        assert left.isdisjoint(old - needed - spared(put, entries, keep, experiments=experiments))
        assert {artifact.uri for artifact in put} - old <= left
        for uri in pointed & left:
            assert shelf.store.current(*uri.rsplit("/", 2)[:2]).uri == uri


def spared(put, entries, keep, *, experiments):
    """The newest of each partition, and experiments unless they were asked for."""
    found = {artifact.uri for artifact in put if artifact.uri.startswith("experiments/") and not experiments}
    places = {artifact.uri.rpartition("/")[0] for artifact in put}
    for place in places:
        here = [(-entry[2], a.uri) for a, entry in zip(put, entries, strict=True) if a.uri.startswith(place)]
        found |= {uri for _, uri in sorted(here, reverse=True)[:keep]}
    return found


def write_number(inputs, params, output):
    (output / "number.txt").write_text(f"{params.number}")


class Numbered(BaseModel):
    number: int


NUMBERS = range(40)
WEEKS = ("2025-01-06", "2025-01-13")


def compute_number(store, partition, number, provenance):
    return run_step(
        store,
        write_number,
        asset_key="numbers",
        partition=partition,
        inputs={},
        params=Numbered(number=number),
        provenance=provenance,
        compute=InProcessCompute(),
    )


def make_each_current(store, week, folder):
    for number in NUMBERS:
        result = compute_number(store, week, number, {})
        assert store.current("numbers", week) == result.artifact
        assert (store.local_path(result.artifact, folder) / "number.txt").read_text() == str(number)


def prune_until(store, is_over, now):
    removed = {}
    while not is_over():
        removed |= prune(store, nothing, PrunePolicy(older_than=dt.timedelta(0)), now=now).artifacts
    return removed


def test_runs_and_prunes_at_once_do_not_hurt_one_another(tmp_path):
    """Every artifact is old and not current; a run that finds one makes it current while it may be taken away."""
    store, now = LocalArtifactStore(tmp_path / "artifacts"), dt.datetime.now(dt.UTC)
    for week, number in itertools.product(WEEKS, NUMBERS):
        compute_number(store, week, number, {"computed_at": (now - DAY).isoformat()})
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(make_each_current, store, week, tmp_path) for week in WEEKS]
        pruning = pool.submit(prune_until, store, lambda: all(run.done() for run in runs), now)
    for run in runs:
        run.result()
    assert pruning.result()
    assert store.aside() == []
    for uri in store.uris():
        store.verify(store.get(uri))
    assert list((tmp_path / "artifacts" / ".staging").iterdir()) == []
