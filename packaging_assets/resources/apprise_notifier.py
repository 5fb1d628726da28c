"""Alerts to any of the services that `apprise` knows by URL: mail, Slack, Teams, ... (https://appriseit.com).

`apprise` takes half a second to import, so it is imported where something is sent.
"""

import re
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr

from packaging_assets.domain.alerts import Alert
from packaging_assets.resources.notifier import REPEAT, NotifierError

_SHORTEST_SECRET = 4


class AppriseNotifier:
    """Sends to `url`, of which errors show nothing but the service."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    def check(self) -> None:
        """Whether `apprise` can make anything of the URL; nothing is sent.

        Raises:
            NotifierError: it cannot.
        """
        self._service()

    def send(self, alert: Alert, *, may_be_repeat: bool) -> None:
        """Send the alert's title and body."""
        from apprise import NotifyFormat, NotifyType

        complaints: list[str] = []

        def note(entry: Any, _plugin: Any) -> None:
            complaints.append(str(entry.message))

        kind = NotifyType.FAILURE if alert.severity == "error" else NotifyType.WARNING
        body = f"{alert.body}\n{REPEAT}" if may_be_repeat else alert.body
        try:
            is_sent = self._service().notify(
                title=alert.title,
                body=body,
                body_format=NotifyFormat.TEXT,
                notify_type=kind,
                log_callback=note,
            )
        except NotifierError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin's own trouble is one more way of not arriving
            raise NotifierError(self._without_secrets(f"{type(error).__name__}: {error}")) from None
        if not is_sent:
            raise NotifierError(self._without_secrets(complaints[-1] if complaints else "the service did not take it"))

    def _service(self) -> Any:
        import apprise

        service = apprise.Apprise()
        if not service.add(self._url.get_secret_value()):
            scheme = self._url.get_secret_value().partition("://")[0]
            raise NotifierError(
                f"apprise does not understand this {scheme}:// URL: look the service up on https://appriseit.com and "
                "correct the route's url."
            )
        return service

    def _without_secrets(self, text: str) -> str:
        """The text without any part of the URL, as written or decoded, that is long enough to be a secret."""
        _, _, rest = self._url.get_secret_value().partition("://")
        written = re.split(r"[/:@?&=#]", rest)
        parts = {part for part in (*written, *map(unquote, written)) if len(part) >= _SHORTEST_SECRET}
        for part in sorted(parts, key=len, reverse=True):
            text = text.replace(part, "***")
        return text
