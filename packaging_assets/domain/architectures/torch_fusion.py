"""A small neural network with one branch per kind of feature, joined late (text + embedding + tabular), in PyTorch.

Texts are the mean of learned word vectors, embeddings pass a layer of their own, categories get learned vectors beside
the numbers; what the branches make of them is joined, and two layers decide. It follows the shape of Meiyappan and
Bales, "Reducing Amazon's packaging waste using multimodal deep learning" (2021), with the embedding instead of a
picture and a bag of words instead of FastText.

PyTorch is in the extra `torch`, and is imported when a model is made, trained or loaded. One thread and deterministic
kernels make equal training give equal bytes. PyTorch sets these for the process, so one model at a time uses them.
"""

# pyright: reportMissingImports=false
# PyTorch is an extra; where the types are checked it need not be installed.

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.architectures import DEFAULT_KINDS, NEEDED_EXTRAS, ArchitectureError
from packaging_assets.domain.architectures.bag_of_words import PreparedTexts
from packaging_assets.domain.architectures.columns import check_columns, read_description, write_description
from packaging_assets.domain.architectures.estimator_importance import importance_by_shifting
from packaging_assets.domain.architectures.fusion_inputs import FusionArrays, FusionInputs
from packaging_assets.domain.architectures.parameters import check_number, check_whole_number, with_defaults
from packaging_assets.domain.features import FeatureSet

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS_FILE = "network.safetensors"
DESCRIPTION_FILE = "network.json"

DEFAULTS: Mapping[str, Any] = {
    "epochs": 10,
    "batch_size": 256,
    "learning_rate": 0.002,
    "weight_decay": 0.01,
    "dropout": 0.3,
    "width": 64,
    "words": 300,
}

WHOLE_NUMBERS = ("epochs", "batch_size", "width", "words")

CATEGORY_WIDTH = 8
"""Length of the vector learned for a value of a category."""

ROWS_PER_BLOCK = 4_096
"""Rows scored at a time, the last ones filled up to as many: kernels choose how to add by the number of rows, so blocks
of one size make a row's score the same whatever rows are beside it."""


class TorchFusionArchitecture:
    """The late-fusion network behind the platform's interface.

    Its parameters: `epochs`, `batch_size`, `learning_rate`, `weight_decay` and `dropout` of the training (AdamW);
    `width` of the layers; `words` chosen of all texts together.
    """

    name = "torch_fusion"
    feature_kinds = DEFAULT_KINDS | {"text"}

    def __init__(self, features: FeatureSet, parameters: Mapping[str, Any]) -> None:
        _import_torch()
        self._parameters = _check_parameters(parameters)
        self._features = features
        self._inputs: FusionInputs | None = None
        self._network: Any = None
        self._importance: dict[str, float] = {}

    def fit(
        self, X: pd.DataFrame, y: npt.NDArray[np.int8], *, sample_weight: npt.NDArray[np.float64], seed: int
    ) -> Self:
        """Train for a fixed number of epochs; see `Architecture.fit`."""
        prepared = self.prepare(X)
        words = self._parameters["words"]
        self._inputs = FusionInputs.learn(prepared, self._features, y, sample_weight, words=words)
        with _reproducible(seed) as torch:
            self._network = _build(torch, self._inputs, self._parameters)
            arrays = self._inputs.arrays(prepared)
            _train(torch, self._network, arrays, y, sample_weight, self._parameters, seed=seed)
        self._importance = importance_by_shifting(lambda rows: self.predict_proba(self.prepare(rows))[:, 1], X)
        return self

    def prepare(self, X: pd.DataFrame) -> PreparedTexts:
        """The frame with its texts split into words, which every model of this class can look up in its vocabulary."""
        check_columns(X, self._features)
        return PreparedTexts(X, self._features)

    def predict_proba(self, prepared: PreparedTexts) -> npt.NDArray[np.float64]:
        """Probabilities of shape (rows, 2): unsuitable, suitable."""
        arrays = self._fitted().arrays(prepared)
        rows = len(prepared.frame)
        suitable = np.empty(rows)
        with _reproducible(0) as torch, torch.inference_mode():
            self._network.eval()
            for first in range(0, rows, ROWS_PER_BLOCK):
                block = np.arange(first, first + ROWS_PER_BLOCK)
                logits = _forward(torch, self._network, arrays.take(np.minimum(block, rows - 1)))
                suitable[first : first + ROWS_PER_BLOCK] = torch.sigmoid(logits.double()).numpy()[: rows - first]
        return np.column_stack([1 - suitable, suitable])

    def save(self, folder: Path) -> None:
        """Write network.safetensors and network.json."""
        inputs = self._fitted()
        _, safetensors = _import_torch()
        (folder / WEIGHTS_FILE).write_bytes(safetensors.save(self._network.state_dict()))
        write_description(
            folder / DESCRIPTION_FILE,
            self._features,
            feature_importance=self._importance,
            inputs=inputs.model_dump(mode="json"),
            parameters=self._parameters,
        )

    @classmethod
    def load(cls, folder: Path, features: FeatureSet) -> Self:
        """The model that `save` wrote.

        Raises:
            ArchitectureError: a file is absent or unreadable, or PyTorch is not installed.
            FeatureError: the model was trained on other columns than `features`.
        """
        saved = read_description(folder / DESCRIPTION_FILE, features, ("feature_importance", "inputs", "parameters"))
        architecture = cls(features, saved["parameters"])
        architecture._inputs = FusionInputs.model_validate(saved["inputs"])
        architecture._importance = {column: saved["feature_importance"][column] for column in features.columns}
        _, safetensors = _import_torch()
        with _reproducible(0) as torch:  # the weights to begin with take random numbers from whoever trains meanwhile
            architecture._network = _build(torch, architecture._inputs, architecture._parameters)
        try:
            weights = safetensors.load((folder / WEIGHTS_FILE).read_bytes())
            architecture._network.load_state_dict(weights)
        except Exception as error:  # safetensors raises its own, PyTorch RuntimeError, the file system OSError
            raise ArchitectureError(
                f"{folder / WEIGHTS_FILE} does not hold the network ({error}); train it again"
            ) from error
        return architecture

    def feature_importance(self) -> dict[str, float]:
        """Mean change of the probability when a column is shifted by half the rows, in percent of all columns'."""
        return dict(self._importance)

    def _fitted(self) -> FusionInputs:
        if self._inputs is None:
            raise ArchitectureError("the torch_fusion model has no network yet; fit or load it first")
        return self._inputs


def _check_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    name = TorchFusionArchitecture.name
    given = with_defaults(name, parameters, DEFAULTS)
    for key in WHOLE_NUMBERS:
        check_whole_number(name, key, given[key])
    check_number(name, "learning_rate", given["learning_rate"], above=0)
    check_number(name, "weight_decay", given["weight_decay"], above=-1e-12)
    check_number(name, "dropout", given["dropout"], above=-1e-12, below=1)
    return given


def _import_torch() -> tuple[Any, Any]:
    """PyTorch, and safetensors for it."""
    try:
        import safetensors.torch
        import torch
    except ImportError as error:
        installing = NEEDED_EXTRAS["torch_fusion"].installing
        raise ArchitectureError(
            f"architecture 'torch_fusion' needs PyTorch ({error}); install it: {installing}"
        ) from error
    return torch, safetensors.torch


_PYTORCH_OF_THE_PROCESS = threading.Lock()
"""Held by whoever relies on PyTorch's settings and random numbers, since steps run in threads of one process."""


@contextmanager
def _reproducible(seed: int) -> Generator[Any]:
    """PyTorch with one thread, deterministic kernels and a seed of its own; as it was before, afterwards.

    One thread of the process at a time has it so. It is not to be entered again from within.
    """
    torch, _ = _import_torch()
    with _PYTORCH_OF_THE_PROCESS:
        threads, was_deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            torch.set_num_threads(1)
            torch.use_deterministic_algorithms(True)  # noqa: FBT003 - PyTorch's own signature
            try:
                yield torch
            finally:
                torch.set_num_threads(threads)
                torch.use_deterministic_algorithms(was_deterministic)


def _build(torch: Any, inputs: FusionInputs, parameters: Mapping[str, Any]) -> Any:
    """One module per branch, and `head`; a kind of feature that is not there has no branch."""
    nn, width = torch.nn, parameters["width"]
    branches: dict[str, Any] = {}
    tabular = 2 * len(inputs.tabular.mean) + CATEGORY_WIDTH * len(inputs.categories)
    if inputs.words:
        branches["text"] = nn.EmbeddingBag(inputs.words, width, mode="mean")
    if inputs.embedding.mean:
        branches["embedding"] = nn.Sequential(nn.Linear(len(inputs.embedding.mean), width), nn.ReLU())
    if inputs.categories:
        sizes = [len(values) + 1 for values in inputs.categories]
        branches["categories"] = nn.ModuleList([nn.Embedding(size, CATEGORY_WIDTH) for size in sizes])
    if tabular:
        branches["tabular"] = nn.Sequential(nn.Linear(tabular, width), nn.ReLU())
    joined = width * len(branches.keys() - {"categories"})
    dropout = parameters["dropout"]
    branches["head"] = nn.Sequential(
        nn.Dropout(dropout), nn.Linear(joined, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1)
    )
    return nn.ModuleDict(branches)


def _forward(torch: Any, network: Any, arrays: FusionArrays) -> Any:
    """Logits of the rows, shape (rows,)."""
    joined: list[Any] = []
    if "text" in network:
        joined.append(network["text"](torch.from_numpy(arrays.words), torch.from_numpy(arrays.first_word[:-1])))
    if "embedding" in network:
        joined.append(network["embedding"](torch.from_numpy(arrays.embedding)))
    if "tabular" in network:
        values = [torch.from_numpy(arrays.tabular)]
        if "categories" in network:
            codes = torch.from_numpy(arrays.categories)
            values += [vectors(codes[:, place]) for place, vectors in enumerate(network["categories"])]
        joined.append(network["tabular"](torch.cat(values, dim=1)))
    return network["head"](torch.cat(joined, dim=1)).squeeze(1)


def _train(
    torch: Any,
    network: Any,
    arrays: FusionArrays,
    y: npt.NDArray[np.int8],
    weight: npt.NDArray[np.float64],
    parameters: Mapping[str, Any],
    *,
    seed: int,
) -> None:
    """AdamW with a learning rate that falls to 0 (one cycle), on shuffled batches."""
    rows, size = len(y), parameters["batch_size"]
    order = np.random.default_rng(seed)
    labels = torch.from_numpy(y.astype(np.float32))
    weights = torch.from_numpy((weight / weight.mean()).astype(np.float32))
    rate = parameters["learning_rate"]
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=parameters["weight_decay"])
    steps = parameters["epochs"] * -(-rows // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=max(steps, 2))
    network.train()
    for _ in range(parameters["epochs"]):
        shuffled = order.permutation(rows)
        for first in range(0, rows, size):
            batch = shuffled[first : first + size]
            logits = _forward(torch, network, arrays.take(batch))
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels[batch], reduction="none")
            optimiser.zero_grad()
            (losses * weights[batch]).mean().backward()
            optimiser.step()
            schedule.step()
