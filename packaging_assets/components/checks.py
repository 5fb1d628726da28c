"""Asset checks from a verdict: the same for candidates, inventories and predictions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from packaging_assets.artifacts.run_step import StepResult
from packaging_assets.components.reasons import as_markdown
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.verdicts import CheckDefinition, CheckOutcome, Verdict

SEVERITIES = {"ERROR": dg.AssetCheckSeverity.ERROR, "WARN": dg.AssetCheckSeverity.WARN}


def check_specs(key: dg.AssetKey, checks: Sequence[CheckDefinition]) -> list[dg.AssetCheckSpec]:
    """What Dagster shows of the checks before they are made; none blocks, a failed one is a decision and no crash."""
    return [dg.AssetCheckSpec(check.name, asset=key, description=check.description) for check in checks]


def stored_verdict(folder: Path) -> Verdict:
    """The verdict in an artifact: the one the checks are emitted from, and the one that is acted on."""
    return Verdict.model_validate(read_json(folder / "verdict.json"))


def check_results(verdict: Verdict, result: StepResult) -> list[dg.AssetCheckResult]:
    """The verdict's checks as Dagster records them, with the fingerprint of the artifact they were stored in."""
    return [
        dg.AssetCheckResult(
            check_name=check.name,
            passed=check.is_passed,
            severity=SEVERITIES[check.severity],
            description=as_markdown(check.sentence),
            metadata={**_figures(check), "fingerprint": result.artifact.fingerprint},
        )
        for check in verdict.checks
    ]


def _figures(check: CheckOutcome) -> dict[str, Any]:
    figures = {
        "value": check.value,
        "limit": check.limit,
        "standard_error": check.standard_error,
        "rows": check.rows,
        "remedy": check.remedy,
    }
    return {name: six_digits(figure) for name, figure in figures.items() if figure is not None}


def six_digits(figure: Any) -> Any:
    """A figure as people read it: rounded to six digits if it is a fraction, which are enough to tell figures apart."""
    return float(f"{figure:.6g}") if isinstance(figure, float) and not figure.is_integer() else figure
