"""Who this process is for AWS, and whether its clock is right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from packaging_assets.doctor.aws_answers import understood
from packaging_assets.doctor.check import Check, ProblemError, UnknownError

LARGEST_SKEW_SECONDS = 300
"""AWS refuses what was signed further from its own time."""


def checks(sts: Any, *, now: Callable[[], dt.datetime]) -> list[Check]:
    """Credentials and clock.

    Args:
        sts: boto3's client.
        now: tells the time of this machine, aware.
    """
    return [Check("credentials", lambda: caller_arn(sts)), Check("clock", lambda: _clock(sts, now))]


def caller_arn(sts: Any) -> str:
    """The ARN of who asks."""
    with understood("sts:GetCallerIdentity", role="any role"):
        return str(sts.get_caller_identity()["Arn"])


def role_arn_of(caller: str) -> str:
    """The ARN of the role of a session, as IAM knows it if the role has no path; other ARNs as they are."""
    prefix, separator, session = caller.partition(":assumed-role/")
    if not separator:
        return caller
    return f"{prefix.replace(':sts:', ':iam:')}:role/{session.partition('/')[0]}"


def _clock(sts: Any, now: Callable[[], dt.datetime]) -> str:
    header = _date_header(sts)
    if not header:
        raise UnknownError("not known: AWS's answer says no time")
    ahead = (now() - parsedate_to_datetime(header)).total_seconds()
    told = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} AWS's"
    if abs(ahead) > LARGEST_SKEW_SECONDS:
        raise ProblemError(
            f"this machine's clock is {told}; AWS refuses requests from {LARGEST_SKEW_SECONDS} s on",
            "Set the clock, and start what keeps it right: chronyd or systemd-timesyncd.",
        )
    return f"{told} (to the second)"


def _date_header(sts: Any) -> str:
    """AWS's time; it is said in refusals, too."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = sts.get_caller_identity()
    except ClientError as error:
        answer = error.response
    except BotoCoreError as error:
        raise UnknownError(f"not known: AWS was not asked ({type(error).__name__})") from error
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))
