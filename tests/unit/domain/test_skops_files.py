import io
import json
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.skops_files import read_estimator, write_estimator

VALUES = np.linspace(0, 1, 40).reshape(20, 2)


def double(values):
    return 2 * values


def test_an_estimator_is_read_as_it_was_written(tmp_path):
    forest = RandomForestClassifier(5, random_state=1).fit(VALUES, np.arange(20) % 2)

    write_estimator(forest, tmp_path / "a.skops")

    assert (read_estimator(tmp_path / "a.skops").predict_proba(VALUES) == forest.predict_proba(VALUES)).all()


def test_equal_estimators_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_estimator(StandardScaler().fit(VALUES), tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_how_many_threads_a_machine_gave_to_training_is_not_kept(tmp_path):
    boosting = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2, random_state=1)
    boosting.fit(VALUES, np.arange(20) % 2)
    files = []
    for threads in (1, 2, 64):
        boosting._bin_mapper.n_threads = threads
        files.append(tmp_path / str(threads))
        write_estimator(boosting, files[-1])

    assert len({file.read_bytes() for file in files}) == 1
    read = read_estimator(files[0])
    assert (read.predict_proba(VALUES) == boosting.predict_proba(VALUES)).all()
    refitted = read.fit(VALUES, np.arange(20) % 2)
    assert (refitted.predict_proba(VALUES) == boosting.predict_proba(VALUES)).all()


def test_neither_times_nor_addresses_are_kept(tmp_path):
    write_estimator(TfidfVectorizer().fit(["a cup", "a mug"]), tmp_path / "a")

    with zipfile.ZipFile(tmp_path / "a") as archive:
        schema = json.loads(archive.read("schema.json"))
        stamps = {info.date_time for info in archive.infolist()}
        names = archive.namelist()
    assert stamps == {(1980, 1, 1, 0, 0, 0)}
    assert max(identities(schema)) < 1_000
    assert names == [*(f"{place}.npy" for place in range(len(names) - 1)), "schema.json"]
    assert read_estimator(tmp_path / "a").transform(["mug"]).toarray().tolist() == [[0, 1]]


def identities(node):
    if isinstance(node, list):
        return [identity for value in node for identity in identities(value)]
    if isinstance(node, dict):
        own = [node["__id__"]] if "__id__" in node else []
        return own + [identity for value in node.values() for identity in identities(value)]
    return []


def test_a_function_of_ones_own_is_refused_when_written(tmp_path):
    with pytest.raises(ArchitectureError, match=r"the fitted FunctionTransformer holds .*\.double: only types of"):
        write_estimator(FunctionTransformer(double), tmp_path / "a")

    assert not (tmp_path / "a").exists()


def test_what_skops_cannot_write_is_refused(tmp_path):
    with pytest.raises(ArchitectureError, match="generator cannot be written by skops"):
        write_estimator((value for value in ()), tmp_path / "a")


def test_a_function_in_a_file_is_refused_by_its_name(tmp_path):
    skops.io.dump(FunctionTransformer(double), tmp_path / "a")

    with pytest.raises(ArchitectureError, match=rf"{tmp_path}/a holds .*\.double: only types of scikit-learn, numpy"):
        read_estimator(tmp_path / "a")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("sklearn.utils", "os"),  # a module that scikit-learn imports
        ("sklearn.datasets", "load_files"),  # a function of scikit-learn, which unpickles nothing but reads files
        ("sklearn.no_such_module", "Thing"),
        ("sklearn.base", "NoSuchThing"),
        ("sklearn.pipeline", "defaultdict"),  # a class, but not scikit-learn's
    ],
)
def test_what_is_no_class_of_scikit_learn_is_refused(tmp_path, module, name):
    path = tmp_path / "a"
    write_estimator(StandardScaler().fit(VALUES), path)
    path.write_bytes(replace_type(path.read_bytes(), module, name))

    with pytest.raises(ArchitectureError, match=rf"holds {module}\.{name}: only types"):
        read_estimator(path)


def replace_type(content, module, name):
    """The same file, in which the estimator says that it is something else."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        schema = json.loads(source.read("schema.json"))
        schema["__module__"], schema["__class__"] = module, name
        for member in source.namelist():
            archive.writestr(member, json.dumps(schema) if member == "schema.json" else source.read(member))
    return target.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04\x95"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)

    with pytest.raises(ArchitectureError, match="is not a model that skops can load"):
        read_estimator(tmp_path / "a")


def test_a_file_that_is_absent_is_refused(tmp_path):
    with pytest.raises(ArchitectureError, match="is not a model that skops can load"):
        read_estimator(tmp_path / "a")
