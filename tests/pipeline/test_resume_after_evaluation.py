"""An evaluation of one type that fails: the other types finish, and going on trains nothing again."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import BaseModel
from small_retailer import WEEKS, Home

from packaging_assets.artifacts.job import JobFacts, JobResources
from packaging_assets.artifacts.step import Input, Step, Tell
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.resources.compute import InProcessCompute
from packaging_assets.runner import JobFailedError, JobRunner

WEEK = WEEKS[1]
AFTER_EVALUATION = {"model_card", "registered_model", "champion"}


class WatchedCompute:
    """This process, but for one asset's step, which raises; `computed` names the assets whose steps were run."""

    def __init__(self, failing: str | None, computed: list[str] | None = None, asset: str = "") -> None:
        self._failing = failing
        self.computed: list[str] = [] if computed is None else computed
        self._asset = asset

    def using(
        self,
        resources: JobResources | None,  # noqa: ARG002 - as every compute is asked
        *,
        tags: Mapping[str, str],
        tell: Tell | None = None,  # noqa: ARG002 - as above
    ) -> "WatchedCompute":
        return WatchedCompute(self._failing, self.computed, tags["packaging:asset"])

    def run(
        self,
        step: Step,
        inputs: Mapping[str, Input],
        params: BaseModel,
        output: Path,
        *,
        scratch: Path,
        fingerprint: str,
        extra_modules: Sequence[str] = (),
    ) -> Any:
        if self._asset == self._failing:
            raise ValueError("no memory left to evaluate with")
        self.computed.append(self._asset)
        return InProcessCompute().run(
            step, inputs, params, output, scratch=scratch, fingerprint=fingerprint, extra_modules=extra_modules
        )

    def release(self, job: JobFacts) -> None:
        raise AssertionError(f"There is no job, and {job.name} is released.")


def steps(runner: JobRunner, run_id: str, kind: dg.DagsterEventType) -> set[str]:
    return {str(event.step_key).replace("__", "/") for event in runner.instance.all_logs(run_id, of_type=kind)}


def latest(runner: JobRunner) -> dg.DagsterRun:
    return runner.instance.get_runs(limit=1)[0]


def forget_evaluations(home: Home) -> None:
    """As if the week's models had been trained and not evaluated."""
    for name in PACKAGE_TYPES:
        shutil.rmtree(home.folder / "artifacts" / name / "metrics" / WEEK)


def watched(home: Home, failing: str | None = None) -> tuple[JobRunner, WatchedCompute]:
    compute = WatchedCompute(failing)
    return JobRunner.for_home(home.settings, resource_overrides={"compute": compute}), compute


def test_one_evaluation_raises_the_others_finish_and_a_retry_does_what_is_missing(home: Home, retailer: Home) -> None:
    forget_evaluations(home)
    runner, compute = watched(home, failing="box/metrics")
    with pytest.raises(JobFailedError, match="box/metrics: no memory left to evaluate with") as failed:
        runner.run("weekly", first=WEEK)
    assert len(failed.value.failures) == 1
    assert sorted(compute.computed) == ["bag/metrics", "mailer/metrics", "sioc/metrics"]
    done = steps(runner, latest(runner).run_id, dg.DagsterEventType.STEP_SUCCESS)
    for name in ("mailer", "bag", "sioc"):
        assert {f"{name}/{asset}" for asset in ("metrics", *AFTER_EVALUATION)} <= done
    assert not {f"box/{asset}" for asset in ("metrics", *AFTER_EVALUATION)} & done

    runner, compute = watched(home)
    runner.retry("last")
    started = steps(runner, latest(runner).run_id, dg.DagsterEventType.STEP_START)
    assert {step for step in started if "/" in step} == {"box/metrics", *(f"box/{asset}" for asset in AFTER_EVALUATION)}
    assert compute.computed == ["box/metrics"]
    assert home.artifacts() == retailer.artifacts()
    assert home.registry.versions() == retailer.registry.versions()
