import contextlib
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from packaging_assets.domain.architectures import ArchitectureError, feature_kinds, torch_fusion
from packaging_assets.domain.architectures.torch_fusion import DEFAULTS, TorchFusionArchitecture
from packaging_assets.domain.features import FeatureSet
from packaging_assets.testing.example_products import ALL_FEATURES, example_products

QUICK = {"epochs": 1}


def test_without_pytorch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(ArchitectureError, match=r"`uv sync --extra torch`, or `pip install 'packaging-a.*\[torch\]'`"):
        TorchFusionArchitecture(ALL_FEATURES, {})


def test_its_kinds_of_features_are_known_without_pytorch():
    assert feature_kinds(TorchFusionArchitecture) == {"numeric", "embedding", "scores", "categorical", "text"}


class PyTorchOfTheProcess:
    """What PyTorch sets for all threads of a process, without PyTorch."""

    def __init__(self):
        self.threads, self.is_deterministic, self.seed = 4, False, None
        self.random = types.SimpleNamespace(fork_rng=self.fork_rng)

    @contextlib.contextmanager
    def fork_rng(self, devices):
        assert devices == []
        seed = self.seed
        yield
        self.seed = seed

    def get_num_threads(self):
        return self.threads

    def set_num_threads(self, threads):
        self.threads = threads

    def are_deterministic_algorithms_enabled(self):
        return self.is_deterministic

    def use_deterministic_algorithms(self, is_deterministic):
        self.is_deterministic = is_deterministic

    def manual_seed(self, seed):
        self.seed = seed


def test_threads_of_one_process_have_pytorch_one_after_the_other(monkeypatch):
    pytorch = PyTorchOfTheProcess()
    monkeypatch.setattr(torch_fusion, "_import_torch", lambda: (pytorch, None))
    is_inside, may_leave = threading.Event(), threading.Event()
    seen = {}

    def use(seed):
        with torch_fusion._reproducible(seed) as torch:
            is_inside.set()
            assert may_leave.wait(10)
            seen[seed] = (torch.seed, torch.threads, torch.is_deterministic)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(use, 1)
        assert is_inside.wait(10)
        second = pool.submit(use, 2)
        assert wait([second], timeout=0.1).not_done
        assert pytorch.seed == 1
        may_leave.set()
        first.result(10)
        second.result(10)

    assert seen == {1: (1, 1, True), 2: (2, 1, True)}
    assert (pytorch.threads, pytorch.is_deterministic) == (4, False)


def test_pytorch_is_free_again_after_a_failure(monkeypatch):
    pytorch = PyTorchOfTheProcess()
    monkeypatch.setattr(torch_fusion, "_import_torch", lambda: (pytorch, None))

    for _ in range(2):
        with pytest.raises(ValueError, match="no such row"), torch_fusion._reproducible(1):
            raise ValueError("no such row")

    assert (pytorch.threads, pytorch.is_deterministic) == (4, False)


def fit(features=ALL_FEATURES, rows=300, **parameters):
    pytest.importorskip("torch")
    frame, labels = example_products(features, rows=rows)
    model = TorchFusionArchitecture(features, {**QUICK, **parameters})
    return model.fit(frame, labels, sample_weight=np.ones(rows), seed=1), frame


def test_pytorch_is_left_as_it_was():
    torch = pytest.importorskip("torch")
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    expected = torch.rand(1).item()
    torch.manual_seed(5)

    fit()

    assert torch.rand(1).item() == expected
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_loading_takes_no_random_numbers(tmp_path):
    torch = pytest.importorskip("torch")
    fit()[0].save(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(1).item()
    torch.manual_seed(5)

    TorchFusionArchitecture.load(tmp_path, ALL_FEATURES)

    assert torch.rand(1).item() == expected


def test_the_callers_seed_changes_nothing(tmp_path):
    torch = pytest.importorskip("torch")
    saved = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        fit()[0].save(tmp_path)
        saved.append((tmp_path / "network.safetensors").read_bytes())

    assert saved[0] == saved[1]


def test_more_rows_than_a_block_are_scored():
    model, _ = fit()
    frame, _ = example_products(ALL_FEATURES, rows=5_000, seed=2)

    scores = model.predict_proba(model.prepare(frame))

    assert scores.shape == (5_000, 2)
    assert (scores[4_500:] == model.predict_proba(model.prepare(frame.iloc[4_500:]))).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", 0, "whole number from 1 on"),
        ("batch_size", "all", "whole number from 1 on"),
        ("learning_rate", 0, "a number above 0"),
        ("dropout", 1, "between"),
        ("weight_decay", -1, "a number above"),
    ],
)
def test_a_parameter_out_of_bounds_is_refused(name, value, message):
    pytest.importorskip("torch")

    with pytest.raises(ArchitectureError, match=f"torch_fusion parameter '{name}' is {value!r}; give .*{message}"):
        TorchFusionArchitecture(ALL_FEATURES, {name: value})


def test_the_weights_must_be_there_and_fit(tmp_path):
    model, _ = fit()
    model.save(tmp_path)
    (tmp_path / "network.safetensors").write_bytes(b"{}")

    with pytest.raises(ArchitectureError, match=r"network\.safetensors does not hold the network"):
        TorchFusionArchitecture.load(tmp_path, ALL_FEATURES)


def test_a_model_that_is_not_trained_is_refused(tmp_path):
    pytest.importorskip("torch")

    with pytest.raises(ArchitectureError, match="fit or load it first"):
        TorchFusionArchitecture(ALL_FEATURES, dict(DEFAULTS)).save(tmp_path)


def test_a_single_batch_of_one_epoch_trains():
    model, frame = fit(FeatureSet(numeric=("weight_kg",)), rows=40, batch_size=64)

    assert np.isfinite(model.predict_proba(model.prepare(frame))).all()
