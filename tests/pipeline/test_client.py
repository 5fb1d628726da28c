"""What a notebook reads of a home: the rows, models and scores that are there, and nothing of it is changed."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from small_retailer import LAST_DAY, MONTH, WEEKS, Home

from packaging_assets.artifacts.store import ArtifactError
from packaging_assets.client import Client
from packaging_assets.domain.features import FeatureError
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.predictions import NoApprovedModel
from packaging_assets.domain.registry import UnknownVersionError
from packaging_assets.resources.warehouse import WarehouseError
from packaging_assets.settings import SettingsError


@pytest.fixture(scope="module")
def client(retailer: Home) -> Client:
    return Client(retailer.folder)


def test_it_lists_the_current_artifact_of_each_partition(client: Client, retailer: Home) -> None:
    listed = client.artifacts("mailer/s*")
    assert listed[["asset", "partition"]].to_numpy().tolist() == [["mailer/split", week] for week in WEEKS]
    for week, rows, size, run in zip(WEEKS, listed["rows"], listed["bytes"], listed["run_id"], strict=True):
        artifact = retailer.store.current("mailer/split", week)
        assert artifact is not None
        assert (rows, size, run) == (artifact.total_rows, artifact.total_bytes, artifact.provenance["run_id"])
    assert set(client.artifacts()["asset"]) > {"labels", "features", "monthly/predictions", "sioc/model_card"}


def test_rows_are_those_of_the_files(client: Client, retailer: Home) -> None:
    read = client.read("monthly/predictions", MONTH)
    pd.testing.assert_frame_equal(read, retailer.table("monthly/predictions", MONTH).to_pandas())
    some = client.read("mailer/split", WEEKS[0], file="train.parquet", columns=["label", "product_id"])
    expected = retailer.table("mailer/split", WEEKS[0], "train.parquet").select(["label", "product_id"])
    pd.testing.assert_frame_equal(some, expected.to_pandas())


def test_parts_are_read_one_at_a_time(retailer: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PACKAGING_ROWS_PER_CHUNK", "1000")
    client = Client(retailer.folder)
    rows = client.query("select product_id from raw.products order by product_id")
    assert rows["product_id"].is_monotonic_increasing
    assert len(rows) == retailer.rows("select count(*) from raw.products")[0][0] > 1000
    parts = [len(part) for part in client.parts("monthly/inventory", MONTH, columns=["product_id"])]
    assert parts == [*retailer.store.current("monthly/inventory", MONTH).rows.values()]


@pytest.mark.parametrize("package_type", PACKAGE_TYPES)
def test_a_champion_gives_the_scores_of_inference_to_the_last_bit(client: Client, package_type: str) -> None:
    model = client.model(package_type)
    products = client.read("daily/inventory", LAST_DAY, columns=["product_id", *model.features]).set_index("product_id")
    predicted = client.read("daily/predictions", LAST_DAY).query("package_type == @package_type")
    expected = predicted.set_index("product_id")["score"]
    assert set(predicted["model_version"]) == {model.version.version}
    pd.testing.assert_series_equal(model.score(products), expected, check_names=False, check_exact=True)
    assert model.score(products).name == package_type
    assert model.score(products.head(0)).tolist() == []


def test_a_version_that_does_not_serve_can_be_asked_for(client: Client) -> None:
    third = client.model("mailer", 3)
    assert (third.version.version, third.version.training_week) == (3, WEEKS[2])


def test_a_feature_without_any_value_is_scored_as_inference_does(client: Client) -> None:
    model = client.model("box")
    products = client.read("daily/inventory", LAST_DAY).head(3)
    absent = products.assign(brand=None, weight_kg=None)
    missing = products.assign(brand=pd.array([None] * 3, dtype="str"), weight_kg=float("nan"))
    assert model.score(absent).tolist() == model.score(missing).tolist() != model.score(products).tolist()


def test_rows_without_a_feature_are_not_scored(client: Client) -> None:
    products = client.read("daily/inventory", LAST_DAY).drop(columns=["weight_kg", "price_usd"])
    with pytest.raises(FeatureError, match=r"no column 'weight_kg' \(2 of 84 that mailer needs are absent\)"):
        client.model("mailer").score(products)


def test_json_and_versions(client: Client, retailer: Home) -> None:
    metrics = client.read_json("sioc/metrics", WEEKS[1], "metrics.json")
    versions = client.versions("sioc")
    assert versions["version"].tolist() == [1, 2, 3]
    assert versions["metrics"].str["pr_auc"][1] == metrics["pr_auc"]
    assert versions["status"].tolist() == [version.status for version in retailer.registry.versions("sioc")]
    assert len(client.versions()) == len(WEEKS) * len(PACKAGE_TYPES)


def test_a_query_has_parameters_and_columns_also_where_it_has_no_rows(client: Client, retailer: Home) -> None:
    sql = "select product_id, score from ml.predictions where partition_start = $start and score > $least order by 1"
    start = dt.date.fromisoformat(MONTH)
    found = client.query(f"{sql}, 2", start=start, least=0.5)
    (count,) = retailer.rows(
        "select count(*) from ml.predictions where partition_start = $start and score > 0.5", start=start
    )[0]
    assert len(found) == count > 0
    nothing = client.query(sql, start=start, least=1.0)
    assert (len(nothing), list(nothing.columns), nothing["score"].dtype) == (0, ["product_id", "score"], "float64")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda client: client.read("mailer/splits", WEEKS[0]), ArtifactError, "did you mean 'mailer/split'"),
        (
            lambda client: client.read("features", "2025-03-03"),
            ArtifactError,
            "'features' for '2025-03-03'; the latest are 2025-01-06",
        ),
        (
            lambda client: client.read("features"),
            ArtifactError,
            "for None; the latest are 2025-01-06, 2025-01-13, 2025",
        ),
        (lambda client: client.read("mailer/split", WEEKS[0]), ArtifactError, "which may be train.parquet, validation"),
        (lambda client: client.read("mailer/model_card", WEEKS[0]), ArtifactError, "no table; its files are card.html"),
        (
            lambda client: client.read("mailer/split", WEEKS[0], file="trian.parquet"),
            ArtifactError,
            "has no file 'trian.parquet'; did you mean 'train.parquet'",
        ),
        (
            lambda client: client.read("features", WEEKS[0], columns=["weight"]),
            ArtifactError,
            "has no column 'weight'; did you mean 'weight_kg'",
        ),
        (lambda client: client.read_json("labels", WEEKS[0], "labels.json"), ArtifactError, "no file 'labels.json'"),
        (lambda client: client.model("mialer"), UnknownVersionError, "did you mean 'mailer'"),
        (lambda client: client.model("mailer", 9), UnknownVersionError, "mailer has no version 9: it has 1 to 3"),
        (lambda client: client.query("select nothing from nowhere"), WarehouseError, "nowhere does not exist"),
        (lambda client: client.query("delete from ml.predictions"), WarehouseError, "read-only"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(client: Client, wrong, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        wrong(client)


def test_a_model_without_a_champion_is_said_to_have_none(home: Home) -> None:
    home.registry.reject("mailer", 1, actor="ada", reason="it must go")
    with pytest.raises(NoApprovedModel, match=r"mailer has no approved version: name one, as in model\('mailer', 1\)"):
        Client(home.folder).model("mailer")


def test_a_damaged_artifact_does_not_hide_the_others(home: Home) -> None:
    labels = home.store.current("labels", WEEKS[1])
    assert labels is not None
    (home.folder / "artifacts" / labels.uri / "labels.parquet").unlink()
    with pytest.warns(UserWarning, match="labels.parquet is missing. Delete the folder .* and materialize its asset"):
        listed = Client(home.folder).artifacts("labels")
    assert listed["partition"].tolist() == [WEEKS[0], WEEKS[2]]


def test_an_artifact_that_does_not_say_when_it_was_made_does_not_either(home: Home) -> None:
    labels = home.store.current("labels", WEEKS[1])
    assert labels is not None
    (home.folder / "artifacts" / labels.uri / "confirmed.json").write_text("{")
    with pytest.warns(UserWarning, match="confirmed.json is not JSON"):
        listed = Client(home.folder).artifacts("labels")
    assert listed["partition"].tolist() == [WEEKS[0], WEEKS[2]]


def test_a_home_is_not_made_by_looking_for_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"There is no home at {tmp_path / 'hmoe'}"):
        Client(tmp_path / "hmoe")
    assert list(tmp_path.iterdir()) == []


def test_reading_changes_no_file_of_the_home(home: Home) -> None:
    before = _files(home.folder)
    client = Client(home.folder)
    client.artifacts()
    client.model("bag").score(client.read("daily/inventory", LAST_DAY))
    client.versions()
    client.query("select 1 as one")
    assert _files(home.folder) == before


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }
