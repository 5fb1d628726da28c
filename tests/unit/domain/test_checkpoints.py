"""A training that is interrupted goes on from its last checkpoint, and its model has the bytes it would have had."""

import shutil
import subprocess
import sys
from pathlib import Path

import catboost
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain.checkpoints import checkpoint_folder, checkpoints_in
from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.models import TrainParams, train

ROWS, ITERATIONS, KILLED_AT = 400, 60, 40

KILLED_TRAINING = """
import os, sys
from pathlib import Path
import catboost
from packaging_assets.domain.architectures import catboost as module
from packaging_assets.domain.checkpoints import checkpoints_in
from packaging_assets.domain.models import TrainParams, train

class Kill:
    def after_iteration(self, info):
        if info.iteration == int(sys.argv[3]):
            os._exit(9)
        return True

class Killed(catboost.CatBoostClassifier):
    def fit(self, pool, callbacks):
        return super().fit(pool, callbacks=[Kill()])

folder = Path(sys.argv[1])
catboost.CatBoostClassifier, module.SNAPSHOT_SECONDS = Killed, 0
output = folder / "killed"
output.mkdir()
with checkpoints_in(folder / "checkpoints"):
    train({name: folder / name for name in ("features", "split")}, TrainParams.model_validate_json(sys.argv[2]), output)
"""


def write_inputs(folder):
    random = np.random.default_rng(0)
    weight = random.normal(size=ROWS)
    ids = [f"p{row:04d}" for row in range(ROWS)]
    features = {
        "product_id": ids,
        "updated_at": pa.array(np.full(ROWS, np.datetime64("2025-01-06")), pa.timestamp("us")),
        "weight_kg": weight,
        "length_cm": random.normal(size=ROWS),
        "title": random.choice(["red mug", "blue mug", "red hat"], ROWS).tolist(),
        "category": random.choice(["toys", "tools", "cups"], ROWS).tolist(),
    }
    labels = (weight + random.normal(size=ROWS) < 0).astype(np.int8)
    for name, content in (
        ("features/part-00000", features),
        ("split/train", {"product_id": ids, "label": labels, "weight": random.uniform(0.5, 2, ROWS)}),
    ):
        path = folder / f"{name}.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table(content), path)
    return {name: folder / name for name in ("features", "split")}


def params_for(architecture):
    text = ("title",) if architecture == "catboost_multimodal" else ()
    return TrainParams(
        package_type="box",
        architecture=architecture,
        parameters={"iterations": ITERATIONS, "random_strength": 1, "bootstrap_type": "Bayesian"},
        features=FeatureSet(numeric=("weight_kg", "length_cm"), categorical=("category",), text=text),
        seed=5,
    )


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def trained(inputs, params, output):
    output.mkdir()
    train(inputs, params, output)
    return files_of(output)


@pytest.mark.parametrize("architecture", ["catboost", "catboost_multimodal"])
def test_a_training_that_was_killed_goes_on_and_gives_the_same_bytes(architecture, tmp_path, monkeypatch):
    inputs, params = write_inputs(tmp_path), params_for(architecture)
    plain = trained(inputs, params, tmp_path / "plain")
    killed = subprocess.run(  # noqa: S603 - this interpreter, on the text above
        [sys.executable, "-c", KILLED_TRAINING, str(tmp_path), params.model_dump_json(), str(KILLED_AT)], check=False
    )
    assert killed.returncode == 9
    assert files_of(tmp_path / "killed") == {}

    shutil.copytree(tmp_path / "checkpoints", tmp_path / "same")
    with checkpoints_in(tmp_path / "checkpoints"):
        assert trained(inputs, params, tmp_path / "again") == plain

    iterations = []

    class Note:
        def after_iteration(self, info):
            iterations.append(info.iteration)
            return True

    class Noted(catboost.CatBoostClassifier):
        def fit(self, pool, callbacks):
            return super().fit(pool, callbacks=[*callbacks, Note()])

    monkeypatch.setattr(catboost, "CatBoostClassifier", Noted)
    with checkpoints_in(tmp_path / "same"):
        trained(inputs, params, tmp_path / "noted")
    assert (iterations[0], iterations[-1]) == (KILLED_AT, ITERATIONS)


def test_another_training_finds_no_checkpoint_of_this_one(tmp_path):
    inputs, params = write_inputs(tmp_path), params_for("catboost")
    other = params.model_copy(update={"seed": 6})
    plain = trained(inputs, other, tmp_path / "plain")
    with checkpoints_in(tmp_path / "checkpoints"):
        trained(inputs, params, tmp_path / "first")
        assert trained(inputs, other, tmp_path / "second") == plain
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_without_a_place_for_them_none_are_kept_and_no_name_is_asked_for(tmp_path):
    def never():
        raise AssertionError("asked for a name")

    assert checkpoint_folder(never) is None
    with checkpoints_in(None):
        assert checkpoint_folder(never) is None
    with checkpoints_in(tmp_path):
        assert checkpoint_folder(lambda: "a") == checkpoint_folder(lambda: "a") == Path(tmp_path / "a")
    assert checkpoint_folder(never) is None
