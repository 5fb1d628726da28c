"""`packaging cache` over a small home: what it lists, explains and removes."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
from click.testing import CliRunner, Result

from packaging_assets.abandoned_runs import LOCKED_TAG, run_lock
from packaging_assets.artifacts.fingerprint import FingerprintParts, fingerprint_parts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import Artifact
from packaging_assets.cli.main import main
from packaging_assets.components.model_files import load_models
from packaging_assets.components.training_steps import plan_split
from packaging_assets.domain.features import FeatureExtractParams, keep_features
from packaging_assets.domain.labels import LabelParams, resolve_labels
from packaging_assets.domain.registry import Registration
from packaging_assets.home import prepare_home
from packaging_assets.resources.environment import model_registry_for
from packaging_assets.settings import load_settings

WEEK = "2025-01-06"
LONG_AGO = dt.datetime(2025, 1, 13, 9, 30, tzinfo=dt.UTC)


class SmallHome:
    """A home whose artifacts are a file each, with the fingerprints of the real steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = LocalArtifactStore(folder / "artifacts", clock=lambda: LONG_AGO)

    def put(self, key: str, content: str, parts: FingerprintParts) -> Artifact:
        with self.store.scratch() as scratch:
            (scratch / "content.txt").write_text(content)
            artifact = self.store.commit(key, WEEK, scratch, parts=parts, provenance={"run_id": "run-" + content})
        self.store.point(artifact)
        return artifact

    def put_labels(self, content: str, **params: int) -> Artifact:
        inputs = {"evidence": "e" * 64}
        return self.put(
            "labels", content, fingerprint_parts(resolve_labels, params=LabelParams(**params), inputs=inputs)
        )

    def put_features(self, content: str) -> Artifact:
        end = dt.datetime(2025, 1, 13)  # noqa: DTZ001 - naive UTC, as everywhere in the warehouse
        params, inputs = FeatureExtractParams(as_of=end), {"extract": hashlib.sha256(content.encode()).hexdigest()}
        return self.put("features", content, fingerprint_parts(keep_features, params=params, inputs=inputs))

    def put_split(self, content: str, changes: Mapping[str, Any] | None = None) -> Artifact:
        spec = load_models().with_overrides({"mailer": changes or {}}).specs["mailer"]
        plan = plan_split(spec, WEEK)
        inputs = {name: self.current(key).content_hash for name, key in plan.inputs.items()}
        return self.put("mailer/split", content, fingerprint_parts(plan.step, params=plan.params, inputs=inputs))

    def current(self, key: str) -> Artifact:
        artifact = self.store.current(key, WEEK)
        assert artifact is not None
        return artifact

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["cache", *arguments, "--home", str(self.folder)])
        assert result.exit_code == code, result.output
        return result


@pytest.fixture
def home(tmp_path: Path) -> SmallHome:
    home = SmallHome(tmp_path)
    home.put_labels("labels")
    home.put_features("features")
    home.put_split("split")
    return home


def test_an_unchanged_step_is_a_hit(home: SmallHome) -> None:
    lines = home.run("explain", "mailer/split", WEEK).stdout.splitlines()
    assert lines[0] == f"mailer/split {WEEK}: from the cache"
    assert lines[1].endswith("computed by run run-split")
    assert len(lines) == 2


def test_on_a_terminal_of_80_columns_no_cell_of_the_list_is_cut_short(home: SmallHome) -> None:
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}
    result = CliRunner().invoke(main, ["cache", "list", "--home", str(home.folder)], env=terminal, color=True)
    *_, split, total = click.unstyle(result.stdout).splitlines()
    fingerprint = home.current("mailer/split").fingerprint[:12]
    assert " ".join(split.split()) == f"mailer/split {WEEK} * {fingerprint} 5 B 2025-01-13 09:30 run-spli"
    assert total.startswith("3 artifacts, ")


def test_another_param_is_named_with_its_path_and_values(home: SmallHome) -> None:
    first = home.current("mailer/split")
    home.put_split("other split", {"split.validation_fraction": 0.2})
    home.store.set_aside(first.uri)
    said = json.loads(home.run("explain", "mailer/split", WEEK, "--json").stdout)
    assert said["answer"] == "miss"
    assert [difference["sentence"] for difference in said["differences"]] == ["param validation_fraction: 0.2 -> 0.3"]


def test_code_that_is_gone_is_told(home: SmallHome) -> None:
    home.put("labels", "labels of another version", parts_named("labels"))
    said = json.loads(home.run("explain", "labels", WEEK, "--json").stdout)
    assert (said["answer"], said["differences"]) == ("miss", [])
    assert said["note"].startswith("the code that made it is gone: No module 'm' can be found")


def test_an_earlier_artifact_that_fits_is_a_hit(home: SmallHome) -> None:
    first = home.current("mailer/split")
    home.put_split("other split", {"split.seed": 1})
    said = json.loads(home.run("explain", "mailer/split", WEEK, "--json").stdout)
    assert (said["answer"], said["compared_with"]) == ("hit", first.uri)
    assert said["note"] == "an earlier artifact fits, and would be made the current one again"


def test_another_input_is_named_with_the_asset_it_comes_from(home: SmallHome) -> None:
    old, new = home.current("features"), home.put_features("newer features")
    said = json.loads(home.run("explain", "mailer/split", WEEK, "--json").stdout)
    assert said["answer"] == "miss"
    (difference,) = said["differences"]
    assert (difference["part"], difference["name"], difference["source"]) == ("input", "features", "features")
    assert (difference["old"], difference["new"]) == (old.content_hash, new.content_hash)


def test_what_would_be_run_before_is_told(home: SmallHome) -> None:
    home.put_labels("stale labels", min_shipments=7)
    home.put_split("split of stale labels")
    said = json.loads(home.run("explain", "mailer/model", WEEK, "--json").stdout)
    assert (said["answer"], said["note"]) == ("miss", "nothing has been computed yet")
    assert [upstream["asset"] for upstream in said["upstream"]] == ["labels"]
    labels = json.loads(home.run("explain", "labels", WEEK, "--json").stdout)
    assert [difference["sentence"] for difference in labels["differences"]] == ["param min_shipments: 7 -> 30"]
    assert labels["not_checked"] == ["inputs"]
    assert f"before it labels {WEEK} would be run again" in home.run("explain", "mailer/model", WEEK).stdout


def test_what_only_the_warehouse_knows_is_not_guessed(home: SmallHome) -> None:
    said = json.loads(home.run("explain", "labels", WEEK, "--json").stdout)
    assert (said["answer"], said["differences"], said["not_checked"]) == ("unknown", [], ["inputs"])


def test_two_artifacts_are_compared_by_fingerprint(home: SmallHome) -> None:
    first = home.current("mailer/split")
    home.put_split("other split", {"split.seed": 1})
    lines = home.run("explain", "mailer/split", WEEK, "--against", first.fingerprint[:8]).stdout.splitlines()
    assert lines == [
        f"mailer/split {WEEK}, compared with {first.uri}:",
        f"  - param seed: {load_models().specs['mailer'].split.seed} -> 1",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mailer/registered_model", WEEK), "is a record in the model registry and has no artifact"),
        (
            ("mailer/model",),
            "for mailer/model without a partition: name one, as in packaging cache explain mailer/model 2",
        ),
        (("nothing", WEEK), "Nothing was ever computed for nothing for 2025-01-06"),
        (("mialer/model", WEEK), "computed for mialer/model; did you mean 'mailer/model'?"),
        (("mialer/model",), "computed for mialer/model; did you mean 'mailer/model'?"),
        (("mialer/registered_model", WEEK), "did you mean 'mailer/registered_model'?"),
        (("mailer/spilt", WEEK, "--against", "x"), f"no current artifact for {WEEK}; did you mean 'mailer/split'?"),
        (("../elsewhere", WEEK), "is not valid"),
        (("mailer/model", "garbage"), "week 'garbage' is not a Monday's ISO date: write it like 2025-01-06."),
        (("mailer/metrics", "garbage"), "week 'garbage' is not a Monday's ISO date"),
        (("mailer/split", "2025-01-07"), "week '2025-01-07' is not a Monday's ISO date"),
        (("mailer/split", WEEK, "--against", "2030-01-07"), "neither the beginning of one fingerprint"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_a_sentence(
    home: SmallHome, arguments: tuple[str, ...], said: str
) -> None:
    assert said in home.run("explain", *arguments, code=1).stderr


def test_the_list_says_what_is_current_and_what_versions_rest_on(home: SmallHome) -> None:
    model, metrics = (home.put(f"mailer/{name}", name, parts_named(name)) for name in ("model", "metrics"))
    registry = model_registry_for(load_settings(home.folder))
    registry.register(
        Registration(
            model="mailer",
            package_type="mailer",
            training_week=WEEK,
            fingerprint=metrics.fingerprint,
            verdict="reject",
            artifact_uri=model.uri,
            metrics_uri=metrics.uri,
            content_hash=model.content_hash,
            code_version="1",
        )
    )
    home.store.point(home.put("mailer/model", "newer", parts_named("newer")))
    listed = {line["uri"]: line for line in json.loads(home.run("list", "--asset", "mailer/m*", "--json").stdout)}
    assert len(listed) == 3
    assert listed[model.uri] == {
        "asset": "mailer/model",
        "partition": WEEK,
        "fingerprint": model.fingerprint,
        "rows": 0,
        "bytes": 5,
        "computed_at": LONG_AGO.isoformat(),
        "computed_by_run": "run-model",
        "is_current": False,
        "referenced_by": ["mailer 1 (Rejected)"],
        "uri": model.uri,
    }
    text = home.run("list", "--asset", "mailer/m*").stdout
    assert "mailer 1 (Rejected)" in text
    assert "3 artifacts, 17 B" in text
    assert "No such artifacts" in home.run("list", "--partition", "2030-01-07").stdout
    home.run("prune", "--yes")
    assert {model.uri, metrics.uri} <= set(home.store.uris())


def parts_named(name: str) -> FingerprintParts:
    return FingerprintParts("m:" + name, {}, {}, {}, {})


def test_pruning_asks_first_and_says_what_went(home: SmallHome) -> None:
    old = home.current("features")
    home.put_features("newer features")
    home.put_split("newer split")
    assert f"{old.uri}" in home.run("prune", "--dry-run").stdout
    assert "Aborted" in home.run("prune", code=1).stderr
    assert old.uri in home.store.uris()
    done = json.loads(home.run("prune", "--yes", "--json").stdout)
    assert (done["is_done"], done["artifacts"][old.uri], done["bytes"]) == (True, 8, 13)
    assert home.store.uris() == sorted(home.current(key).uri for key in ("features", "labels", "mailer/split"))
    assert home.run("prune", "--yes").stdout.startswith("gone: 0 artifacts and 0 leftovers, 0 B; 3 are needed")


def test_what_a_killed_prune_had_set_aside_goes_though_there_is_nothing_else_to_remove(home: SmallHome) -> None:
    now = home.current("features")
    old = home.put_features("older features")
    home.store.point(now)
    assert home.store.set_aside(old.uri)
    home.run("prune")
    assert home.store.aside() == []
    assert not list((home.folder / "artifacts" / ".aside").rglob("*"))


def test_an_artifact_that_does_not_say_how_old_it_is_hides_no_other(home: SmallHome) -> None:
    undated = home.current("mailer/split")
    (home.folder / "artifacts" / undated.uri / "confirmed.json").write_text("{")
    listed = home.run("list", "--json")
    assert [line["asset"] for line in json.loads(listed.stdout)] == ["features", "labels"]
    assert "confirmed.json is not JSON. Delete the folder" in listed.stderr
    pruned = home.run("prune", "--yes")
    assert pruned.stdout.startswith("gone: 0 artifacts and 0 leftovers, 0 B; 3 are needed")
    assert pruned.stderr.startswith("left alone: Damaged artifact: ")


def test_nothing_is_pruned_while_a_run_is_under_way(home: SmallHome) -> None:
    home.put_features("newer features")
    home.put_split("newer split")
    settings = load_settings(home.folder)
    prepare_home(settings)
    locks = settings.dagster_home / "locks"
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED, tags=LOCKED_TAG)
        with run_lock(locks, run.run_id):
            said = home.run("prune", "--yes", code=1).stderr
            assert said.startswith(f"Error: Under way: {run.run_id} (idle).")
    assert home.run("prune", "--yes").stdout.splitlines()[-1].startswith("gone: 2 artifacts")


@dg.job
def idle() -> None: ...


def test_nothing_is_pruned_while_a_step_is_computed(home: SmallHome) -> None:
    home.put_features("newer features")
    home.put_split("newer split")
    with home.store.scratch():
        assert "A step is being computed in this environment" in home.run("prune", "--yes", code=1).stderr
