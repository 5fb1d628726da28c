"""The demo's report as tables on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

VERDICT_STYLE = {"approve": "green", "pending": "yellow", "reject": "red"}


def show_report(report: Mapping[str, Any], console: Console, *, home: str) -> None:
    """Print models, inference, recommendations, times, and what to do next."""
    console.print(_models(report))
    console.print(_why_not_approved(report))
    console.print(Group(_inference(report), _recommendations(report), _seconds(report)))
    console.print(
        f"\n[bold]Next[/bold]  [cyan]make ui[/cyan] (or [cyan]packaging ui[/cyan]) opens this home in the Dagster UI; "
        f"[cyan]packaging models list[/cyan] shows every version.\nHome: {home}",
        highlight=False,
    )


def _models(report: Mapping[str, Any]) -> Table:
    table = Table(title="Models", title_justify="left", header_style="bold")
    for heading in ("week", "package type"):
        table.add_column(heading)
    for heading in ("validation rows", "minority", "PR-AUC", "of Bayes", "version"):
        table.add_column(heading, justify="right")
    for heading in ("verdict", "status", "champion", "cache"):
        table.add_column(heading)
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
            str(model["version"]),
            Text(model["verdict"], style=VERDICT_STYLE[model["verdict"]]),
            model["status"],
            "[bold green]serves[/bold green]" if model["is_champion"] else "",
            model["cache"],
        )
    return table


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
            text.append(f"{model['reasons'][0] if model['reasons'] else ''}\n")
    return text


def _inference(report: Mapping[str, Any]) -> Table:
    inference = report["inference"]
    table = Table(title="Inference", title_justify="left", header_style="bold")
    for heading in ("daily rows", "monthly rows", "inventory", "models used"):
        table.add_column(heading, justify="right")
    used = ", ".join(f"{name} v{version}" for name, version in inference["models_used"].items())
    table.add_row(
        f"{inference['daily_rows']:,}", f"{inference['monthly_rows']:,}", f"{inference['inventory_rows']:,}", used
    )
    return table


def _recommendations(report: Mapping[str, Any]) -> Table:
    table = Table(title="Recommended package", title_justify="left", header_style="bold")
    total = sum(report["recommendations"].values())
    for name in report["recommendations"]:
        table.add_column(name, justify="right")
    table.add_row(*(f"{count:,} ({count / max(total, 1):.0%})" for count in report["recommendations"].values()))
    return table


def _seconds(report: Mapping[str, Any]) -> Table:
    table = Table(title="Wall seconds", title_justify="left", header_style="bold")
    for stage in report["seconds"]:
        table.add_column(stage.replace("_", " "), justify="right")
    table.add_row(*(f"{seconds:.1f}" for seconds in report["seconds"].values()))
    return table
