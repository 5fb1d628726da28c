"""How a version looks as a model package: what is written into one, and what is read back.

What a package was last made to show is written into it together with its status, in one call: the status, a revision,
and a digest of the description. A status that is another than the one written beside it was changed from outside.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging_assets.domain.registry import ModelVersion, Status
from packaging_assets.resources.sagemaker_names import tag_value
from packaging_assets.resources.sagemaker_registry_authors import author_of

OURS = "packaging:"
"""What the names of our properties of a package begin with."""

METRIC = "metric:"
TEXT_CHARACTERS = 1024
FIGURES = 20
"""Of 50 properties that a package may have."""


@dataclass(frozen=True)
class Display:
    """What a package is to show: a version with its status, as which revision, and why."""

    version: ModelVersion
    revision: int
    description: str


@dataclass(frozen=True)
class PackageView:
    """What a package shows. `shown_status`, `revision` and `digest` are what was last written from here.

    `author` is the person who changed it last, blank if the service names none; `description` is what is written about
    its approval; `properties` are all of it, also other people's.
    """

    arn: str
    status: Status
    shown_status: Status | None
    revision: int
    digest: str
    author: str
    description: str
    modified_at: dt.datetime
    properties: Mapping[str, str]

    @property
    def is_changed_outside(self) -> bool:
        """Whether somebody else gave it its status."""
        return self.shown_status is not None and self.status is not self.shown_status

    @property
    def reason(self) -> str:
        """What somebody else wrote about the status; blank if the description is the one written from here."""
        return "" if digest_of(self.description) == self.digest else self.description.strip()

    def shows(self, display: Display) -> bool:
        """Whether nothing has to be written."""
        return (self.status, self.shown_status, self.revision) == (
            display.version.status,
            display.version.status,
            display.revision,
        )


def view_of(arn: str, found: Mapping[str, Any], people_roles: Collection[str]) -> PackageView:
    """What SageMaker's description of a package says; `people_roles` as for `author_of`."""
    properties: dict[str, str] = found.get("CustomerMetadataProperties") or {}
    shown = properties.get(f"{OURS}status", "")
    revision = properties.get(f"{OURS}revision", "")
    return PackageView(
        arn=arn,
        status=Status(found["ModelApprovalStatus"]),
        shown_status=Status(shown) if shown in set(Status) else None,
        revision=int(revision) if revision.isdecimal() else 0,
        digest=properties.get(f"{OURS}described", ""),
        author=author_of(found.get("LastModifiedBy"), people_roles),
        description=found.get("ApprovalDescription") or "",
        modified_at=found.get("LastModifiedTime") or found["CreationTime"],
        properties=properties,
    )


def facts_of(version: ModelVersion) -> dict[str, str]:
    """What never changes about a version, as properties: single figures by name, and where the rest is."""
    facts: dict[str, Any] = {
        "model": version.model,
        "version": version.version,
        "package_type": version.package_type,
        "training_week": version.training_week,
        "stage": version.stage,
        "verdict": version.verdict,
        "verdict_reasons": " ".join(version.reasons),
        "fingerprint": version.fingerprint,
        "content_hash": version.content_hash,
        "code_version": version.code_version,
        "artifact": version.artifact_uri,
        "metrics": version.metrics_uri,
    }
    named = {f"{OURS}{name}": _value(str(fact)) for name, fact in facts.items()}
    return {name: value for name, value in {**named, **dict(_figures(version.metrics))}.items() if value}


def _figures(metrics: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    figures = [(name, value) for name, value in sorted(metrics.items()) if type(value) in (int, float)]
    return [(f"{METRIC}{_value(name)}"[:128], f"{value:.6g}") for name, value in figures[:FIGURES]]


def shown_of(display: Display, *, described: str) -> dict[str, str]:
    """What changes with every status, as properties; `described` is the description that is written with it."""
    return {
        f"{OURS}status": str(display.version.status),
        f"{OURS}revision": str(display.revision),
        f"{OURS}actor": _value(display.version.actor) or "-",
        f"{OURS}decided_at": display.version.updated_at.isoformat(timespec="seconds"),
        f"{OURS}reason": _value(display.description) or "-",
        f"{OURS}described": digest_of(described),
    }


def _value(text: str) -> str:
    """A text as a property's value, which takes what a tag's takes."""
    return tag_value(" ".join(text.split())).strip()


def one_line(text: str) -> str:
    """A text in one line, as long as a description may be."""
    return " ".join(text.split())[:TEXT_CHARACTERS]


def digest_of(text: str) -> str:
    """By what a description is known again."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:32]
