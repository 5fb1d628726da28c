"""The bucket and its key."""

from __future__ import annotations

import uuid
from typing import Any

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.artifacts.s3_objects import S3Objects, encryption_arguments
from packaging_assets.doctor.aws_answers import DENIED, understood
from packaging_assets.doctor.check import Check, ProblemError
from packaging_assets.settings import Settings

ABSENT = frozenset({"404", "NoSuchBucket", "NotFound"})
FOLDER = "exchange/doctor"
"""Where a run may write, read and delete; what is forgotten there goes by the bucket's lifecycle."""


def checks(settings: Settings, s3: Any, kms: Any) -> list[Check]:
    """Bucket, objects in it, and the key that encrypts them."""
    return [
        Check("bucket", lambda: _bucket(settings, s3), after="credentials", needs=("s3_bucket",)),
        Check("objects", lambda: _objects(settings, s3), after="bucket", needs=("s3_bucket",)),
        Check("encryption key", lambda: _key(settings, kms), after="credentials"),
    ]


def objects_below(settings: Settings, s3: Any, folder: str) -> S3Objects:
    """The environment's objects below a folder."""
    prefix = "/".join(part for part in (settings.s3_prefix, folder) if part)
    return S3Objects(s3, settings.s3_bucket, prefix, encryption_arguments(settings.kms_key))


def _bucket(settings: Settings, s3: Any) -> str:
    """HeadBucket says the bucket's region even where it refuses: no duty needs it otherwise."""
    from botocore.exceptions import ClientError

    name = settings.s3_bucket
    with understood("s3:ListBucket", role="RunRole"):
        try:
            answer = s3.head_bucket(Bucket=name)
        except ClientError as error:
            code = error_code(error)
            if code in ABSENT:
                raise ProblemError(
                    f"there is no bucket {name}",
                    "Deploy deploy/cloudformation/data.yaml, or correct PACKAGING_S3_BUCKET.",
                ) from error
            if code not in DENIED | {"301", "PermanentRedirect"}:
                raise
            answer = error.response
    region = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", "")
    if region and region != settings.aws_region:
        raise ProblemError(
            f"bucket {name} is in {region}, PACKAGING_AWS_REGION is {settings.aws_region}",
            "Set PACKAGING_AWS_REGION to the bucket's region, or use a bucket of this one: SageMaker and COPY need "
            "all in one region.",
        )
    return f"s3://{name} in {region or settings.aws_region}"


def _objects(settings: Settings, s3: Any) -> str:
    """Write, read and delete a small object; a second write on condition that there is none must be refused."""
    objects, key, body = objects_below(settings, s3, FOLDER), uuid.uuid4().hex, b"packaging doctor\n"
    place = objects.uri("")
    with understood("s3:PutObject", role="RunRole", remedies=_key_problems(settings)):
        objects.put_new(key, body)
        is_written_twice = objects.put_new(key, b"twice")
    with understood("s3:GetObject", role="RunRole", remedies=_key_problems(settings)):
        found = objects.get(key)
    with understood("s3:DeleteObject", role="RunRole"):
        s3.delete_object(Bucket=objects.bucket, Key=f"{objects.prefix}/{key}")
    if is_written_twice:
        raise ProblemError(
            f"{place} takes a second object of a name under If-None-Match: two runs could both commit one artifact",
            "Use a bucket of S3 itself, or a store that honours conditional writes.",
        )
    if found is None or found.body != body:
        raise ProblemError(
            f"{place}{key} was written and then not found", "Does a lifecycle rule or a replica get in between?"
        )
    return f"written once, read and deleted below {place}"


def _key(settings: Settings, kms: Any) -> str:
    if settings.kms_key is None:
        return "S3's own keys"
    with understood("kms:DescribeKey", role="", remedies=_key_problems(settings)):
        found = kms.describe_key(KeyId=settings.kms_key)["KeyMetadata"]
    if found["KeyState"] != "Enabled":
        raise ProblemError(
            f"key {settings.kms_key} is {found['KeyState']}: what it has encrypted cannot be read",
            "Enable it again (aws kms enable-key), or cancel its deletion first.",
        )
    return f"{found['Arn']} is enabled"


def _key_problems(settings: Settings) -> dict[str, ProblemError]:
    missing = ProblemError(
        f"there is no key {settings.kms_key}",
        "Correct PACKAGING_KMS_KEY: the export packaging-<environment>-key of deploy/cloudformation/data.yaml.",
    )
    disabled = ProblemError(
        f"key {settings.kms_key} is disabled: what it has encrypted cannot be read",
        "Enable it again (aws kms enable-key), or cancel its deletion first.",
    )
    return {
        "NotFoundException": missing,
        "KMS.NotFoundException": missing,
        "DisabledException": disabled,
        "KMS.DisabledException": disabled,
        "KMSInvalidStateException": disabled,
        "KMS.KMSInvalidStateException": disabled,
    }
