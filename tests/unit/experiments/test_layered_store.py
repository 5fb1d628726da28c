"""Reads see the main area first and then the experiments'; writes never reach the main area."""

import datetime as dt
from pathlib import Path

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import Artifact, ArtifactStore
from packaging_assets.experiments.layered_store import LayeredStore

WEEK = "2025-02-03"
NOW = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)


def parts(name: str) -> FingerprintParts:
    return FingerprintParts(step=name, modules={}, libraries={}, params={}, inputs={})


def commit(store: ArtifactStore, name: str, text: str = "text") -> Artifact:
    with store.scratch() as scratch:
        folder = scratch / "output"
        folder.mkdir()
        (folder / "file.txt").write_text(text)
        return store.commit("mailer/split", WEEK, folder, parts=parts(name), provenance={})


def test_a_commit_goes_into_the_side_area_and_is_found_there(tmp_path: Path):
    main = LocalArtifactStore(tmp_path)
    layered = LayeredStore(main)
    made = commit(layered, "one")
    layered.point(made)
    assert made.uri == f"experiments/mailer/split/{WEEK}/{made.fingerprint}"
    assert layered.find("mailer/split", WEEK, made.fingerprint) == made
    assert (main.find("mailer/split", WEEK, made.fingerprint), main.current(made.asset_key, WEEK)) == (None, None)
    assert layered.get(made.uri) == made


def test_what_the_main_area_has_is_found_first(tmp_path: Path):
    main = LocalArtifactStore(tmp_path)
    layered = LayeredStore(main)
    side = commit(layered, "one")
    original = commit(main, "one")
    assert layered.find("mailer/split", WEEK, original.fingerprint) == original
    assert layered.committed("mailer/split", WEEK) == [original, side]
    assert layered.uris() == sorted([original.uri, side.uri])


def test_pointing_moves_no_pointer_and_current_is_the_main_area_s(tmp_path: Path):
    main = LocalArtifactStore(tmp_path)
    layered = LayeredStore(main)
    old, new = commit(main, "one"), commit(main, "two", "other text")
    main.point(old)
    layered.point(new)
    assert layered.current("mailer/split", WEEK) == old


def test_an_expired_result_of_the_main_area_gives_way_to_the_side_area_s(tmp_path: Path):
    main = LocalArtifactStore(tmp_path, clock=lambda: NOW)
    original = commit(main, "one")
    later = LocalArtifactStore(tmp_path, clock=lambda: NOW + dt.timedelta(days=8), max_age=dt.timedelta(days=7))
    layered = LayeredStore(later)
    assert layered.find("mailer/split", WEEK, original.fingerprint) is None
    side = commit(layered, "one")
    assert layered.find("mailer/split", WEEK, original.fingerprint) == side


def test_only_the_side_area_s_age_is_renewed(tmp_path: Path):
    moments = [NOW]
    layered = LayeredStore(main := LocalArtifactStore(tmp_path, clock=lambda: moments[-1]))
    original, side = commit(main, "one"), commit(layered, "two")
    moments.append(NOW + dt.timedelta(days=1))
    for artifact in (original, side):
        layered.confirm(artifact, provenance={})
    assert (layered.computed_at(original), layered.computed_at(side)) == (NOW, moments[-1])
    assert not layered.is_expired(original)


def test_files_and_parts_are_the_store_s(tmp_path: Path):
    layered = LayeredStore(LocalArtifactStore(tmp_path))
    made = commit(layered, "one")
    layered.verify(made)
    assert layered.parts(made) == parts("one")
    assert (layered.local_path(made, tmp_path) / "file.txt").read_text() == "text"
