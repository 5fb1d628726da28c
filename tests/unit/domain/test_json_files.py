import pytest

from packaging_assets.domain.json_files import read_json, without_nan, write_json


def test_equal_values_are_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 0.1, "a": [1]})

    assert (tmp_path / "a.json").read_bytes() == b'{\n  "a": [\n    1\n  ],\n  "b": 0.1\n}\n'
    assert read_json(tmp_path / "a.json") == {"a": [1], "b": 0.1}


def test_what_json_cannot_say_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))


def test_a_figure_that_could_not_be_computed_is_null():
    value = {"pr_auc": float("nan"), 1: [float("inf"), 0.5, ("a", None)], "deep": {"rows": 3}}

    assert without_nan(value) == {"pr_auc": None, "1": [None, 0.5, ["a", None]], "deep": {"rows": 3}}
