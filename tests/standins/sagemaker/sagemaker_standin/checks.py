"""The service's own checks of a request, by the service model that botocore carries.

boto3 checks types and required members before it sends; lengths, patterns and enumerations are the service's business.
"""

import functools
import re
from typing import Any

import botocore.model
import botocore.session

from sagemaker_standin.errors import validation_error

_OWN_DISKS = re.compile(r"ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|(g5|g6|p5|trn1|trn2)[a-z]*)\.")
"""The machines with instance store volumes of EC2's list that SageMaker has."""


@functools.cache
def service_model() -> botocore.model.ServiceModel:
    """SageMaker's shapes."""
    return botocore.session.get_session().get_service_model("sagemaker")


def check_request(operation: str, request: dict[str, Any]) -> None:
    """Refuse what the service refuses by its model.

    Raises:
        ServiceError: a member is missing, unknown, too long, too many, or of the wrong form; or a key is named for
            disks that machines have of their own.
    """
    _check(service_model().operation_model(operation).input_shape, request, "")
    _check_disk_keys(request)


def _check(shape: Any, value: Any, path: str) -> None:
    if shape.type_name == "structure":
        _check_structure(shape, value, path)
    elif shape.type_name == "list":
        _check_size(shape, len(value), path)
        for number, item in enumerate(value):
            _check(shape.member, item, f"{path}.{number + 1}.member")
    elif shape.type_name == "map":
        _check_size(shape, len(value), path)
        for key, item in value.items():
            _check(shape.key, key, f"{path}.key")
            _check(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "string":
        _check_string(shape, value, path)
    elif shape.type_name in {"integer", "long"}:
        _check_size(shape, value, path)


def _check_structure(shape: Any, value: dict[str, Any], path: str) -> None:
    missing = [name for name in shape.required_members if name not in value]
    if missing:
        raise _refused(f"{path}.{missing[0]}".strip("."), None, "Member must not be null")
    for name, item in value.items():
        if name not in shape.members:
            raise _refused(f"{path}.{name}".strip("."), item, "Member is not known")
        _check(shape.members[name], item, f"{path}.{name}".strip("."))


def _check_disk_keys(value: Any) -> None:
    """See `VolumeKmsKeyId` of ResourceConfig, ProcessingClusterConfig and TransformResources in the API reference."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_disk_keys(each)
    if isinstance(value, dict) and "VolumeKmsKeyId" in value and _OWN_DISKS.match(str(value.get("InstanceType"))):
        raise validation_error(f"VolumeKmsKeyId cannot be given for {value['InstanceType']}, which has local storage.")


def _check_size(shape: Any, size: int, path: str) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        raise _refused(path, size, f"Member must be greater than or equal to {least}")
    if most is not None and size > most:
        raise _refused(path, size, f"Member must be less than or equal to {most}")


def _check_string(shape: Any, value: str, path: str) -> None:
    _check_size(shape, len(value), path)
    if shape.enum and value not in shape.enum:
        raise _refused(path, value, f"Member must satisfy enum value set: {', '.join(shape.enum[:5])}, ...")
    pattern = shape.metadata.get("pattern")
    if pattern and (compiled := _as_python(pattern)) is not None and not compiled.fullmatch(value):
        raise _refused(path, value, f"Member must satisfy regular expression pattern: {pattern}")


@functools.cache
def _as_python(pattern: str) -> re.Pattern[str] | None:
    r"""Java's \p classes, which `re` does not have, as \w and \s; None for the few patterns that `re` cannot read."""
    for theirs, ours in ((r"\p{L}", r"\w"), (r"\p{Z}", r"\s"), (r"\p{N}", r"\d"), (r"\p{M}", "")):
        pattern = pattern.replace(theirs, ours)
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _refused(path: str, value: Any, constraint: str) -> Exception:
    return validation_error(
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
    )
