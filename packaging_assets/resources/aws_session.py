"""The one place where boto3 is set up: credentials from the machine's role or `AWS_PROFILE`, never from settings.

Clients are made once per process: making one takes longer than most calls, and each has its own pool of connections.
"""

import functools
import threading
from typing import Any

from packaging_assets.settings import Settings

CONNECT_SECONDS, READ_SECONDS = 5, 60
ATTEMPTS = 5
"""Of each call, with pauses that grow and vary: boto3's "standard" mode. What fails after them is the caller's."""

CONNECTIONS = 32

_ONE_AT_A_TIME = threading.RLock()
"""Steps run in threads; clients can be shared between them, while the session that makes clients cannot."""


def session(settings: Settings) -> Any:
    """The process's boto3 session for the region of the settings."""
    return _session(settings.aws_region)


def client(settings: Settings, service: str) -> Any:
    """boto3's client of a service, such as "s3"; safe to share between threads."""
    with _ONE_AT_A_TIME:
        return _client(settings.aws_region, service)


def forget() -> None:
    """Make new clients from now on: for processes that change where the services are."""
    _session.cache_clear()
    _client.cache_clear()


@functools.cache
def _session(region: str) -> Any:
    import boto3

    class SharedSession(boto3.Session):
        """A session that steps in several threads may ask for clients."""

        def client(self, *arguments: Any, **options: Any) -> Any:
            with _ONE_AT_A_TIME:
                return super().client(*arguments, **options)

    return SharedSession(region_name=region)


@functools.cache
def _client(region: str, service: str) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    return _session(region).client(service, config=config)
