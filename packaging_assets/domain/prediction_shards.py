"""Predictions that were made part by part on several machines, put together as if one had made them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.domain.parquet_files import count_rows, list_parts, part_name
from packaging_assets.domain.predictions import SUMMARY, PredictParams, check_count


def merge_predictions(shards: Sequence[Path], params: PredictParams, output: Path) -> None:
    """Make one output of `predict` of several.

    Args:
        shards: what `predict` wrote for each part of the inventory alone, in the order of the parts; their Parquet
            files are moved.
        params: the params of all of them.
        output: gets the very files that `predict` writes for the inventory as a whole.

    Raises:
        PredictionCountError: there are not as many predictions as products times models.
    """
    summaries = [read_json(shard / SUMMARY) for shard in shards]
    parts = [part for shard in shards for part in list_parts(shard)]
    for number, part in enumerate(parts):
        part.rename(output / part_name(number))
    merged = _merge(summaries)
    check_count(count_rows(output), products=merged["inventory_rows"], models=len(params.models))
    write_json(output / SUMMARY, merged)


def _merge(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums of the counts; the rest is the same in all."""
    merged: dict[str, Any] = {**summaries[0], **_sums(summaries, ("inventory_rows", "rows"))}
    merged["models"] = [
        {**same[0], **_sums(same, ("rows", "suitable"))}
        for same in zip(*(summary["models"] for summary in summaries), strict=True)
    ]
    return merged


def _sums(entries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, int]:
    return {name: sum(entry[name] for entry in entries) for name in names}
