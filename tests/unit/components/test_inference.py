"""What predictions are made by, and when they are refused."""

import pytest
from registered_versions import register

from packaging_assets.components.inference import (
    FailedCheckError,
    architecture_modules,
    predict_model,
    refuse_failed_checks,
)
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.domain.architectures import architecture_module
from packaging_assets.domain.gate_findings import Severity
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.domain.verdicts import CheckOutcome, Verdict
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

MODELS = ModelSet.of([ModelSpec(package_type="mailer", suitable_from=0.4)])


def version(registry: SqliteModelRegistry, **metrics: object) -> ModelVersion:
    return register(registry, "mailer", "2025-01-06", metrics=metrics)


def verdict(*checks: tuple[str, bool, Severity]) -> Verdict:
    outcomes = tuple(
        CheckOutcome(
            name=name,
            is_passed=is_passed,
            severity=severity,
            value=None,
            limit=None,
            standard_error=None,
            rows=None,
            sentence=f"{name} is wrong.",
            remedy="Look.",
        )
        for name, is_passed, severity in checks
    )
    return Verdict(outcome="approve", checks=outcomes, failures=(), warnings=())


def test_a_version_is_applied_with_its_models_threshold_and_its_own_number(registry: SqliteModelRegistry) -> None:
    applied = predict_model(MODELS, version(registry))
    assert (applied.package_type, applied.model, applied.version) == ("mailer", "mailer", 1)
    assert (applied.threshold, applied.input_name) == (0.4, "model_mailer")


def test_the_code_that_scores_is_that_of_the_version_and_of_what_it_feeds_from(registry: SqliteModelRegistry) -> None:
    fed = version(registry, architectures=["stacked", "catboost"])
    assert architecture_modules(MODELS, [fed]) == [architecture_module("catboost"), architecture_module("stacked")]


def test_a_version_of_before_architectures_were_recorded_scores_by_its_models(registry: SqliteModelRegistry) -> None:
    own = MODELS.specs["mailer"].architecture
    assert architecture_modules(MODELS, [version(registry)]) == [architecture_module(own)]


def test_a_warning_refuses_nothing() -> None:
    refuse_failed_checks("daily/inventory", "2025-01-06", verdict(("few_rows", False, "WARN"), ("fine", True, "ERROR")))


def test_what_failed_with_an_error_is_named_alone() -> None:
    checks = verdict(("few_rows", False, "WARN"), ("fine", True, "ERROR"), ("units", False, "ERROR"))
    with pytest.raises(FailedCheckError) as error:
        refuse_failed_checks("daily/inventory", "2025-01-06", checks)
    assert str(error.value) == (
        "daily/inventory for 2025-01-06 failed 1 check(s), so no predictions were loaded and the last ones keep "
        "serving. Check units: units is wrong. Look. If the products are right as they are, train a week that holds "
        "such products, or widen the model's limits under `gates` in its YAML."
    )
