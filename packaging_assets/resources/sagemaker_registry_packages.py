"""Model packages in SageMaker Model Registry: the calls that find, make, read and change them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.domain.registry import ModelVersion, RegistryError, Status
from packaging_assets.resources.sagemaker_names import tag_value
from packaging_assets.resources.sagemaker_registry_calls import Calls, RefusedCallError
from packaging_assets.resources.sagemaker_registry_views import (
    METRIC,
    OURS,
    Display,
    PackageView,
    facts_of,
    one_line,
    shown_of,
    view_of,
)

NAME_CHARACTERS = 63
PROPERTIES = 50
"""That a package may have."""

PER_PAGE = 100
CONTENT_TYPES = ["application/vnd.apache.parquet"]
NOT_FOUND = "ValidationException"
"""SageMaker's answer for what does not exist, and for a group that exists already."""


@dataclass(frozen=True)
class Packages:
    """The model packages of an environment, in a group for each model.

    Args:
        client: a boto3 SageMaker client.
        groups: what the groups' names begin with; of another account's groups, what their ARNs begin with.
        calls: makes the calls.
        documents: where versions' figures are put for SageMaker Studio to show.
        image: of the containers.
        artifact_root: S3 URI of the artifact store.
        people_roles: see `author_of`.
    """

    client: Any
    groups: str
    calls: Calls
    documents: S3Objects
    image: str
    artifact_root: str
    people_roles: Collection[str]

    def group(self, model: str) -> str:
        """Name or ARN of a model's group.

        Raises:
            RegistryError: the name is longer than SageMaker takes.
        """
        start, slash, prefix = self.groups.rpartition("/")
        name = re.sub(r"[^A-Za-z0-9]+", "-", f"{prefix}-{model}").strip("-")
        if len(name) > NAME_CHARACTERS:
            raise RegistryError(
                f"The model package group {name!r} would have {len(name)} characters, and SageMaker takes "
                f"{NAME_CHARACTERS}: give the model or PACKAGING_MODEL_GROUPS a shorter name."
            )
        return f"{start}{slash}{name}"

    def ensure_group(self, model: str) -> None:
        """Make a model's group if there is none; another account's must be there.

        Raises:
            RegistryError: it cannot be made, or SageMaker cannot be asked.
        """
        group = self.group(model)
        try:
            self._find(group)
        except RefusedCallError as error:
            if error.code != NOT_FOUND or "/" in group:
                raise
        else:
            return
        try:
            self.calls.make(
                f"make the model package group {group}",
                self.client.create_model_package_group,
                ModelPackageGroupName=group,
                ModelPackageGroupDescription=f"Versions of the model {model}, with their verdicts.",
                Tags=[
                    {"Key": "packaging:model", "Value": tag_value(model)},
                    {"Key": "packaging:environment", "Value": tag_value(self.groups)},
                ],
            )
        except RefusedCallError:  # somebody else has made it; or it is a reason that the next call tells, too
            self._find(group)

    def listed(self, model: str) -> dict[str, Status]:
        """The statuses of a model's packages by ARN, in order of their numbers; one call for each 100."""
        return {
            package["ModelPackageArn"]: Status(package["ModelApprovalStatus"])
            for package in self._summaries(model)
            if package.get("ModelApprovalStatus")
        }

    def describe(self, arn: str) -> PackageView:
        """What a package shows now.

        Raises:
            RegistryError: it is not there any more, or SageMaker cannot be asked.
        """
        found = self.calls.make(
            f"describe the model package {arn}", self.client.describe_model_package, ModelPackageName=arn
        )
        return view_of(arn, found, self.people_roles)

    def adopt_or_create(self, display: Display, known: Collection[str]) -> tuple[str, bool]:
        """ARN of the package of a version that has none yet, as far as the ledger knows, and whether it is new.

        One that was made by a process that did not live to say so is found by what is written into it, and SageMaker
        makes one package only of what several ask for with one token.

        Args:
            display: what a new package shows.
            known: ARNs of other versions' packages.

        Raises:
            RegistryError: it cannot be made, or SageMaker cannot be asked.
        """
        version = display.version
        for arn in self.listed(version.model):
            if arn not in known and self._is_of(arn, version):
                return arn, False
        figures = f"figures/{version.model}/{version.version}.json"
        self.calls.make(
            f"write the figures of version {version.version} of {version.model}",
            self.documents.put,
            key=figures,
            body=json.dumps(version.metrics, sort_keys=True, indent=2).encode(),
        )
        token = f"{self.group(version.model)}/{version.version}/{version.fingerprint}"
        answer = self.calls.make(
            f"make a model package of version {version.version} of {version.model}",
            self.client.create_model_package,
            ModelPackageGroupName=self.group(version.model),
            ModelPackageDescription=one_line(
                f"{version.model} {version.version}, trained for {version.training_week}: {display.description}"
            ),
            ModelApprovalStatus=str(version.status),
            InferenceSpecification=self._inference(version),
            ModelMetrics={
                "ModelQuality": {
                    "Statistics": {"ContentType": "application/json", "S3Uri": self.documents.uri(figures)}
                }
            },
            CustomerMetadataProperties={**facts_of(version), **shown_of(display, described="")},
            ClientToken=hashlib.sha256(token.encode()).hexdigest()[:32],
        )
        return str(answer["ModelPackageArn"]), True

    def update(self, view: PackageView, display: Display) -> None:
        """Make a package show something: its status and what is written beside it, in one call.

        Raises:
            RegistryError: SageMaker refuses, or cannot be asked.
        """
        description = one_line(display.description)
        ours = {**facts_of(display.version), **shown_of(display, described=description)}
        theirs = {name: value for name, value in view.properties.items() if not name.startswith((OURS, METRIC))}
        version = display.version
        self.calls.make(
            f"show version {version.version} of {version.model} as {version.status}",
            self.client.update_model_package,
            ModelPackageArn=view.arn,
            ModelApprovalStatus=str(version.status),
            ApprovalDescription=description,
            CustomerMetadataProperties=dict([*ours.items(), *theirs.items()][:PROPERTIES]),
        )

    def _find(self, group: str) -> None:
        what = f"find the model package group {group}"
        self.calls.make(what, self.client.describe_model_package_group, ModelPackageGroupName=group)

    def _is_of(self, arn: str, version: ModelVersion) -> bool:
        properties = self.describe(arn).properties
        wanted = {name: properties.get(name) for name in (f"{OURS}version", f"{OURS}fingerprint")}
        return wanted.items() <= facts_of(version).items()

    def _summaries(self, model: str) -> Iterator[dict[str, Any]]:
        page: dict[str, Any] = {"NextToken": ""}
        while "NextToken" in page and page["NextToken"] is not None:
            more = {"NextToken": page["NextToken"]} if page["NextToken"] else {}
            page = self.calls.make(
                f"list the model packages of {model}",
                self.client.list_model_packages,
                ModelPackageGroupName=self.group(model),
                MaxResults=PER_PAGE,
                SortBy="CreationTime",
                SortOrder="Ascending",
                **more,
            )
            yield from page["ModelPackageSummaryList"]

    def _inference(self, version: ModelVersion) -> dict[str, Any]:
        """By which image the version's artifact can be run; the artifact is a folder, not an archive."""
        folder = f"{self.artifact_root.rstrip('/')}/{version.artifact_uri}/"
        source = {"S3DataSource": {"S3Uri": folder, "S3DataType": "S3Prefix", "CompressionType": "None"}}
        return {
            "Containers": [{"Image": self.image, "ModelDataSource": source}],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": CONTENT_TYPES,
        }
