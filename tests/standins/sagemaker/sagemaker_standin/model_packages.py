"""The model registry: moto's, with what moto leaves out of it."""

import copy
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sagemaker_standin.errors import ServiceError, validation_error

KEPT_BY_UPDATES = ("ModelApprovalStatus", "ApprovalDescription", "CustomerMetadataProperties")

Request = dict[str, Any]


class ModelPackages:
    """Groups and packages that moto keeps, with what the service does beside.

    Args:
        moto: a boto3 client of moto's SageMaker.
    """

    def __init__(self, moto: Any) -> None:
        self.people: dict[str, Request] = {}
        """Access key -> the `UserContext` that the service knows whoever signs with it by."""
        self._moto = moto
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}
        self._changed_by: dict[str, Request] = {}
        self._deleted: set[str] = set()

    def create_group(self, request: Request, _caller: str) -> Request:
        """CreateModelPackageGroup: a second one of a name is refused, where moto would begin anew."""
        with self._lock:
            if self._has_group(request["ModelPackageGroupName"]):
                raise validation_error(f"Model Package Group already exists: {request['ModelPackageGroupName']}")
            return _plain(self._moto.create_model_package_group(**request))

    def describe_group(self, request: Request, _caller: str) -> Request:
        """DescribeModelPackageGroup, also by ARN."""
        return self._asked(
            self._moto.describe_model_package_group, ModelPackageGroupName=_name(request["ModelPackageGroupName"])
        )

    def create(self, request: Request, caller: str) -> Request:
        """CreateModelPackage: one for each token, numbered one by one, its group named or by ARN."""
        if "ModelPackageGroupName" in request and "Tags" in request:
            raise validation_error("Tags cannot be given for a versioned model package: those of its group apply.")
        given = {**request}
        if "ModelPackageGroupName" in given:
            given["ModelPackageGroupName"] = _name(given["ModelPackageGroupName"])
        token = given.pop("ClientToken", "")
        with self._lock:
            if token not in self._tokens or not token:
                self._tokens[token] = self._asked(self._moto.create_model_package, **given)["ModelPackageArn"]
                self._changed_by[self._tokens[token]] = self._person(caller)
            return {"ModelPackageArn": self._tokens[token]}

    def describe(self, request: Request, _caller: str) -> Request:
        """DescribeModelPackage, with who has changed it last."""
        arn = request["ModelPackageName"]
        if arn in self._deleted:
            raise validation_error(f"ModelPackage {arn} does not exist.")
        found = self._asked(self._moto.describe_model_package, ModelPackageName=arn)
        return {**found, "LastModifiedBy": self._changed_by.get(arn, {})}

    def list(self, request: Request, _caller: str) -> Request:
        """ListModelPackages, without what was deleted."""
        answer = self._asked(self._moto.list_model_packages, **request)
        kept = [each for each in answer["ModelPackageSummaryList"] if each["ModelPackageArn"] not in self._deleted]
        return {**answer, "ModelPackageSummaryList": kept}

    def update(self, request: Request, caller: str) -> Request:
        """UpdateModelPackage: what is not named stays as it is, where moto would forget it."""
        with self._lock:
            arn = request["ModelPackageArn"]
            found = self._asked(self._moto.describe_model_package, ModelPackageName=arn)
            kept = {name: found[name] for name in KEPT_BY_UPDATES if found.get(name) is not None}
            merged = {**kept, **request}
            before = kept.get("CustomerMetadataProperties", {})
            properties = {**before, **request.get("CustomerMetadataProperties", {})}
            for name in merged.pop("CustomerMetadataPropertiesToRemove", []):
                properties.pop(name, None)
            answer = self._moto.update_model_package(**{**merged, "CustomerMetadataProperties": properties})
            self._changed_by[arn] = self._person(caller)
        return {"ModelPackageArn": answer["ModelPackageArn"]}

    def delete(self, request: Request, _caller: str) -> Request:
        """DeleteModelPackage: out of sight, though moto still counts it."""
        self._deleted.add(request["ModelPackageName"])
        return {}

    def _person(self, caller: str) -> Request:
        role = {"Arn": "arn:aws:sts::123456789012:assumed-role/packaging-test-run/task-1", "PrincipalId": "AROA:task-1"}
        return self.people.get(caller, {"IamIdentity": role})

    def _has_group(self, name: str) -> bool:
        try:
            self._moto.describe_model_package_group(ModelPackageGroupName=name)
        except ClientError:
            return False
        return True

    def _asked(self, call: Callable[..., Any], **request: Any) -> Request:
        try:
            return _plain(call(**request))
        except ClientError as error:
            raise ServiceError("ValidationException", error.response["Error"]["Message"]) from None


def _name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def _plain(answer: Request) -> Request:
    """An answer of boto3 as it goes over the wire, with times in seconds since 1970."""
    found = {name: value for name, value in copy.copy(answer).items() if name != "ResponseMetadata"}
    return _with_seconds(found)


def _with_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_seconds(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_seconds(item) for item in value]
    return value.timestamp() if hasattr(value, "timestamp") else value


HANDLERS: dict[str, Callable[[ModelPackages, Request, str], Request]] = {
    "CreateModelPackageGroup": ModelPackages.create_group,
    "DescribeModelPackageGroup": ModelPackages.describe_group,
    "CreateModelPackage": ModelPackages.create,
    "DescribeModelPackage": ModelPackages.describe,
    "ListModelPackages": ModelPackages.list,
    "UpdateModelPackage": ModelPackages.update,
    "DeleteModelPackage": ModelPackages.delete,
}
