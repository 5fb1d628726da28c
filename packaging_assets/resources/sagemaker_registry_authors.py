"""Who changed a model package, as far as SageMaker says, and whether that names a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

PEOPLE_ROLES = ("AWSReservedSSO_*", "packaging-*-reviewer", "packaging-*-promoter")
"""Names of roles that people become, and nothing else: there the session's name is the person's."""


def author_of(context: Mapping[str, Any] | None, people_roles: Iterable[str] = PEOPLE_ROLES) -> str:
    """The name of the person who made a change; blank where the service names none.

    Args:
        context: a `UserContext` of SageMaker: a profile of Studio, or an identity of IAM.
        people_roles: patterns of the names of roles that people become.
    """
    if not context:
        return ""
    if context.get("UserProfileName"):
        return str(context["UserProfileName"])
    identity = context.get("IamIdentity") or {}
    if identity.get("SourceIdentity"):
        return str(identity["SourceIdentity"])
    return _named_by_arn(str(identity.get("Arn", "")), people_roles)


def _named_by_arn(arn: str, people_roles: Iterable[str]) -> str:
    """A user's name, or the name of a session of a role that people become; other sessions name no person."""
    kind, *names = arn.rpartition(":")[2].split("/")
    if kind == "user" and names:
        return names[-1]
    if kind == "assumed-role" and len(names) > 1 and any(fnmatchcase(names[0], role) for role in people_roles):
        return names[-1]
    return ""
