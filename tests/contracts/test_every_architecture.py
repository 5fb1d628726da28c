"""The contract on every architecture that comes with the platform."""

import importlib.util
from typing import ClassVar

import pytest

from packaging_assets.domain.architectures import BUILT_IN
from packaging_assets.testing.architecture_contract import ArchitectureContract, is_pickle

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra `torch`")


class TestCatBoost(ArchitectureContract):
    architecture = "catboost"
    parameters: ClassVar = {"iterations": 200}


class TestCatBoostMultimodal(ArchitectureContract):
    architecture = "catboost_multimodal"
    parameters: ClassVar = {"iterations": 200}


class TestSklearn(ArchitectureContract):
    architecture = "sklearn"
    parameters: ClassVar = {"parameters": {"max_iter": 20}}


class TestSklearnForest(ArchitectureContract):
    architecture = "sklearn"
    parameters: ClassVar = {"estimator": "sklearn.ensemble.RandomForestClassifier", "parameters": {"n_estimators": 50}}


class TestSklearnLogisticRegression(ArchitectureContract):
    architecture = "sklearn"
    parameters: ClassVar = {"estimator": "sklearn.linear_model.LogisticRegression"}
    tolerance = 1e-9


class TestStacked(ArchitectureContract):
    architecture = "stacked"
    is_seeded = False


@needs_torch
class TestTorchFusion(ArchitectureContract):
    architecture = "torch_fusion"


def test_no_architecture_is_left_out():
    tested = {contract.architecture for contract in ArchitectureContract.__subclasses__()}

    assert set(BUILT_IN) <= tested


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("model.pkl", b"", True),
        ("model.cbm", b"\x80\x04\x95", True),
        ("model.cbm", b"CBM1", False),
        ("model.json", b"{}", False),
    ],
)
def test_a_pickle_is_known_by_its_name_or_its_first_bytes(name, content, expected):
    assert is_pickle(name, content) is expected
