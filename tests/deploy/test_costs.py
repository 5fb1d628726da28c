"""The table of costs is that of the figures beside it."""

import dataclasses
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def costs() -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("deploy_costs", ROOT / "deploy" / "costs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_documentation_has_the_table(costs: ModuleType):
    assert costs.table(costs.Figures()) in (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")


def test_measured_figures_are_those_that_were_measured(costs: ModuleType):
    measured = json.loads((ROOT / "benchmarks" / "results" / "architectures.json").read_text(encoding="utf-8"))
    types = measured["architectures"]["catboost_multimodal"].values()
    slowest = min(figures["rows_per_second_per_core"] for figures in types)

    assert costs.Figures().rows_per_core_second == pytest.approx(slowest, rel=0.01)


def test_a_job_with_nothing_to_do_costs_its_start(costs: ModuleType):
    figures = dataclasses.replace(costs.Figures(), start_seconds=180.0)

    assert costs.job_hours(0.0, figures) == (180 / 3600, 180 / 3600)


def test_a_long_job_gets_as_many_machines_as_keep_it_short(costs: ModuleType):
    figures = dataclasses.replace(costs.Figures(), cores=4, use_of_cores=0.5, largest_job_hours=1.0, start_seconds=0.0)

    # 10 hours on one machine with two useful cores.
    billed, takes = costs.job_hours(10 * 2 * 3600.0, figures)

    assert billed == pytest.approx(10.0)
    assert takes <= 1.0


def test_warehouse_and_storage_grow_with_the_products_and_services_do_not(costs: ModuleType):
    small, large = (costs.month(millions, costs.Figures()) for millions in (10, 100))

    for part in ("warehouse at work (Redshift)", "storage (S3, Redshift)", "S3 requests"):
        assert large[part] == pytest.approx(10 * small[part]), part
    assert large["services (Fargate)"] == small["services (Fargate)"]


def test_every_job_of_a_month_is_billed_its_start_at_least(costs: ModuleType):
    figures = dataclasses.replace(costs.Figures(), models=4, start_seconds=3600.0, job_hour=1.0)

    inventories_and_predictions = 2 * (costs.DAYS + 1)
    labels_and_features, split_train_evaluate = 2, 3
    assert costs.scoring(0.0, figures) == pytest.approx(inventories_and_predictions)
    assert costs.training(0.0, figures) == pytest.approx(costs.WEEKS * (labels_and_features + 4 * split_train_evaluate))
    assert costs.run_hours(0.0, figures) == pytest.approx(costs.scoring(0.0, figures) + costs.training(0.0, figures))


def test_prices_can_be_replaced_and_unknown_ones_are_refused(costs: ModuleType, tmp_path: Path):
    given = tmp_path / "figures.json"
    given.write_text('{"rpu_hour": 0.5}')
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"rpu_hours": 0.5}')

    assert costs.Figures.replaced_by(given).rpu_hour == 0.5
    with pytest.raises(ValueError, match=r"rpu_hours, which is no figure of costs\.py"):
        costs.Figures.replaced_by(wrong)
