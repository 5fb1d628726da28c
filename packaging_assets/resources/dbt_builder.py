"""`dbt build` for the assets that a Dagster step selects."""

import json
import re
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from packaging_assets.resources.dbt_hiccups import PAUSES_SECONDS, will_pass
from packaging_assets.resources.dbt_project import dbt_manifest, invoke, log_handlers_kept, parse, sources_hash
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

SHOWN_LEVELS = frozenset({"info", "warn", "error"})


class DbtBuildError(Exception):
    """A model failed, or a test of severity error did; the message carries dbt's own."""


class DbtBuilder:
    """Builds models, seeds and tests in this home's warehouse; the project is parsed once per process and state of it.

    Args:
        settings: which home's warehouse.
        sleep: waits so many seconds before a build is tried again that failed for a reason that passes.
    """

    def __init__(self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._manifest: Any = None
        self._sources = ""

    def build(
        self, context: "dg.AssetExecutionContext", variables: Mapping[str, object], *, is_full_refresh: bool = False
    ) -> Iterator[Any]:
        """Build what the step selects; yields Dagster's materializations and check results.

        Args:
            context: of a step whose assets are dbt's models, tagged with what to select as `dbt_assets` tags it.
            variables: dbt's `--vars`.
            is_full_refresh: build windowed and incremental models from nothing.

        Raises:
            DbtBuildError: a model failed, or a test of severity error did; what had succeeded is yielded first.
            DagsterExecutionInterruptedError: the run was cancelled; dbt has cancelled its statements.
        """
        with log_handlers_kept():
            from dagster_dbt import DagsterDbtTranslator
            from dagster_dbt.asset_utils import get_subset_selection_for_context
            from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
            from dagster_dbt.dbt_manifest import validate_manifest
            from dbt_common.events.functions import msg_to_dict

        manifest, translator = validate_manifest(dbt_manifest(self._settings)), DagsterDbtTranslator()
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
        result, events = self._run([*command, "--indirect-selection", indirect] if indirect else command)
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

    def _run(self, command: Sequence[str]) -> tuple[Any, list[Any]]:
        """The result and events of a command, of its last try: a build replaces its rows, so it can be run again."""
        pauses = iter(PAUSES_SECONDS)
        while True:
            events: list[Any] = []
            with _told_as_dbt_knows_it():
                result = invoke(self._settings, command, manifest=self._parsed(), on_event=events.append)
            pause = next(pauses, None)
            if result.success or pause is None or not will_pass(result):
                return result, events
            sys.stdout.write(f"{_reason(result)}\nThis passes: dbt is run again in {pause:.0f} s.\n")
            self._sleep(pause)

    def _parsed(self) -> Any:
        sources = sources_hash(self._settings.dbt_project_path)
        if sources != self._sources:  # what is built counts as built by the project as it is now
            self._manifest, self._sources = parse(self._settings), sources
        return self._manifest


@contextmanager
def _told_as_dbt_knows_it() -> Generator[None]:
    """Let dbt take the cancellation of a run for Ctrl-C, upon which it ends the statements that are under way.

    Dagster's own interruption is nothing to dbt: it would leave the statements running, and call the run failed.
    """
    from dagster._core.errors import DagsterExecutionInterruptedError
    from dagster._utils.interrupts import raise_interrupts_as

    try:
        with raise_interrupts_as(KeyboardInterrupt):
            yield
    except KeyboardInterrupt as cancelled:
        raise DagsterExecutionInterruptedError from cancelled


def _show(event: Any) -> None:
    """Print what dbt reports, for the run's log in the UI."""
    if event.info.level in SHOWN_LEVELS:
        sys.stdout.write(f"{event.info.msg}\n")


def _reason(result: Any) -> str:
    if result.result is None:
        return f"dbt failed: {result.exception}"
    failed = [node for node in result.result.results if node.status in ("error", "fail")]
    return "dbt failed: " + "; ".join(f"{node.node.unique_id}: {_first_paragraph(node.message)}" for node in failed)


def _first_paragraph(message: str | None) -> str:
    """What dbt says of a node, in one line: which file, and the database's error without the statement's lines."""
    return " ".join(re.split(r"\n\s*\n", (message or "").strip())[0].split())
