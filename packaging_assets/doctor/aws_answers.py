"""What AWS's errors mean, by their codes, and what to do about each."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.doctor.check import ProblemError, UnknownError

DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AccessDeniedFault",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)

SIGNATURES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Who asks is not believed: wrong or expired credentials, or a clock that is wrong."""

ROLES = "deploy/cloudformation/roles.yaml"


@contextmanager
def understood(action: str, *, role: str, remedies: Mapping[str, ProblemError] | None = None) -> Generator[None]:
    """Turn what boto3 raises in the block into what was found and what to do.

    Args:
        action: the IAM action that the call needs.
        role: the role of `deploy/cloudformation/roles.yaml` whose duty needs it; "" where only the doctor does, so
            that a refusal says nothing about the platform.
        remedies: by error code, what a code of this call means.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if remedies and code in remedies:
            raise remedies[code] from error
        raise _refused(error, action, role) from error
    except BotoCoreError as error:
        raise _unreached(error) from error
    except ResponseParserError as error:
        raise _unreadable(action, role) from error


def _refused(error: Any, action: str, role: str) -> Exception:
    code, message = error_code(error), str(error.response.get("Error", {}).get("Message", ""))
    if code in DENIED:
        return _denied(action, role)
    if code in SIGNATURES:
        return ProblemError(
            f"AWS does not believe who asks ({code})", "Sign in again; if that changes nothing, see `clock`."
        )
    return ProblemError(f"{action} failed ({code}): {message}", "See the message; if it is AWS's fault, try again.")


def _denied(action: str, role: str) -> Exception:
    if not role:
        return UnknownError(f"not known: {action} is not allowed to this identity, and only the doctor needs it")
    return ProblemError(
        f"{action} is not allowed",
        f"Allow {action}: {role} in {ROLES} has it. Deploy that template, and run as that role.",
    )


def _unreached(error: Any) -> Exception:
    from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

    if isinstance(error, (ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError)):
        return ProblemError(
            str(error).rstrip("."),
            "Is PACKAGING_AWS_REGION right, and the network open to the service: route, VPC endpoint, proxy?",
        )
    return ProblemError(
        f"{type(error).__name__}: {error}",
        "Give this machine a role, or sign in (aws sso login) and set AWS_PROFILE; see `credentials`.",
    )


def _unreadable(action: str, role: str) -> Exception:
    found = f"{action} was answered with something that is not AWS's"
    if not role:
        return UnknownError(f"not known: {found}")
    return ProblemError(found, "Is a proxy in between? It must let requests to amazonaws.com through as they are.")
