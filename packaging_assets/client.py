"""What a home holds, as pandas frames and models: for notebooks and scripts, and only to read.

Example:
    from packaging_assets.client import Client

    client = Client()
    products = client.read("daily/inventory", "2025-02-16")
    client.model("mailer").score(products)
"""

from __future__ import annotations

import fnmatch
import json
import tempfile
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from packaging_assets.artifacts.store import Artifact, ArtifactError, MissingArtifactError, parse_uri
from packaging_assets.domain.features import FeatureError
from packaging_assets.domain.models import TrainedModel, load_model, score_table
from packaging_assets.domain.parquet_files import list_parts, read_parquet
from packaging_assets.domain.predictions import NoApprovedModel
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.domain.registry_record import unknown_model
from packaging_assets.domain.spelling import did_you_mean, meant_or_all
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, warehouse_for
from packaging_assets.settings import load_settings, refuse_absent_home

LATEST = 5
"""Partitions that are named to somebody who asks for one that is not there."""


class Client:
    """The artifacts, models and warehouse of one home, or of the environment in AWS that its settings name.

    Args:
        home: the home folder. Default: `PACKAGING_HOME`, else `.packaging/` in the project.

    Raises:
        SettingsError: there is no such home, or a setting of it is unusable.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        self._settings = load_settings(None if home is None else Path(home))
        refuse_absent_home(self._settings)
        self._store = artifact_store_for(self._settings)
        self._registry = model_registry_for(self._settings)

    def artifacts(self, asset: str = "*") -> pd.DataFrame:
        """The current artifact of each partition, a row each. One that is damaged is left out with a warning.

        Args:
            asset: only assets of that name; `*` stands for anything: "mailer/*".

        Returns:
            Columns `asset`, `partition`, `rows`, `bytes`, `computed_at` (UTC) and `run_id`, in the order of the first
            two.
        """
        described = (
            self._described(named, partition)
            for named, partition in self._places()
            if fnmatch.fnmatchcase(named, asset)
        )
        found = [row for row in described if row is not None]
        return pd.DataFrame(found, columns=["asset", "partition", "rows", "bytes", "computed_at", "run_id"])

    def read(
        self,
        asset: str,
        partition: str | None = None,
        *,
        file: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The rows of the current artifact of a partition, all of its parts.

        Args:
            asset: such as "features" or "mailer/split".
            partition: such as "2025-01-13"; None where the asset has none.
            file: which one of its Parquet files, if these are not parts of one table.
            columns: those to read; all by default. Of a large inventory ask for those that you need, or see `parts`.

        Raises:
            ArtifactError: there is no such asset, partition, file or column, or several tables to choose from.
        """
        return pd.concat([*self.parts(asset, partition, file=file, columns=columns)], ignore_index=True)

    def parts(
        self,
        asset: str,
        partition: str | None = None,
        *,
        file: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pd.DataFrame]:
        """As `read`, a part at a time: a full inventory does not fit in memory."""
        artifact = self._artifact(asset, partition)
        names = _tables(artifact) if file is None else [_checked(file, artifact)]
        with self._files(artifact) as folder:
            for name in names:
                _check_columns(columns, name, artifact)
                yield read_parquet(folder / name, columns).to_pandas()

    def read_json(self, asset: str, partition: str | None, file: str) -> Any:
        """A JSON file of the current artifact of a partition, such as metrics.json of "mailer/metrics".

        Raises:
            ArtifactError: there is no such asset, partition or file.
        """
        artifact = self._artifact(asset, partition)
        with self._files(artifact) as folder:
            return json.loads((folder / _checked(file, artifact)).read_bytes())

    def versions(self, model: str | None = None) -> pd.DataFrame:
        """The registry's versions, of one model or of all, a row each with all that is known of it."""
        return pd.DataFrame([vars(version) for version in self._registry.versions(model)])

    def model(self, name: str, version: int | None = None) -> LoadedModel:
        """A model to score with.

        Args:
            name: the model's name, such as "mailer".
            version: its number in the registry; the champion by default.

        Raises:
            UnknownVersionError: there is no such model or version.
            NoApprovedModel: the model has no champion.
            ArtifactError: the version's files are gone or damaged.
        """
        chosen = self._champion(name) if version is None else self._registry.get(name, version)
        with self._files(self._store.get(chosen.artifact_uri)) as folder:
            return LoadedModel(chosen, load_model(folder))

    def query(self, sql: str, **parameters: Any) -> pd.DataFrame:
        """The rows of a SELECT in the warehouse, which must fit in memory.

        Args:
            sql: a query; `$name` in it stands for a parameter.
            parameters: by name: texts, numbers, dates, times.

        Raises:
            WarehouseError: the warehouse refuses the statement, or cannot be reached.
        """
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            warehouse_for(self._settings).unload(sql, parameters, folder, rows_per_file=self._settings.rows_per_chunk)
            return pd.concat([read_parquet(part).to_pandas() for part in list_parts(folder)], ignore_index=True)

    def _champion(self, name: str) -> ModelVersion:
        champion = self._registry.champion(name)
        if champion is not None:
            return champion
        if name not in self._registry.models():
            raise unknown_model(name, self._registry.models())
        raise NoApprovedModel(
            f"{name} has no approved version: name one, as in model({name!r}, 1), or approve one "
            "(packaging models approve)."
        )

    def _described(self, asset: str, partition: str | None) -> dict[str, Any] | None:
        """A row of `artifacts`, or None where nothing is current, or what is cannot be read."""
        try:
            artifact = self._store.current(asset, partition)
            computed_at = None if artifact is None else self._store.computed_at(artifact)
        except ArtifactError as error:
            warnings.warn(str(error), stacklevel=4)
            return None
        if artifact is None:
            return None
        return {
            "asset": asset,
            "partition": partition,
            "rows": artifact.total_rows,
            "bytes": artifact.total_bytes,
            "computed_at": computed_at,
            "run_id": artifact.provenance.get("run_id"),
        }

    def _artifact(self, asset: str, partition: str | None) -> Artifact:
        artifact = self._store.current(asset, partition)
        if artifact is not None:
            return artifact
        places = self._places()
        partitions = [str(key) for named, key in places if named == asset]
        if partitions:
            raise MissingArtifactError(
                f"There is no artifact of {asset!r} for {partition!r}; the latest are {', '.join(partitions[-LATEST:])}"
            )
        raise MissingArtifactError(
            f"There are no artifacts of {asset!r}{meant_or_all(asset, dict.fromkeys(named for named, _ in places))}"
        )

    def _places(self) -> list[tuple[str, str | None]]:
        """Asset and partition of all that was ever committed, each once."""
        return list(dict.fromkeys(parse_uri(uri)[:2] for uri in self._store.uris()))

    @contextmanager
    def _files(self, artifact: Artifact) -> Generator[Path]:
        """Its folder; of an artifact in S3 a copy. Nothing is written to the home, which may be somebody else's."""
        with tempfile.TemporaryDirectory() as scratch:
            yield self._store.local_path(artifact, Path(scratch))


@dataclass(frozen=True)
class LoadedModel:
    """A version of the registry, ready to score.

    Attributes:
        version: what the registry knows of it.
        trained: the model itself, with those that it feeds from.
    """

    version: ModelVersion
    trained: TrainedModel

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that it needs to score, those of the models it feeds from included."""
        return self.trained.inventory_features.columns

    def score(self, products: pd.DataFrame) -> pd.Series[float]:
        """P(suitable) of each row, shape (rows,), with its index; the very scores that inference gives.

        Args:
            products: one row per product, with at least the columns `features`.

        Raises:
            FeatureError: a column is absent or of the wrong type.
        """
        absent = [name for name in self.features if name not in products.columns]
        if absent:
            raise FeatureError(
                f"the rows have no column {absent[0]!r} ({len(absent)} of {len(self.features)} that "
                f"{self.version.model} needs are absent): read them with all of `features`"
            )
        table = _typed(pa.Table.from_pandas(products[[*self.features]], preserve_index=False), self.trained)
        return pd.Series(score_table([self.trained], table)[:, 0], index=products.index, name=self.version.model)


def _typed(table: pa.Table, model: TrainedModel) -> pa.Table:
    """A column without any value has no type in a frame: it gets that of its kind of feature."""
    features = model.inventory_features
    for number, field in enumerate(table.schema):
        if pa.types.is_null(field.type):
            is_text = field.name in (*features.categorical, *features.text)
            kind = pa.string() if is_text else pa.float64()
            table = table.set_column(number, field.name, table[field.name].cast(kind))
    return table


def _tables(artifact: Artifact) -> list[str]:
    """The Parquet files of an artifact that are parts of one table."""
    names = sorted(artifact.rows)
    parts = [name for name in names if name.startswith("part-")]
    if parts or len(names) == 1:
        return parts or names
    if names:
        raise ArtifactError(f"{artifact.uri} has several tables: name one by `file`, which may be {', '.join(names)}.")
    raise ArtifactError(f"{artifact.uri} has no table; its files are {', '.join(sorted(artifact.files))}.")


def _checked(file: str, artifact: Artifact) -> str:
    if file not in artifact.files:
        raise ArtifactError(f"{artifact.uri} has no file {file!r}{meant_or_all(file, sorted(artifact.files))}")
    return file


def _check_columns(columns: Sequence[str] | None, file: str, artifact: Artifact) -> None:
    there = artifact.schema.get(file, {})
    for name in columns or ():
        if name not in there:
            raise ArtifactError(f"{artifact.uri} has no column {name!r}{did_you_mean(name, there)}")
