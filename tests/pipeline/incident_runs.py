"""One week with an incident, through Dagster: deliveries, warehouse, training, inference; and what became of it.

The first week is run once. An incident changes nothing but its own rows, so every case begins with a copy of that home
and takes in the deliveries of the second week only. All copies lie at one path, so that definitions and dbt's manifest
are loaded once per test process.
"""

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dagster as dg

from packaging_assets.definitions import build_definitions
from packaging_assets.defs.alerts.run_failures import RunReader
from packaging_assets.domain.alerts import Alert
from packaging_assets.home import prepare_home, write_partition_range
from packaging_assets.ingestion.delivery import ingest_file
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, warehouse_for
from packaging_assets.runner import QUIET
from packaging_assets.settings import Settings, load_settings
from packaging_assets.simulator import RetailerConfig, SimulatedRetailer, simulate
from packaging_assets.simulator.incidents import parse_incident

# About 95 tests a week of each package type: enough to tell a half from a whole (z about 4 where 3.29 is asked for).
RETAILER = RetailerConfig(products=8_000, weeks=2)
FIRST_WEEK, WEEK = RETAILER.week_labels
MONTH = "2025-01-01"
# One model whose rarer label is "suitable", and one whose rarer label is "unsuitable".
MODELS = ("mailer", "box")
CHAIN = ("split", "model", "metrics", "registered_model", "champion")


@dataclass(frozen=True)
class Aftermath:
    """What a week came to.

    `fired`: failed checks by asset, name -> severity. `served_by`: model -> the versions whose predictions are in the
    warehouse. `alerts`: what people are told, one message a run. `content`: asset -> content of the week's artifact.
    """

    refused: tuple[str, ...]
    fired: Mapping[str, Mapping[str, str]]
    verdicts: Mapping[str, str]
    champions: Mapping[str, int]
    served_by: Mapping[str, tuple[int, ...]]
    is_load_stopped: bool
    alerts: tuple[Alert, ...]
    content: Mapping[str, str]

    def gates(self, model: str) -> Mapping[str, str]:
        """The gates that failed for a model."""
        return self.fired.get(f"{model}/metrics", {})


class IncidentHome:
    """A home at one path, set back to the end of the first week for every case."""

    def __init__(self, folder: Path, base: Path) -> None:
        self._home = folder / "home"
        self._simulated = folder / "simulated"
        self._base = base
        self._known: dict[str, Aftermath] = {}

    @cached_property
    def _settings(self) -> Settings:
        return load_settings(self._home)

    @cached_property
    def _definitions(self) -> dg.Definitions:
        return build_definitions(self._settings)

    def prepare_base(self) -> None:
        """Run the first week: its models are the champions, and the warehouse holds their predictions."""
        retailer = self._simulate("")
        write_partition_range(load_settings(self._home), first_week=retailer.first_week, last_day=retailer.last_day)
        prepare_home(self._settings)
        assert self._ingest(retailer, ("history", FIRST_WEEK)) == []
        sunday = (dt.date.fromisoformat(WEEK) - dt.timedelta(days=1)).isoformat()
        with dg.DagsterInstance.ephemeral() as instance:
            built, trained = self._build(instance, FIRST_WEEK), self._train(instance, FIRST_WEEK)
            scored = self._run(instance, ["daily/inventory", "daily/predictions"], sunday)
            for result in (built, trained, scored):
                assert result.success, [event.event_specific_data for event in result.all_events if event.is_failure]
        # Complete or not there at all: another test process may be waiting for it.
        unfinished = self._base.with_suffix(".unfinished")
        shutil.copytree(self._home, unfinished)
        unfinished.rename(self._base)

    def suffer(self, incident: str) -> Aftermath:
        """Run the second week with an incident (`kind` or `kind:share`), or without one if it is empty; once each."""
        if incident not in self._known:
            self._known[incident] = self._suffer(incident)
        return self._known[incident]

    def _suffer(self, incident: str) -> Aftermath:
        shutil.rmtree(self._home, ignore_errors=True)
        shutil.copytree(self._base, self._home)
        refused = self._ingest(self._simulate(incident), (WEEK,))
        with dg.DagsterInstance.ephemeral() as instance:
            built, trained = self._build(instance, WEEK), self._train(instance, WEEK)
            scored = self._run(instance, ["monthly/inventory", "monthly/predictions"], MONTH)
            alerts = [self._alert(instance, result) for result in (built, trained, scored)]
        assert built.success
        assert trained.success
        registry = model_registry_for(self._settings)
        champions = {model: registry.champion(model) for model in MODELS}
        return Aftermath(
            refused=tuple(refused),
            fired=_failed_checks([built, trained, scored]),
            verdicts={
                version.model: version.verdict for version in registry.versions() if version.training_week == WEEK
            },
            champions={model: version.version for model, version in champions.items() if version},
            served_by=self._served_by(),
            is_load_stopped=not scored.success,
            alerts=tuple(alert for alert in alerts if alert),
            content=self._content(),
        )

    def _simulate(self, incident: str) -> SimulatedRetailer:
        kind, _, share = incident.partition(":")
        asked = [parse_incident(f"{kind}@2:{share}" if share else f"{kind}@2")] if kind else []
        return simulate(RETAILER.model_copy(update={"incidents": tuple(asked)}), self._simulated)

    def _ingest(self, retailer: SimulatedRetailer, weeks: Sequence[str]) -> list[str]:
        """Take in the weeks' files as the demo does: a refused file does not stop those beside it."""
        refused: list[str] = []
        warehouse, share = warehouse_for(self._settings), self._settings.max_bad_row_share
        files = [file for delivery in retailer.deliveries if delivery.week in weeks for file in delivery.files.items()]
        for table, path in files:
            try:
                ingest_file(warehouse, table, path, max_bad_row_share=share, clock=SystemClock())
            except IngestionError as error:
                refused.append(str(error))
        return refused

    def _build(self, instance: dg.DagsterInstance, week: str) -> dg.ExecuteInProcessResult:
        last = dt.date.fromisoformat(week) + dt.timedelta(days=6)
        window = {"dagster/asset_partition_range_start": week, "dagster/asset_partition_range_end": last.isoformat()}
        job = self._definitions.resolve_job_def("warehouse")
        return job.execute_in_process(instance=instance, tags=window, run_config=QUIET, raise_on_error=False)

    def _train(self, instance: dg.DagsterInstance, week: str) -> dg.ExecuteInProcessResult:
        chains = [f"{model}/{asset}" for model in MODELS for asset in CHAIN]
        return self._run(instance, ["labels", "features", *chains], week)

    def _run(self, instance: dg.DagsterInstance, assets: Sequence[str], partition: str) -> dg.ExecuteInProcessResult:
        job = self._definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset.split("/")) for asset in assets],
            partition_key=partition,
            run_config=QUIET,
            raise_on_error=False,
        )

    def _alert(self, instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> Alert | None:
        """What people are told of the run."""
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        graph = self._definitions.resolve_asset_graph()
        reader = RunReader(instance, lambda key: tuple(graph.get(key).owners), lambda _model, _week: None, "http://ui")
        return reader.alert(run)

    def _served_by(self) -> dict[str, tuple[int, ...]]:
        served = "select distinct package_type, model_version from ml.predictions order by package_type, model_version"
        rows = warehouse_for(self._settings).fetch(served, {})
        return {
            model: tuple(int(row["model_version"]) for row in rows if row["package_type"] == model) for model in MODELS
        }

    def _content(self) -> dict[str, str]:
        store = artifact_store_for(self._settings)
        names = ["labels", "features", *(f"{model}/metrics" for model in MODELS)]
        found = {name: store.current(name, WEEK) for name in names}
        return {name: artifact.content_hash for name, artifact in found.items() if artifact}


def _failed_checks(results: Sequence[dg.ExecuteInProcessResult]) -> dict[str, dict[str, str]]:
    failed: dict[str, dict[str, str]] = {}
    for result in results:
        for evaluation in result.get_asset_check_evaluations():
            if not evaluation.passed:
                checks = failed.setdefault("/".join(evaluation.asset_key.path), {})
                checks[evaluation.check_name] = evaluation.severity.value
    return failed
