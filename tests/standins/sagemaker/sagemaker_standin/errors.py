"""Errors as the service answers them."""

from http import HTTPStatus


class ServiceError(Exception):
    """An answer that is an error: HTTP status, code and message."""

    def __init__(self, code: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation_error(message: str) -> ServiceError:
    """What the service calls most things that it does not like."""
    return ServiceError("ValidationException", message)
