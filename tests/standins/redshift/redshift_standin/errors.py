"""How the Data API refuses a call."""

from collections.abc import Mapping
from http import HTTPStatus


class ServiceError(Exception):
    """A refusal with its code, as boto3's `ClientError` shows it.

    Args:
        code: such as "ValidationException".
        message: in the service's words where they are known.
        status: of HTTP.
        fields: what else the refusal carries.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = HTTPStatus.BAD_REQUEST,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = dict(fields or {})


def invalid(message: str) -> ServiceError:
    """A call that asks for what there cannot be."""
    return ServiceError("ValidationException", message)


def not_found(message: str, resource: str) -> ServiceError:
    """A call about a statement that there is not, or that has no result."""
    return ServiceError("ResourceNotFoundException", message, fields={"ResourceId": resource})
