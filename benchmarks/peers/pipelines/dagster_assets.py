"""Bare Dagster: an asset per step, asset checks left out, with the storage and executors it comes with.

`dagster job execute -f dagster_assets.py -j packaging` runs it, `python dagster_assets.py resume` re-executes the last
run from its failure as https://docs.dagster.io/guides/build/jobs/job-execution and its re-execution guide describe.
"""

import os
import sys
from pathlib import Path

import dagster as dg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import steps

WORK = Path(os.environ["PEER_WORK"])
WAREHOUSE, REGISTRY, DATA = WORK / "warehouse.duckdb", WORK / "registry.db", WORK / "data"


@dg.asset
def labels() -> None:
    steps.labels(WAREHOUSE, DATA / "labels")


@dg.asset
def features() -> None:
    steps.features(WAREHOUSE, DATA / "features")


def assets_of(name: str) -> list[dg.AssetsDefinition]:
    """The chain of one package type."""
    own = DATA / name

    @dg.asset(key_prefix=name, deps=[labels, features])
    def split() -> None:
        steps.split(DATA / "labels", DATA / "features", name, own / "split")

    @dg.asset(key_prefix=name, deps=[split])
    def model() -> None:
        steps.train(own / "split", own / "model")

    @dg.asset(key_prefix=name, deps=[split, model])
    def evaluation() -> None:
        steps.evaluate(own / "split", own / "model", name, own / "evaluation")

    @dg.asset(key_prefix=name, deps=[evaluation])
    def verdict() -> None:
        steps.judge(own / "evaluation", own / "verdict")

    @dg.asset(key_prefix=name, deps=[model, verdict])
    def version() -> None:
        steps.register(own / "model", own / "verdict", name, REGISTRY, own / "version")

    @dg.asset(key_prefix=name, deps=[version])
    def champion() -> None:
        steps.champion(own / "version", own / "champion")

    return [split, model, evaluation, verdict, version, champion]


@dg.asset
def inventory() -> None:
    steps.inventory(WAREHOUSE, DATA / "inventory")


@dg.asset(deps=[inventory, *(dg.AssetKey([name, "champion"]) for name in steps.PACKAGE_TYPES)])
def predictions() -> None:
    champions = {name: DATA / name / "champion" for name in steps.PACKAGE_TYPES}
    steps.predictions(DATA / "inventory", champions, DATA / "predictions")


packaging = dg.define_asset_job("packaging")
defs = dg.Definitions(
    assets=[
        labels,
        features,
        *(asset for name in steps.PACKAGE_TYPES for asset in assets_of(name)),
        inventory,
        predictions,
    ],
    jobs=[packaging],
)


def packaging_job() -> dg.JobDefinition:
    """For the processes in which the steps run."""
    return defs.resolve_job_def("packaging")


def resume() -> None:
    """Re-execute the last run from its failure.

    A run that was killed counts as under way, and only one that failed or was cancelled can be re-executed: it is
    cancelled as by "force termination" in the UI.
    """
    with dg.DagsterInstance.get() as instance:
        last = instance.get_runs(limit=1)[0]
        if not last.is_finished:
            instance.report_run_canceled(last)
        options = dg.ReexecutionOptions.from_failure(last.run_id, instance)
        result = dg.execute_job(dg.reconstructable(packaging_job), instance, reexecution_options=options)
        sys.exit(0 if result.success else 1)


if __name__ == "__main__":
    resume()
