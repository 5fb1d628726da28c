"""Models that feed from one another: what the graph shows, what is refused, and a chain of three through one week."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from shell_runs import error_of

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.components.model_set import OVERRIDES_TAG
from packaging_assets.domain.features import DEFAULT_FEATURES
from packaging_assets.domain.labels import LabelParams, resolve_labels
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.predictions import PredictModel, PredictParams, predict
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, resources_for
from packaging_assets.settings import PROJECT_ROOT, Settings, use_settings

WEEK = "2025-01-13"
MONDAY = dt.datetime(2025, 1, 13)  # noqa: DTZ001 - the platform's times are UTC without a zone
PRODUCTS = 1500
LIGHT = "parameters: {iterations: 20, thread_count: 1}"
BOX = (LIGHT,)
BAG = (LIGHT, "feeds_from: [box]")
SIOC = ("architecture: stacked", "feeds_from: [bag]")


def write_shop(folder: Path, **models: Sequence[str]) -> Path:
    """A project with these models: name -> lines of the YAML's attributes besides the package type."""
    root = folder / f"shop_{uuid.uuid4().hex}"
    pyproject = (PROJECT_ROOT / "pyproject.toml").read_text()
    root_module = 'root_module = "packaging_assets"'
    (folder / "pyproject.toml").write_text(pyproject.replace(root_module, f'root_module = "{root.name}"'))
    for name, lines in models.items():
        (root / "defs" / name).mkdir(parents=True)
        attributes = "".join(f"  {line}\n" for line in (f"package_type: {name}", *lines))
        text = f"type: packaging_assets.components.PackageModel\nattributes:\n{attributes}"
        (root / "defs" / name / "defs.yaml").write_text(text)
    for package in (root, root / "defs"):
        (package / "__init__.py").touch()
    return root


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def load(project: Path, settings: Settings) -> dg.Definitions:
    with use_settings(settings):
        loaded = dg.load_from_defs_folder(path_within_project=project)
    return dg.Definitions.merge(loaded, dg.Definitions(resources=resources_for(settings)))


def parents_of(graph: Any, key: str) -> set[str]:
    return {"/".join(parent.path) for parent in graph.get(dg.AssetKey(key.split("/"))).parent_keys}


def test_the_graph_shows_who_feeds_whom(shop: Path, settings: Settings) -> None:
    definitions = load(write_shop(shop, box=BOX, bag=BAG, sioc=SIOC, mailer=()), settings)
    graph = definitions.resolve_asset_graph()

    assert parents_of(graph, "bag/model") == {"bag/split", "features", "box/model", "box/out_of_fold_scores"}
    assert parents_of(graph, "sioc/model") == {"sioc/split", "features", "bag/model", "bag/out_of_fold_scores"}
    assert parents_of(graph, "box/out_of_fold_scores") == {"box/model", "box/split", "features"}
    assert parents_of(graph, "bag/out_of_fold_scores") == {
        "bag/model",
        "bag/split",
        "features",
        "box/out_of_fold_scores",
    }
    assert parents_of(graph, "mailer/model") == {"mailer/split", "features"}
    scored = {key.path[0] for key in graph.get_all_asset_keys() if key.path[-1] == "out_of_fold_scores"}
    assert scored == {"box", "bag"}
    job = definitions.resolve_job_def("train_bag")
    assert {key.path[0] for key in job.asset_layer.executable_asset_keys} == {"bag"}
    assert dg.AssetKey(["bag", "out_of_fold_scores"]) in job.asset_layer.executable_asset_keys


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (
            {"box": ["feeds_from: [bag]"], "bag": ["feeds_from: [sioc]"], "sioc": ["feeds_from: [box]"]},
            "these models feed from one another in a circle: ",
        ),
        ({"bag": ["feeds_from: [crate]"]}, "model 'bag' feeds from 'crate', and there is no such model; there is bag"),
        ({"bag": ["feeds_from: [bag]"]}, "model 'bag' names itself in `feeds_from`; name another model"),
        ({"box": [], "bag": ["feeds_from: [box, box]"]}, "`feeds_from` of 'bag' names a model twice: box, box"),
        (
            {"box": [], "bag": ["feeds_from: [box]", "split: {seed: 7}"]},
            "its validation rows are not all among the validation rows of 'box': give both the same `split`",
        ),
        (
            {"box": ["score_folds: 3"], "bag": ["feeds_from: [box]"], "sioc": ["feeds_from: [bag]"]},
            "models 'box' and 'bag' feed one another and have 3 and 4 folds: give both the same `score_folds`",
        ),
        (
            {
                "box": ["score_folds: 2"],
                "bag": ["score_folds: 2", "feeds_from: [box]"],
                "sioc": ["feeds_from: [bag]"],
            },
            "model 'box' is the beginning of a chain for which 2 folds are too few: set `score_folds` of the chain's",
        ),
        ({"box": ["architecture: catbost"]}, "there is no architecture 'catbost'; did you mean 'catboost'?"),
        ({"box": ["architecture: my_team.nets:Net"]}, "there is no module 'my_team.nets' where Python looks for mod"),
        ({"box": ["architecture: json.nets:Net"]}, "there is no module 'json.nets' where Python looks for modules"),
        ({"box": ["architecture: json.decoder:Net"]}, "decoder.py defines no 'Net'; its classes are JSONDecodeError, "),
    ],
)
def test_what_cannot_be_is_refused_when_the_yaml_loads(
    shop: Path, settings: Settings, models: Mapping[str, Sequence[str]], message: str
) -> None:
    project = write_shop(shop, **models)

    with pytest.raises(Exception, match=r"Error while (loading|building)") as error:
        load(project, settings)

    assert message in f"{error.value} {error.value.__cause__}"


def test_an_architecture_of_ones_own_is_found_without_being_imported(shop: Path, settings: Settings) -> None:
    (shop / "my_nets.py").write_text("raise RuntimeError('imported')\nclass Net(Base): ...\n")

    definitions = load(write_shop(shop, box=["architecture: my_nets:Net"]), settings)

    assert dg.AssetKey(["box", "model"]) in definitions.resolve_asset_graph().get_all_asset_keys()


@pytest.fixture
def week(home: Settings) -> Settings:
    """A home whose week has labels and features of random products, half of them known to be suitable."""
    random = np.random.default_rng(3)
    ids = [f"p{row:05d}" for row in range(PRODUCTS)]
    columns: dict[str, Any] = {"product_id": ids, "updated_at": pa.array([MONDAY] * PRODUCTS, pa.timestamp("us"))}
    columns |= {name: random.lognormal(size=PRODUCTS) for name in DEFAULT_FEATURES.numeric}
    columns |= {name: random.choice(["x", "y", "z"], PRODUCTS).tolist() for name in DEFAULT_FEATURES.categorical}
    columns |= {f"fits_{name}": np.ones(PRODUCTS, dtype=bool) for name in PACKAGE_TYPES}
    store = artifact_store_for(home)
    with store.scratch() as scratch:
        folders = {name: scratch / name for name in ("features", "labels", "evidence")}
        for folder in folders.values():
            folder.mkdir()
        pq.write_table(pa.table(columns), folders["features"] / "part-00000.parquet")
        _write_evidence(folders["evidence"], ids, np.log(columns["weight_kg"]), random)
        resolve_labels({"evidence": folders["evidence"]}, LabelParams(), folders["labels"])
        for name in ("features", "labels"):
            parts = FingerprintParts(step=name, modules={}, libraries={}, params={}, inputs={})
            store.point(store.commit(name, WEEK, folders[name], parts=parts, provenance={}))
    return home


def _write_evidence(folder: Path, ids: list[str], signal: np.ndarray, random: np.random.Generator) -> None:
    tables = []
    for name in PACKAGE_TYPES:
        passed = (signal + random.logistic(scale=0.4, size=len(ids)) > 0).astype(np.int64)
        counts = dict.fromkeys(("shipments", "damage_reports"), np.zeros(len(ids), np.int64))
        tests = {"tests_passed": passed, "tests_failed": 1 - passed}
        moments = dict.fromkeys(("first_evidence_at", "last_evidence_at"), pa.array([MONDAY] * len(ids)))
        tables.append(
            {
                "product_id": ids,
                "package_type": [name] * len(ids),
                "category": ["x"] * len(ids),
                **tests,
                **{f"random_{test}": count for test, count in tests.items()},
                **counts,
                **moments,
            }
        )
    pq.write_table(pa.concat_tables(map(pa.table, tables)), folder / "part-00000.parquet")
    weeks = [MONDAY.date() - dt.timedelta(weeks=back) for back in range(5)]
    volume = {
        "package_type": [name for name in PACKAGE_TYPES for _ in weeks],
        "week": weeks * len(PACKAGE_TYPES),
        "evidence_rows": [100] * len(weeks) * len(PACKAGE_TYPES),
    }
    (folder / "volume").mkdir()
    pq.write_table(pa.table(volume), folder / "volume" / "part-00000.parquet")


def materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    *selected: str,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run assets of the week, all but the champions by default."""
    assets = [asset for asset in definitions.assets or [] if isinstance(asset, dg.AssetsDefinition)]
    weekly = [asset for asset in assets if asset.partitions_def is not None]
    return dg.materialize(
        weekly,
        selection=[dg.AssetKey(key.split("/")) for key in selected] or None,
        instance=instance,
        partition_key=WEEK,
        resources=definitions.resources,
        tags={OVERRIDES_TAG: json.dumps(overrides)} if overrides else None,
        raise_on_error=False,
    )


def predictions(settings: Settings, output: Path, **uris: str) -> dict[str, list[float]]:
    """Scores of the week's products by the artifacts at these URIs, by model."""
    store = artifact_store_for(settings)
    features = store.current("features", WEEK)
    assert features is not None
    inputs = {"inventory": store.local_path(features, output)}
    inputs |= {name: store.local_path(store.get(uri), output) for name, uri in uris.items()}
    models = tuple(
        PredictModel(package_type=name, model=name, version=1, threshold=0.5, input_name=name) for name in uris
    )
    output.mkdir()
    predict(inputs, PredictParams(models=models, as_of=MONDAY), output)
    table = pq.read_table(output / "part-00000.parquet")
    return {
        name: score.to_pylist()
        for name in uris
        for score in [table.filter(pa.compute.equal(table["package_type"], name))["score"]]
    }


def test_a_chain_of_three_is_trained_judged_registered_and_predicts_with_the_feeders_it_carries(
    shop: Path, week: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    definitions = load(write_shop(shop, box=BOX, bag=BAG, sioc=SIOC), week)

    result = materialize(definitions, instance)

    assert result.success
    store, registry = artifact_store_for(week), model_registry_for(week)
    versions = {name: registry.versions(name)[0] for name in ("box", "bag", "sioc")}
    assert {name: version.metrics["architectures"] for name, version in versions.items()} == {
        "box": ["catboost"],
        "bag": ["catboost"],
        "sioc": ["catboost", "stacked"],
    }
    assert all(version.metrics["roc_auc"] > 0.8 for version in versions.values())
    sioc = store.get(versions["sioc"].artifact_uri)
    assert {"feeders/bag/feeders/box/model.json", "feeders/bag/model.json", "model.json"} <= set(sioc.files)
    assert (
        sioc.files["feeders/bag/feeders/box/model.json"] == store.get(versions["box"].artifact_uri).files["model.json"]
    )
    scores = store.current("box/out_of_fold_scores", WEEK)
    assert scores is not None
    assert (scores.total_rows, len(scores.schema["scores.parquet"])) == (PRODUCTS, 7)  # a chain: four more columns
    modules = store.parts(store.get(versions["sioc"].metrics_uri)).modules
    assert {f"packaging_assets.domain.architectures.{name}" for name in ("catboost", "stacked")} <= set(modules)

    first = {name: version.artifact_uri for name, version in versions.items()}
    before = predictions(week, tmp_path / "before", **first)
    moved = materialize(definitions, instance, "box/model", overrides={"box": {"seed": 5}})
    assert moved.success
    stale = CachingStaleStatusResolver(instance, definitions.resolve_asset_graph(), _loading(instance))
    assert stale.get_status(dg.AssetKey(["bag", "model"]), WEEK) == StaleStatus.STALE
    assert stale.get_status(dg.AssetKey(["box", "split"]), WEEK) != StaleStatus.STALE
    other_box = store.current("box/model", WEEK)
    assert other_box is not None
    assert other_box.uri != first["box"]
    after = predictions(week, tmp_path / "after", **{**first, "box": other_box.uri})
    assert (before["bag"], before["sioc"]) == (after["bag"], after["sioc"])
    assert before["box"] != after["box"]

    refused = materialize(definitions, instance, "bag/model")
    name, message = error_of(refused)
    assert name == "FeederError"
    assert "materialize box/model and box/out_of_fold_scores for the same week again" in message


def _loading(instance: dg.DagsterInstance) -> Any:
    from dagster._core.loader import LoadingContextForTest

    return LoadingContextForTest(instance)


def test_without_its_feeders_scores_a_model_says_what_is_missing(
    shop: Path, week: Settings, instance: dg.DagsterInstance
) -> None:
    definitions = load(write_shop(shop, box=BOX, bag=BAG), week)

    result = materialize(definitions, instance, "box/split", "box/model", "bag/split", "bag/model")

    name, message = error_of(result)
    assert name == "MissingUpstreamError"
    assert f"bag/model for {WEEK} needs box/out_of_fold_scores for {WEEK}, which has not been materialized" in message


def test_a_card_is_of_one_evaluation_with_its_limits_or_is_not_written(
    shop: Path, week: Settings, instance: dg.DagsterInstance
) -> None:
    definitions = load(write_shop(shop, box=BOX), week)
    store = artifact_store_for(week)
    overrides = {"box": {"gates.psi_warn": 0.15}}
    assert materialize(definitions, instance, "box/split", "box/model", "box/metrics", overrides=overrides).success
    made = materialize(definitions, instance, "box/model_card")
    assert made.success
    card = store.current("box/model_card", WEEK)
    assert card is not None
    page = made.asset_materializations_for_node("box__model_card")[0].metadata["card"]
    assert page == dg.MetadataValue.path(store.locate(card, "card.html"))  # to be opened, wherever the store is
    assert Path(str(page.value)).is_file()
    assert store.parts(card).params["policy"]["psi_warn"] == 0.15

    assert materialize(definitions, instance, "box/model", overrides={"box": {"seed": 5}}).success  # a run beside
    name, message = error_of(materialize(definitions, instance, "box/model_card"))
    trained_since, metrics = store.current("box/model", WEEK), store.current("box/metrics", WEEK)
    assert trained_since is not None
    assert metrics is not None
    assert name == "GateEvidenceError"
    assert f"{metrics.uri} is not about {trained_since.uri}, which was made since. No card was written." in message
    assert store.current("box/model_card", WEEK) == card
