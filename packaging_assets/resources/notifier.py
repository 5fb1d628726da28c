"""How alerts leave the platform, and who gets which.

Ways out are `log_notifier`, `apprise_notifier` and `sns_notifier`.
"""

from dataclasses import dataclass
from typing import Protocol

from packaging_assets.domain.alerts import Alert, Severity

LOG_ROUTE = "log"
"""The route that every home has: its log file and the terminal."""

REPEAT = "(This may be a repeat: the sender was ended while it was sending.)"
"""What people read below an alert that may have arrived before."""


class NotifierError(Exception):
    """An alert could not be delivered; the message says to what and why, and holds no secret."""


class Notifier(Protocol):
    """Delivers alerts to one place."""

    def send(self, alert: Alert, *, may_be_repeat: bool) -> None:
        """Deliver; returning means that it arrived.

        Args:
            alert: what to tell.
            may_be_repeat: an earlier attempt was cut short, so that nobody knows whether it arrived.

        Raises:
            NotifierError: it did not arrive.
        """
        ...


@dataclass(frozen=True)
class Route:
    """Sends the alerts that concern `owner` (none: everybody's), from `severity` on, to a notifier.

    With `is_exact` it takes that severity alone: for services that have a place of its own for each.
    """

    name: str
    notifier: Notifier
    owner: str | None = None
    severity: Severity = "warning"
    is_exact: bool = False

    def takes(self, alert: Alert) -> bool:
        """Whether the alert goes this way."""
        is_graver = self.severity == "warning" and not self.is_exact
        return (is_graver or alert.severity == self.severity) and (self.owner is None or self.owner in alert.owners)
