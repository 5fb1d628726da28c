"""`packaging alerts`: what people were told, and whether every route works."""

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli.options import CommandGroup, home_option, json_option
from packaging_assets.cli.sizes_and_times import at
from packaging_assets.settings import Settings, refuse_absent_home

if TYPE_CHECKING:
    from packaging_assets.resources.alert_store import Delivery, KeptAlert


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
def alerts() -> None:
    """Try out the routes of alerts, and list what was sent.

    The alert sensor looks every half minute while the Dagster daemon runs (packaging ui). Every alert is a line in
    alerts.log in the home; more routes are written in its settings.toml:

    \b
      [[alert_routes]]
      owner = "team:packaging-science"       none: whatever the owner
      severity = "error"                     default: warning, and errors too
      url = "slack://..."                    see https://appriseit.com

    In AWS they also go to the SNS topics of the settings: error_topic_arn, warning_topic_arn.
    """


@alerts.command("test")
@json_option
@home_option
def send_sample(settings: Settings, *, as_json: bool) -> None:
    """Send a sample through every route now; exit code 1 if one fails."""
    refuse_absent_home(settings)
    from packaging_assets.domain.alerts import sample_alert
    from packaging_assets.resources.alert_delivery import send
    from packaging_assets.resources.environment import alert_routes_for
    from packaging_assets.resources.notifier import NotifierError

    sent_at = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
    errors: dict[str, str | None] = {}
    for route in alert_routes_for(settings):
        sample = sample_alert(route.owner or settings.alert_owner, route.severity, sent_at)
        try:
            send(route, sample)
        except NotifierError as error:
            errors[route.name] = str(error)
        else:
            errors[route.name] = None
    if as_json:
        click.echo(json.dumps(errors, sort_keys=True))
    else:
        for name, error in errors.items():
            click.echo(f"{name}: {'sent' if error is None else f'FAILED: {error}'}")
    if any(errors.values()):
        raise SystemExit(1)


@alerts.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="So many, newest first."
)
@click.option("--unsent", is_flag=True, help="Only those that some route has not taken yet.")
@json_option
@home_option
def list_alerts(settings: Settings, *, limit: int, unsent: bool, as_json: bool) -> None:
    """List alerts, newest first, and which route took them when."""
    from packaging_assets.resources.alert_database import AlertStoreError
    from packaging_assets.resources.environment import alert_store_for

    store = alert_store_for(settings)
    try:
        found = store.alerts(limit=None if unsent else limit) if store.is_there() else []
    except AlertStoreError as error:
        raise click.ClickException(str(error)) from None
    shown = [kept for kept in found if not (unsent and kept.is_sent)][:limit]
    if as_json:
        click.echo(json.dumps([_as_json(kept) for kept in shown], indent=2, sort_keys=True))
    elif shown:
        click.echo("\n\n".join(_as_text(kept) for kept in shown))
    else:
        click.echo(f"No {'unsent ' if unsent else ''}alerts in {settings.home}.")


def _as_text(kept: "KeptAlert") -> str:
    routes = "; ".join(_state(delivery) for delivery in kept.deliveries) or "no route takes it"
    return f"{at(kept.found_at)} [{kept.alert.severity}] {kept.alert.title}\n{kept.alert.body}\nRoutes: {routes}"


def _state(delivery: "Delivery") -> str:
    if delivery.sent_at is not None:
        return f"{delivery.route} at {at(delivery.sent_at)}"
    return f"{delivery.route} NOT YET ({delivery.attempts} attempts: {delivery.error or 'none failed'})"


def _as_json(kept: "KeptAlert") -> dict[str, Any]:
    return {
        "alert": kept.alert.key,
        "found_at": at(kept.found_at),
        "severity": kept.alert.severity,
        "title": kept.alert.title,
        "lines": kept.alert.lines,
        "owners": kept.alert.owners,
        "run_url": kept.alert.run_url,
        "failures": [failure.model_dump(mode="json") for failure in kept.alert.failures],
        "routes": [
            {
                "route": delivery.route,
                "attempts": delivery.attempts,
                "sent_at": None if delivery.sent_at is None else at(delivery.sent_at),
                "error": delivery.error,
            }
            for delivery in kept.deliveries
        ],
    }
