"""Jobs, the role they become, the image they run, and the model registry."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.doctor.aws_answers import ROLES, understood
from packaging_assets.doctor.aws_identity import caller_arn, role_arn_of
from packaging_assets.doctor.check import Check, Clients, ProblemError, UnknownError
from packaging_assets.resources.sagemaker_names import NAME_CHARACTERS, environment_prefix
from packaging_assets.settings import Settings

IMAGE = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[a-z0-9][a-z0-9._/-]*?)(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w][\w.-]*))?"
)

ABSENT = frozenset({"ValidationException", "ResourceNotFound"})
"""There is no job of that name: just what should be answered."""


def checks(settings: Settings, clients: Clients) -> list[Check]:
    """Jobs may be asked about and created, their role and image are there, the registry answers."""
    sagemaker, iam, sts, ecr = (clients(name) for name in ("sagemaker", "iam", "sts", "ecr"))
    role: dict[str, Any] = {"after": "credentials", "needs": ("sagemaker_role_arn",)}
    return [
        Check("jobs", lambda: _jobs(settings, sagemaker), after="credentials"),
        Check("job role", lambda: _role(settings, iam), **role),
        Check("job permissions", lambda: _simulated(settings, iam, sts), **role),
        Check("image", lambda: _image(settings, ecr), after="credentials", needs=("sagemaker_image",)),
        Check("model registry", lambda: _registry(settings, sagemaker), after="credentials"),
    ]


def _jobs(settings: Settings, sagemaker: Any) -> str:
    """A job that is not there is asked for, under a name as this environment's jobs have it."""
    from botocore.exceptions import ClientError

    beginning = environment_prefix(settings.environment_name)
    name = f"{beginning}-doctor"[:NAME_CHARACTERS]
    for kind in ("Training", "Processing", "Transform"):
        with understood(f"sagemaker:Describe{kind}Job", role="RunRole"):
            try:
                getattr(sagemaker, f"describe_{kind.lower()}_job")(**{f"{kind}JobName": name})
            except ClientError as error:
                if error_code(error) not in ABSENT:
                    raise
    return f"training, processing and transform jobs called {beginning}-... may be asked about"


def _role(settings: Settings, iam: Any) -> str:
    arn = settings.sagemaker_role_arn
    missing = ProblemError(
        f"there is no role {arn}",
        f"Deploy {ROLES}, and set PACKAGING_SAGEMAKER_ROLE_ARN to its export packaging-<environment>-job-role.",
    )
    with understood("iam:GetRole", role="", remedies={"NoSuchEntity": missing}):
        role = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
    trusted = json.dumps(role.get("AssumeRolePolicyDocument", {}))
    if "sagemaker.amazonaws.com" not in trusted:
        raise ProblemError(
            f"SageMaker may not become {arn}: its trust policy does not name sagemaker.amazonaws.com",
            f"Use a role like JobRole in {ROLES}.",
        )
    return f"SageMaker may become {arn}"


def _simulated(settings: Settings, iam: Any, sts: Any) -> str:
    """Whether this identity may create jobs and hand them their role; only IAM's own simulation says so beforehand."""
    caller = caller_arn(sts)
    needed = {
        "sagemaker:CreateProcessingJob": _job_arn(settings, caller, "processing"),
        "sagemaker:CreateTrainingJob": _job_arn(settings, caller, "training"),
        "iam:PassRole": settings.sagemaker_role_arn,
    }
    denied: list[str] = []
    for action, resource in needed.items():
        with understood("iam:SimulatePrincipalPolicy", role=""):
            answer = iam.simulate_principal_policy(
                PolicySourceArn=role_arn_of(caller),
                ActionNames=[action],
                ResourceArns=[resource],
                ContextEntries=[
                    {
                        "ContextKeyName": "iam:PassedToService",
                        "ContextKeyValues": ["sagemaker.amazonaws.com"],
                        "ContextKeyType": "string",
                    }
                ],
            )
        denied += [action for result in answer["EvaluationResults"] if result["EvalDecision"] != "allowed"]
    if denied:
        raise ProblemError(
            f"{caller} may not {', '.join(denied)}",
            f"Run as the role of a run: RunRole in {ROLES} may (statements Jobs and JobsBecomeTheJobRole).",
        )
    return f"{caller} may create jobs and hand them {settings.sagemaker_role_arn}"


def _job_arn(settings: Settings, caller: str, kind: str) -> str:
    partition, account = caller.split(":")[1], caller.split(":")[4]
    name = f"{environment_prefix(settings.environment_name)}-doctor"
    return f"arn:{partition}:sagemaker:{settings.aws_region}:{account}:{kind}-job/{name}"


class EcrImage(NamedTuple):
    """An image of a registry of ECR; exactly one of `digest` and `tag` is there."""

    registry: str
    region: str
    repository: str
    digest: str | None
    tag: str | None


def parse_image(name: str) -> EcrImage | None:
    """The parts of the name of an image of ECR, or None if it is another registry's; the tag is `latest` by default."""
    match = IMAGE.fullmatch(name)
    if match is None:
        return None
    parts = match.groupdict()
    tag = None if parts["digest"] else parts["tag"] or "latest"
    return EcrImage(parts["registry"], parts["region"], parts["repository"], parts["digest"], tag)


def _image(settings: Settings, ecr: Any) -> str:
    name = settings.sagemaker_image
    image = parse_image(name)
    if image is None:
        raise UnknownError(f"not known: {name} is not an image of ECR")
    if image.region != settings.aws_region:
        raise ProblemError(
            f"{name} is in {image.region}, and jobs run in {settings.aws_region}",
            f"Push it to {settings.aws_region}, and set PACKAGING_SAGEMAKER_IMAGE to it: SageMaker pulls from its own "
            "region.",
        )
    wanted = {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}
    missing = ProblemError(f"there is no image {name}", "Build and push it, or correct PACKAGING_SAGEMAKER_IMAGE.")
    remedies = {"ImageNotFoundException": missing, "RepositoryNotFoundException": missing}
    with understood("ecr:DescribeImages", role="", remedies=remedies):
        (found,) = ecr.describe_images(registryId=image.registry, repositoryName=image.repository, imageIds=[wanted])[
            "imageDetails"
        ]
    pushed = f", pushed {found['imagePushedAt']:%Y-%m-%d}" if "imagePushedAt" in found else ""
    return f"{name} ({found.get('imageSizeInBytes', 0) / 1e6:,.0f} MB{pushed})"


def _registry(settings: Settings, sagemaker: Any) -> str:
    beginning = settings.model_groups or settings.environment_name
    with understood("sagemaker:ListModelPackageGroups", role="RunRole"):
        pages = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=beginning)
        names = [
            group["ModelPackageGroupName"]
            for page in pages
            for group in page["ModelPackageGroupSummaryList"]
            if group["ModelPackageGroupName"].startswith(f"{beginning}-")
        ]
    if not names:
        return f"no model package groups called {beginning}-... yet: the first trained model makes its own"
    return f"{len(names)} model package group{'' if len(names) == 1 else 's'}: {', '.join(sorted(names))}"
