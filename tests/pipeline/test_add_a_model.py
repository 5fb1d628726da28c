"""A model by one YAML file, an architecture by one Python file and one YAML file: what adding them takes.

They are added to a copy of the project and run for a week over a copy of the small retailer, and every file of the
project is compared with what it was.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_retailer import PACKAGING, WEEKS, Home

from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.settings import PROJECT_ROOT

WEEK = WEEKS[1]
NOT_SOURCE = ("__pycache__", "target", "logs", ".venv", ".packaging")

MODEL = """\
type: packaging_assets.components.PackageModel
attributes:
  package_type: mailer
  name: mailer_measures
  stage: shadow
  features: measures_only
  labels: {min_shipments: 5}
  class_weights: balanced
"""

ARCHITECTURE = '''\
"""How often a category's products were suitable: what a model must beat."""

import json

import numpy as np

from packaging_assets.domain.architectures import ArchitectureError


class CategoryRates:
    """The weighted share of suitable products in each value of the first feature, drawn towards the share of all."""

    feature_kinds = frozenset({"categorical"})

    def __init__(self, features, parameters):
        if set(parameters) - {"rows"}:
            raise ArchitectureError(f"unknown parameters {sorted(parameters)}; there is 'rows'")
        self.features, self.rows = features, parameters.get("rows", 20)

    def fit(self, X, y, *, sample_weight, seed):
        self.share = float(np.average(y, weights=sample_weight))
        values = X[self.features.columns[0]].astype(str)
        weight = values.to_frame("value").assign(all=sample_weight, suitable=sample_weight * y).groupby("value").sum()
        rates = (weight["suitable"] + self.rows * self.share) / (weight["all"] + self.rows)
        self.rates = {value: float(rate) for value, rate in sorted(rates.items())}
        return self

    def prepare(self, X):
        return X[self.features.columns[0]].astype(str)

    def predict_proba(self, prepared):
        suitable = prepared.map(self.rates).fillna(self.share).to_numpy(dtype=float)
        return np.column_stack([1 - suitable, suitable])

    def save(self, folder):
        (folder / "rates.json").write_text(json.dumps({"share": self.share, "rates": self.rates}, sort_keys=True))

    @classmethod
    def load(cls, folder, features):
        model = cls(features, {})
        saved = json.loads((folder / "rates.json").read_text())
        model.share, model.rates = saved["share"], saved["rates"]
        return model

    def feature_importance(self):
        first = self.features.columns[0]
        return {name: 100.0 if name == first else 0.0 for name in self.features.columns}
'''

MODEL_OF_IT = """\
type: packaging_assets.components.PackageModel
attributes:
  package_type: mailer
  name: mailer_rates
  stage: shadow
  architecture: category_rates:CategoryRates
  parameters: {rows: 10}
  features: {categorical: [product_type]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's sources, which is what runs when its folder comes first on Python's path."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("packaging_assets", "dbt_project"):
        shutil.copytree(PROJECT_ROOT / name, root / name, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy2(PROJECT_ROOT / name, root)
    return root


def run(project: Path, home: Home, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(project), "PACKAGING_HOME": str(home.folder), "NO_COLOR": "1"}
    done = subprocess.run(  # noqa: S603 - fixed commands
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources(project: Path) -> dict[str, str]:
    """Path -> hash of every file of the project."""
    return {path.relative_to(project).as_posix(): _hash(path) for path in _files(project)}


def _files(project: Path) -> Iterator[Path]:
    for path in project.rglob("*"):
        if path.is_file() and not set(NOT_SOURCE) & set(path.relative_to(project).parts):
            yield path


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def touched(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {path for path in {*before, *after} if before.get(path) != after.get(path)}


def lines_of(project: Path, paths: set[str]) -> dict[str, int]:
    return {path: len((project / path).read_text().splitlines()) for path in paths}


def versions(home: Home) -> dict[str, list[ModelVersion]]:
    return {model: home.registry.versions(model) for model in home.registry.models()}


def test_a_model_takes_one_file_and_an_architecture_two(project: Path, home: Home) -> None:
    where = run(project, home, sys.executable, "-c", "import packaging_assets as p; print(p.__file__)")
    assert where.strip() == str(project / "packaging_assets" / "__init__.py")
    as_it_was, before = sources(project), versions(home)

    folder = project / "packaging_assets" / "defs" / "mailer_measures"
    folder.mkdir()
    (folder / "defs.yaml").write_text(MODEL)
    run(project, home, PACKAGING, "run", "weekly", "--partition", WEEK)

    with_model, trained = sources(project), versions(home)
    model = touched(as_it_was, with_model)
    assert lines_of(project, model) == {"packaging_assets/defs/mailer_measures/defs.yaml": 8}
    assert {name: found for name, found in trained.items() if found != before.get(name)}.keys() == {"mailer_measures"}
    (version,) = trained["mailer_measures"]
    assert (version.version, version.package_type, version.training_week) == (1, "mailer", WEEK)
    params = trained_with(home, version)
    assert params["features"]["numeric"] == ["length_cm", "width_cm", "height_cm", "weight_kg", "price_usd"]
    assert params["class_weights"] == "balanced"
    assert labelled(home, "mailer_measures/labels") > labelled(home, "labels")

    (project / "category_rates.py").write_text(ARCHITECTURE)
    folder = project / "packaging_assets" / "defs" / "mailer_rates"
    folder.mkdir()
    (folder / "defs.yaml").write_text(MODEL_OF_IT)
    run(project, home, PACKAGING, "run", "weekly", "--partition", WEEK)

    architecture = touched(with_model, sources(project))
    assert lines_of(project, architecture) == {
        "category_rates.py": 47,
        "packaging_assets/defs/mailer_rates/defs.yaml": 8,
    }
    trained_again = versions(home)
    assert {name for name, found in trained_again.items() if found != trained.get(name)} == {"mailer_rates"}
    (version,) = trained_again["mailer_rates"]
    assert (version.version, version.package_type, version.training_week) == (1, "mailer", WEEK)
    assert 0.2 < version.metrics["pr_auc"] < trained["mailer"][0].metrics["pr_auc"]
    assert trained_with(home, version)["architecture"] == "category_rates:CategoryRates"


def labelled(home: Home, asset: str) -> int:
    return home.table(asset, WEEK, "labels.parquet").num_rows


def trained_with(home: Home, version: ModelVersion) -> dict[str, Any]:
    return read_json(home.folder / "artifacts" / version.artifact_uri / "model.json")
