"""Python and the installed packages, held against what the platform requires."""

import importlib.metadata
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from packaging_assets.doctor.check import Check, ProblemError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "packaging-assets"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def checks(env: str) -> list[Check]:
    """Python and packages of an environment, which are more for `aws`."""
    return [Check("versions", lambda: versions(env, requirements(), installed_version), seconds=30.0)]


def requirements() -> list[str]:
    """What the platform requires, as its metadata says it."""
    return importlib.metadata.requires(DISTRIBUTION) or []


def installed_version(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(env: str, required: Sequence[str], installed: Callable[[str], str | None]) -> str:
    """The versions that matter most, in one line.

    Args:
        env: "local" or "aws".
        required: requirements, as the metadata of a package say them.
        installed: gives the installed version of a package.

    Raises:
        ProblemError: a package is missing or of another version.
    """
    from packaging.requirements import Requirement

    wanted = [requirement for requirement in map(Requirement, required) if _is_needed(requirement, env)]
    found = {_name(str(requirement)): installed(requirement.name) for requirement in wanted}
    problems = [
        f"{requirement.name} {requirement.specifier}".rstrip() + (f" (here is {version})" if version else " (missing)")
        for requirement in wanted
        for version in [found[_name(str(requirement))]]
        if version is None or not requirement.specifier.contains(version, prereleases=True)
    ]
    if problems:
        extra = " --extra aws" if env == "aws" else ""
        raise ProblemError(
            f"required and not installed: {', '.join(problems)}",
            f"Install what uv.lock says: uv sync --locked --inexact{extra}",
        )
    shown = ["dagster", "dbt-core", *(["boto3", "sagemaker", "dbt-redshift"] if env == "aws" else ["duckdb"])]
    told = ", ".join(f"{name} {found[name]}" for name in shown if found.get(name))
    return f"Python {'.'.join(map(str, sys.version_info[:3]))}; {len(wanted)} packages as required: {told}"


def _is_needed(requirement: "Requirement", env: str) -> bool:
    if requirement.marker is None:
        return True
    return requirement.marker.evaluate({"extra": "aws" if env == "aws" else ""})


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    return match.group() if match else requirement
