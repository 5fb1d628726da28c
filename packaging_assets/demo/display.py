"""The demo's report as tables on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from packaging_assets.domain.package_types import PACKAGE_TYPES

VERDICT_STYLE = {"approve": "green", "pending": "yellow", "reject": "red"}


def show_report(
    report: Mapping[str, Any], console: Console, *, home: str, next_steps: Sequence[tuple[str, str]]
) -> None:
    """Print models, inference, recommendations, times, and what to do next: commands, and what each does."""
    console.print(_models(report))
    console.print(_why_not_approved(report))
    console.print(Group(_inference(report), _why_refused(report), _recommendations(report)))
    console.print(f"{_seconds(report)}\n{_cache(report)}", highlight=False)
    console.print(Text("\nNext", style="bold"))
    width = max(len(command) for command, _ in next_steps)
    for command, effect in next_steps:
        console.print(Text.assemble("  ", (command.ljust(width), "cyan"), f"  {effect}"), soft_wrap=True)
    console.print(Text(f"Home: {home}"), soft_wrap=True)


def _models(report: Mapping[str, Any]) -> Table:
    table = _table("Models")
    for heading in ("week", "type"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "minority", "PR-AUC", "Bayes", "version"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("verdict", ""):
        table.add_column(heading, no_wrap=True)
    last_week = None
    for model in report["models"]:
        if last_week not in (None, model["week"]):
            table.add_section()
        last_week = model["week"]
        table.add_row(
            model["week"],
            model["package_type"],
            f"{model['validation_rows']:,}",
            f"{model['minority_rate']:.1%}",
            f"{model['pr_auc']:.3f}",
            f"{model['bayes_share']:.1%}",
            f"v{model['version']}",
            Text(model["verdict"], style=VERDICT_STYLE[model["verdict"]]),
            "[bold green]serves[/bold green]" if model["is_champion"] else "",
        )
    return table


def _cache(report: Mapping[str, Any]) -> str:
    hits = sum(model["cache"] == "hit" for model in report["models"])
    return f"Trained {len(report['models']) - hits} models, took {hits} from the cache."


def _why_not_approved(report: Mapping[str, Any]) -> Text:
    text = Text()
    for incident in report["incidents"]:
        text.append(f"Injected: {incident['kind']} in week {incident['week']} (share {incident['share']})\n", "bold")
    for refusal in report["refused_deliveries"]:
        text.append(f"Refused: {refusal}\n", "red")
    for model in report["models"]:
        if model["verdict"] != "approve":
            text.append(
                f"{model['week']} {model['package_type']} {model['verdict']}: ", VERDICT_STYLE[model["verdict"]]
            )
            more = f" (+{len(model['reasons']) - 1} more)" if len(model["reasons"]) > 1 else ""
            text.append(f"{model['reasons'][0].partition(': ')[2]}{more}\n")
    return text


def _inference(report: Mapping[str, Any]) -> Table:
    inference = report["inference"]
    table = _table("Inference: which version scored which products")
    table.add_column("partition", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    for package_type in PACKAGE_TYPES:
        table.add_column(package_type, justify="right", no_wrap=True)
    for load in inference["loads"]:
        used = load["models_used"]
        versions = (f"v{used[name]}" if name in used else "-" for name in PACKAGE_TYPES)
        rows = "[red]refused[/red]" if load["refused"] else f"{load['rows']:,}"
        table.add_row(f"{load['cadence']} {load['partition']}", rows, *versions)
    return table


def _why_refused(report: Mapping[str, Any]) -> Text:
    text = Text()
    for load in report["inference"]["loads"]:
        if load["refused"]:
            text.append(f"{load['cadence']} {load['partition']} refused, the predictions before it stay: ", "red")
            text.append(f"{load['refused'].partition('Check ')[2].partition('. ')[0]}.\n")
    return text


def _recommendations(report: Mapping[str, Any]) -> Table:
    table = _table("Recommended package, number of products")
    total = sum(report["recommendations"].values())
    for name in report["recommendations"]:
        table.add_column(name, justify="right")
    table.add_row(*(f"{count:,} ({count / max(total, 1):.0%})" for count in report["recommendations"].values()))
    return table


def _seconds(report: Mapping[str, Any]) -> str:
    return "Seconds: " + ", ".join(
        f"{stage.replace('_', ' ')} {seconds:.1f}" for stage, seconds in report["seconds"].items()
    )


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
