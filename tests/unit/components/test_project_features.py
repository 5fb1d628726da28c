"""The project's own file of feature sets: what would count for nothing, or instead of something else, is refused."""

from pathlib import Path

import pytest

from packaging_assets.components import project_features
from packaging_assets.domain.feature_sets import FeatureSetError

SETS = project_features.FEATURE_SETS.read_text()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "  measures_only:",
            "  tabular:",
            "sets.yaml is not valid YAML: 'tabular' is given twice, in lines 6 and 8: leave one out",
        ),
        (
            "  catboost_multimodal: multimodal",
            "  catboost_multimodel: multimodal",
            "sets.yaml: defaults: there is no architecture 'catboost_multimodel'; did you mean 'catboost_multimodal'?",
        ),
        (
            "  stacked: none",
            "  stacked: none\n  xgb: default",
            "sets.yaml: defaults: there is no architecture 'xgb'; use one of catboost, catboost_multimodal, ",
        ),
    ],
)
def test_a_slip_in_the_file_of_sets_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, message: str
):
    assert read(tmp_path, monkeypatch, SETS).sets == project_features.project_features().sets
    with pytest.raises(FeatureSetError) as caught:
        read(tmp_path, monkeypatch, SETS.replace(before, after))
    assert str(caught.value).startswith(message)


def test_a_class_of_one_s_own_may_have_a_default_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = SETS.replace("  stacked: none", "  stacked: none\n  my_team.models:Transformer: multimodal")
    assert read(tmp_path, monkeypatch, own).default_of("my_team.models:Transformer") == "multimodal"


def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sets: str):
    """What the process would read of the project if its file of sets said this."""
    file = tmp_path / "sets.yaml"
    file.write_text(sets)
    with monkeypatch.context() as patch:
        patch.setattr(project_features, "FEATURE_SETS", file)
        patch.setattr(project_features, "PROJECT_ROOT", tmp_path)
        dbt = tmp_path / "product_features.yml"
        dbt.write_bytes(project_features.PRODUCT_FEATURES.read_bytes())
        patch.setattr(project_features, "PRODUCT_FEATURES", dbt)
        return project_features.project_features.__wrapped__()
