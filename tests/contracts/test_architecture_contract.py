"""The contract finds the faults that it is there to find."""

import pickle

import numpy as np
import pytest

from packaging_assets.domain.architectures.catboost import CatBoostArchitecture
from packaging_assets.domain.architectures.stacked import StackedArchitecture
from packaging_assets.testing.architecture_contract import ArchitectureContract
from packaging_assets.testing.example_products import as_categories


class Pickled(StackedArchitecture):
    """Keeps a pickle beside its JSON."""

    def save(self, folder):
        super().save(folder)
        (folder / "model.bin").write_bytes(pickle.dumps(self._coefficients))


class Unpickling(Pickled):
    """Reads it, too."""

    @classmethod
    def load(cls, folder, features):
        model = super().load(folder, features)
        model._coefficients = pickle.loads((folder / "model.bin").read_bytes())  # noqa: S301 - the fault
        return model


class Relative(StackedArchitecture):
    """Scores a row by its rank among the rows beside it."""

    def predict_proba(self, prepared):
        suitable = super().predict_proba(prepared)[:, 1].argsort().argsort() / len(prepared)
        return np.column_stack([1 - suitable, suitable])


class Weightless(StackedArchitecture):
    """Takes no notice of weights."""

    def fit(self, X, y, *, sample_weight, seed):
        return super().fit(X, y, sample_weight=np.ones_like(sample_weight), seed=seed)


class Drifting(StackedArchitecture):
    """Is another model every time."""

    trained = 0

    def save(self, folder):
        super().save(folder)
        type(self).trained += 1
        (folder / "count.txt").write_text(str(self.trained))


class Positional(StackedArchitecture):
    """Takes columns in any order."""

    def _numbers(self, X):
        return X.to_numpy(dtype=np.float64)


class Meddling(StackedArchitecture):
    """Changes the frame that it is handed."""

    def prepare(self, X):
        X["score_second"] = np.float32(0.5)
        return super().prepare(X)


class Centring(StackedArchitecture):
    """Prepares rows by what it has learned itself, so that only it can score them."""

    def prepare(self, X):
        return super().prepare(X) - self._middle

    def predict_proba(self, prepared):
        return super().predict_proba(prepared + self._middle)


class Numbered(CatBoostArchitecture):
    """Takes a category for its number, which is another in each file."""

    def fit(self, X, y, *, sample_weight, seed):
        return super().fit(by_number(X), y, sample_weight=sample_weight, seed=seed)

    def prepare(self, X):
        return super().prepare(by_number(X))


def by_number(X):
    numbers = tuple("0123456789")
    categories = X.select_dtypes("category")
    return X.assign(**{name: as_categories(numbers, categories[name].cat.codes.to_numpy()) for name in categories})


def contract_on(faulty, **members):
    members = {"architecture": f"{__name__}:{faulty.__name__}", "is_seeded": False, **members}
    return type(f"On{faulty.__name__}", (ArchitectureContract,), members)()


@pytest.mark.parametrize(
    ("faulty", "test"),
    [
        (Relative, "test_scores_of_a_row_do_not_depend_on_the_rows_beside_it"),
        (Weightless, "test_weights_matter"),
        (Meddling, "test_training_and_scoring_leave_the_frame_as_it_was"),
    ],
)
def test_a_fault_in_training_or_scoring_is_found(faulty, test):
    getattr(contract_on(StackedArchitecture), test)()

    with pytest.raises(AssertionError):
        getattr(contract_on(faulty), test)()


@pytest.mark.parametrize("faulty", [Pickled, Unpickling])
def test_a_pickle_is_found(faulty, tmp_path, monkeypatch):
    with pytest.raises(AssertionError, match=r"model\.bin" if faulty is Pickled else "was loaded with pickle"):
        contract_on(faulty).test_loading_and_scoring_run_no_pickle(tmp_path, monkeypatch)


def test_another_model_every_time_is_found(tmp_path):
    with pytest.raises(AssertionError):
        contract_on(Drifting).test_equal_training_gives_equal_bytes(tmp_path)


def test_columns_taken_by_position_are_found():
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        contract_on(Positional).test_permuted_columns_are_refused()


def test_rows_prepared_by_what_one_model_has_learned_are_found():
    sharing = "test_prepared_rows_are_shared_by_models_on_the_same_features"
    getattr(contract_on(StackedArchitecture), sharing)()

    with pytest.raises(AssertionError):
        getattr(contract_on(Centring), sharing)()


def test_categories_taken_by_their_number_are_found():
    numbering = "test_scores_do_not_depend_on_how_categories_are_numbered"
    few = {"parameters": {"iterations": 20}}
    getattr(contract_on(CatBoostArchitecture, **few), numbering)()

    with pytest.raises(AssertionError):
        getattr(contract_on(Numbered, **few), numbering)()
