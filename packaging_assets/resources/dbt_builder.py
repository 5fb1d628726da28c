"""`dbt build` for the assets that a Dagster step selects."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from packaging_assets.resources.dbt_project import invoke, parse
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

SHOWN_LEVELS = frozenset({"info", "warn", "error"})


class DbtBuildError(Exception):
    """A model failed, or a test of severity error did; the message carries dbt's own."""


class DbtBuilder:
    """Builds models, seeds and tests in this home's warehouse; the project is parsed once per process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._manifest: Any = None

    def build(
        self, context: "dg.AssetExecutionContext", variables: Mapping[str, object], *, is_full_refresh: bool = False
    ) -> Iterator[Any]:
        """Build what the step selects; yields Dagster's materializations and check results.

        Args:
            context: of a step of `@dbt_assets`.
            variables: dbt's `--vars`.
            is_full_refresh: build incremental models from nothing.

        Raises:
            DbtBuildError: a model failed, or a test of severity error did; what had succeeded is yielded first.
        """
        from dagster_dbt.asset_utils import (
            get_manifest_and_translator_from_dbt_assets,
            get_subset_selection_for_context,
        )
        from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
        from dbt_common.events.functions import msg_to_dict

        manifest, translator, _ = get_manifest_and_translator_from_dbt_assets([context.assets_def])
        selection, indirect = get_subset_selection_for_context(
            context=context,
            manifest=manifest,
            select=context.op_execution_context.op.tags.get("dagster_dbt/select"),
            exclude=context.op_execution_context.op.tags.get("dagster_dbt/exclude"),
            selector=None,
            dagster_dbt_translator=translator,
            current_dbt_indirect_selection_env=None,
        )
        command = ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(dict(variables)), *selection]
        command += ["--full-refresh"] if is_full_refresh else []
        events: list[Any] = []
        result = invoke(
            self._settings,
            [*command, "--indirect-selection", indirect] if indirect else command,
            manifest=self._parsed(),
            on_event=events.append,
        )
        for event in events:
            _show(event)
            message = DbtCoreCliEventMessage(raw_event=msg_to_dict(event), event_history_metadata={})
            yield from message.to_default_asset_events(
                manifest=manifest,
                dagster_dbt_translator=translator,
                context=context,
                target_path=self._settings.dbt_target_path,
            )
        if not result.success:
            raise DbtBuildError(_reason(result))

    def _parsed(self) -> Any:
        if self._manifest is None:
            self._manifest = parse(self._settings)
        return self._manifest


def _show(event: Any) -> None:
    """Print what dbt reports, for the run's log in the UI."""
    if event.info.level in SHOWN_LEVELS:
        sys.stdout.write(f"{event.info.msg}\n")


def _reason(result: Any) -> str:
    if result.result is None:
        return f"dbt failed: {result.exception}"
    failed = [node for node in result.result.results if node.status in ("error", "fail")]
    return "dbt failed: " + "; ".join(f"{node.node.unique_id}: {node.message}" for node in failed)
