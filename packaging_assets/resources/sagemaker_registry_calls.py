"""Calls of S3 and SageMaker on behalf of the registry: tried again where that may help, and told in one sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.domain.registry import RegistryError
from packaging_assets.resources.backoff import Backoff
from packaging_assets.resources.sagemaker_errors import kind_of_call_error

CONFLICT_CODE = "ConflictException"
"""Somebody else is changing the same thing at this moment."""

CALL_BACKOFF = Backoff(attempts=5, first_seconds=0.5, longest_seconds=8.0)
"""On top of what boto3 repeats by itself: at most 15 s of pauses."""


class RefusedCallError(RegistryError):
    """The service answered that it will not do this; `code` is what it calls the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Calls:
    """Makes calls; `sleep` takes seconds."""

    sleep: Callable[[float], None] = time.sleep

    def make(self, what: str, call: Callable[..., Any], **request: Any) -> Any:
        """What the call answers, at the latest after `CALL_BACKOFF.attempts` attempts.

        Args:
            what: the call as the object of "cannot", for the message: `describe version 3 of mailer`.
            call: a method of a client, or of `S3Objects`; safe to repeat.
            request: its arguments.

        Raises:
            RefusedCallError: the service refuses, and would again.
            RegistryError: the service could not be reached, or failed, as often as it was tried.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        number = 1
        while True:
            try:
                return call(**request)
            except (BotoCoreError, ClientError) as error:
                if not _may_go_well(error):
                    raise _refused(what, error) from error
                if number >= CALL_BACKOFF.attempts:
                    raise RegistryError(
                        f"Cannot {what}: AWS failed {number} times, the last time with {error}. Nothing is half done; "
                        "try it again in some minutes."
                    ) from error
                self.sleep(CALL_BACKOFF.pause(number, what))
                number += 1


def _may_go_well(error: Exception) -> bool:
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError) and error_code(error) == CONFLICT_CODE:
        return True
    return kind_of_call_error(error) is not None


def _refused(what: str, error: Any) -> RegistryError:
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return RegistryError(f"Cannot {what}: {error}. Check region and credentials (packaging doctor).")
    code = error_code(error)
    said = error.response.get("Error", {}).get("Message", "it says no more")
    return RefusedCallError(
        f"Cannot {what}: AWS answers {code}: {said} Check the role's permissions and the environment's settings "
        "(packaging doctor).",
        code,
    )
