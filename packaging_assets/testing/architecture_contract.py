"""What every architecture promises, as tests to run on one's own.

    from packaging_assets.testing.architecture_contract import ArchitectureContract

    class TestTransformer(ArchitectureContract):
        architecture = "my_team.models:Transformer"

The tests train on a few hundred made-up products with columns of every kind that the architecture takes.
"""

# ruff: noqa: S101, PLR2004, D102 - asserts are what tests are for, with exact figures, and a test's name is its sentence

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from packaging_assets.domain.architectures import (
    METHODS,
    Architecture,
    ArchitectureError,
    KeepsCheckpoints,
    architecture_class,
    check_feature_kinds,
    feature_kinds,
)
from packaging_assets.domain.average_precision import area_under_roc
from packaging_assets.domain.features import FeatureError, FeatureKind, FeatureSet
from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.testing.example_products import (
    ALL_FEATURES,
    NOISE,
    as_categories,
    as_texts,
    example_products,
    features_of,
    numbered_otherwise,
    unlike,
)

SEED = 3

Scores = npt.NDArray[np.float64]


class ArchitectureContract:
    """Subclass it, call the subclass `Test...`, and say which architecture it is about.

    Attributes:
        architecture: a built-in name, or "package.module:Class".
        parameters: what to train with; few iterations keep the tests quick.
        is_seeded: whether another seed makes another model. Say False for a learner without chance in it.
        tolerance: how far a row's score may depend on the rows scored beside it. Products of matrices round by the
            number of rows: say 1e-9 if the architecture cannot do without.
        least_accuracy: share of new products that it must get right, of which half are suitable.
    """

    architecture: ClassVar[str]
    parameters: ClassVar[Mapping[str, Any]] = {}
    is_seeded: ClassVar[bool] = True
    tolerance: ClassVar[float] = 0.0
    least_accuracy: ClassVar[float] = 0.8

    _models: ClassVar[dict[type, Architecture]] = {}

    @property
    def features(self) -> FeatureSet:
        """The columns of `ALL_FEATURES` that it is trained on: all of the kinds that it takes."""
        return features_of(feature_kinds(architecture_class(self.architecture)))

    def new(self, features: FeatureSet | None = None) -> Architecture:
        """One that is not trained."""
        return architecture_class(self.architecture)(features or self.features, self.parameters)

    def fit(self, features: FeatureSet | None = None, *, seed: int = SEED) -> Architecture:
        """One that is trained now."""
        features = features or self.features
        frame, labels = example_products(features)
        return self.new(features).fit(frame, labels, sample_weight=np.ones(len(labels)), seed=seed)

    def fitted(self) -> Architecture:
        """One that is trained, by an earlier test perhaps."""
        if type(self) not in self._models:
            self._models[type(self)] = self.fit()
        return self._models[type(self)]

    def products(self) -> tuple[pd.DataFrame, npt.NDArray[np.int8]]:
        """Products that it was not trained on, and their labels."""
        return example_products(self.features, seed=1)

    def test_it_has_every_method(self) -> None:
        found = architecture_class(self.architecture)

        assert [name for name in METHODS if not callable(getattr(found, name))] == []
        assert isinstance(getattr(found, "name", None), str)

    def test_probabilities_are_two_columns_that_add_up_to_one(self) -> None:
        frame, labels = self.products()

        probabilities = score(self.fitted(), frame)

        assert probabilities.shape == (len(frame), 2)
        assert probabilities.dtype == np.float64
        assert probabilities.min() >= 0
        assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(frame)))
        assert ((probabilities[:, 1] > 0.5) == labels).mean() >= self.least_accuracy

    @pytest.mark.parametrize("kind", ALL_FEATURES.kinds)
    def test_a_kind_of_feature_is_learned_from_or_refused(self, kind: FeatureKind) -> None:
        features = features_of(frozenset({kind}))
        if kind not in feature_kinds(architecture_class(self.architecture)):
            with pytest.raises(ArchitectureError, match=f"takes no {kind} features"):
                check_feature_kinds(self.architecture, features)
            return
        check_feature_kinds(self.architecture, features)
        frame, labels = example_products(features, seed=1)

        scores = score(self.fit(features), frame)[:, 1]

        assert area_under_roc(labels, scores) > 0.7

    def test_training_and_scoring_leave_the_frame_as_it_was(self) -> None:
        frame, labels = example_products(self.features)
        before = frame.copy(deep=True)

        model = self.new().fit(frame, labels, sample_weight=np.ones(len(labels)), seed=SEED)
        score(model, frame)

        pd.testing.assert_frame_equal(frame, before)

    def test_a_saved_model_scores_exactly_as_before(self, tmp_path: Path) -> None:
        model = self.fitted()
        frame, _ = self.products()
        model.save(tmp_path)

        loaded = architecture_class(self.architecture).load(tmp_path, self.features)

        assert (score(loaded, frame) == score(model, frame)).all()
        assert loaded.feature_importance() == model.feature_importance()

    def test_equal_training_gives_equal_bytes(self, tmp_path: Path) -> None:
        saved: list[dict[str, bytes]] = []
        for folder, seed in (("a", SEED), ("b", SEED), ("c", SEED + 1)):
            (tmp_path / folder).mkdir()
            self.fit(seed=seed).save(tmp_path / folder)
            saved.append(read_files(tmp_path / folder))

        assert saved[0] == saved[1]
        assert (saved[0] != saved[2]) == self.is_seeded

    def test_another_process_gives_equal_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "here").mkdir()
        (tmp_path / "there").mkdir()
        self.fitted().save(tmp_path / "here")
        order = {
            "architecture": self.architecture,
            "features": self.features.model_dump(mode="json"),
            "parameters": dict(self.parameters),
        }
        write_json(tmp_path / "order.json", order)

        paths = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-c", f"from {__name__} import train_in_folder; train_in_folder({str(tmp_path)!r})"]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "7"})  # noqa: S603 - our own code

        assert read_files(tmp_path / "there") == read_files(tmp_path / "here")

    def test_loading_and_scoring_run_no_pickle(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fitted().save(tmp_path)
        frame, _ = self.products()
        for name in ("load", "loads", "Unpickler"):
            monkeypatch.setattr(pickle, name, _refuse_pickle)

        score(architecture_class(self.architecture).load(tmp_path, self.features), frame)

        assert [name for name, content in files_within(tmp_path) if is_pickle(name, content)] == []

    def test_prepared_rows_are_shared_by_models_on_the_same_features(self) -> None:
        """Models of two package types, say: what one has learned must not be in what it prepares for the other."""
        one, other = self.fitted(), self.new()
        other_products, other_labels = unlike(*example_products(self.features, seed=2))
        other.fit(other_products, other_labels, sample_weight=np.ones(len(other_labels)), seed=SEED)
        frame, _ = self.products()

        prepared = one.prepare(frame)
        one.predict_proba(prepared)

        assert (other.predict_proba(prepared) == score(other, frame)).all()

    def test_scores_of_a_row_do_not_depend_on_the_rows_beside_it(self) -> None:
        model = self.fitted()
        frame, _ = self.products()
        scores = score(model, frame)

        assert np.abs(score(model, frame.iloc[100:200]) - scores[100:200]).max() <= self.tolerance
        assert np.abs(score(model, frame.iloc[:1]) - scores[:1]).max() <= self.tolerance

    def test_scores_of_a_row_do_not_depend_on_its_place(self) -> None:
        model = self.fitted()
        frame, _ = self.products()

        backwards = score(model, frame.iloc[::-1])

        assert np.abs(backwards[::-1] - score(model, frame)).max() <= self.tolerance

    def test_scores_do_not_depend_on_how_categories_are_numbered(self) -> None:
        """A category's codes follow the values of the file at hand: each part of an inventory has others."""
        frame, _ = self.products()
        if not self.features.categorical:
            pytest.skip(f"{self.architecture} takes no categories")

        renumbered = frame.assign(**{name: numbered_otherwise(frame[name]) for name in self.features.categorical})

        assert np.abs(score(self.fitted(), renumbered) - score(self.fitted(), frame)).max() <= self.tolerance

    def test_values_never_seen_in_training_are_scored(self) -> None:
        features = self.features
        frame, _ = example_products(features, rows=5, seed=1)
        unknown = np.zeros(5, dtype=np.int64)
        changes: dict[str, Any] = dict.fromkeys(features.numbers, np.float32(np.nan))
        changes |= {name: as_categories(("new",), unknown) for name in features.categorical}
        changes |= {name: as_texts(["", "?!", "Völlig neu", "  ", "new"]) for name in features.text}

        probabilities = score(self.fitted(), frame.assign(**changes))

        assert np.isfinite(probabilities).all()

    def test_a_training_that_keeps_checkpoints_gives_the_same_bytes(self, tmp_path: Path) -> None:
        """Also when it goes on from what an earlier one has left."""
        frame, labels = example_products(self.features)
        (tmp_path / "plain").mkdir()
        self.fitted().save(tmp_path / "plain")
        for name in ("first", "again"):
            model = self.new()
            if not isinstance(model, KeepsCheckpoints):
                pytest.skip(f"{self.architecture} begins anew when it is interrupted")
            checkpoints = tmp_path / "checkpoints"
            checkpoints.mkdir(exist_ok=True)
            model.checkpoint_in(checkpoints)
            model.fit(frame, labels, sample_weight=np.ones(len(labels)), seed=SEED)
            (tmp_path / name).mkdir()
            model.save(tmp_path / name)

            assert read_files(tmp_path / name) == read_files(tmp_path / "plain")

    def test_weights_matter(self) -> None:
        frame, labels = example_products(self.features)
        weight = np.where(labels == 1, 20.0, 1.0)

        weighted = self.new().fit(frame, labels, sample_weight=weight, seed=SEED)

        assert score(weighted, frame)[:, 1].mean() > score(self.fitted(), frame)[:, 1].mean()

    def test_importance_adds_up_to_100_percent_and_ranks_the_noise_low(self) -> None:
        importance = self.fitted().feature_importance()

        assert tuple(importance) == self.features.columns
        assert sum(importance.values()) == pytest.approx(100)
        assert min(importance.values()) >= 0
        if NOISE in importance:
            assert importance[NOISE] < importance["weight_kg"]

    def test_permuted_columns_are_refused(self) -> None:
        frame, labels = example_products(self.features)
        permuted = frame[[*frame.columns[::-1]]]

        with pytest.raises(FeatureError, match="the frame has the columns"):
            self.fitted().prepare(permuted)
        with pytest.raises(FeatureError, match="the frame has the columns"):
            self.new().fit(permuted, labels, sample_weight=np.ones(len(labels)), seed=SEED)

    def test_an_unknown_parameter_is_refused_before_training(self) -> None:
        parameters = {**self.parameters, "no_such_parameter": 1}

        with pytest.raises(ArchitectureError, match="'no_such_parameter'"):
            architecture_class(self.architecture)(self.features, parameters)

    def test_a_folder_without_a_model_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ArchitectureError, match=str(tmp_path)):
            architecture_class(self.architecture).load(tmp_path, self.features)

    def test_a_model_of_other_features_is_refused(self, tmp_path: Path) -> None:
        self.fitted().save(tmp_path)
        kind = self.features.kinds[0]
        fewer = self.features.model_copy(update={kind: getattr(self.features, kind)[:1]})

        with pytest.raises(FeatureError, match="was trained on"):
            architecture_class(self.architecture).load(tmp_path, fewer)


def score(model: Architecture, frame: pd.DataFrame) -> Scores:
    """The model's probabilities for a frame, shape (rows, 2)."""
    return model.predict_proba(model.prepare(frame))


def read_files(folder: Path) -> dict[str, bytes]:
    """All files under `folder`, by their path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def files_within(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files in `folder`, and of those in zips among them."""
    for name, content in read_files(folder).items():
        yield name, content
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield from ((f"{name}/{member}", archive.read(member)) for member in archive.namelist())


def is_pickle(name: str, content: bytes) -> bool:
    """Whether a file is a pickle by its name or by how it begins: the opcode PROTO and one of the protocols 2 to 5."""
    return name.endswith((".pkl", ".pickle", ".joblib")) or content[:2] in {
        b"\x80\x02",
        b"\x80\x03",
        b"\x80\x04",
        b"\x80\x05",
    }


def train_in_folder(folder: str) -> None:
    """Train what order.json in `folder` says and save it in `there`; run in a process of its own."""
    order = read_json(Path(folder) / "order.json")
    features = FeatureSet(**order["features"])
    frame, labels = example_products(features)
    model = architecture_class(order["architecture"])(features, order["parameters"]).fit(
        frame, labels, sample_weight=np.ones(len(labels)), seed=SEED
    )
    model.save(Path(folder) / "there")


def _refuse_pickle(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a model was loaded with pickle, which runs whatever code the file holds")
