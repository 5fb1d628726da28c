"""What goes wrong with Redshift, by kind: what to try again, and what to tell.

A call that fails has a code. A statement that fails has none: the Data API gives its error as text only, so a conflict
is known by the number and the words with which Redshift begins and describes it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.resources.backoff import Backoff
from packaging_assets.resources.warehouse import WarehouseError

CALLS = Backoff(attempts=7, first_seconds=1.0, longest_seconds=30.0)
"""Of each call, on top of what botocore itself repeats: up to a minute."""

CONFLICTS = Backoff(attempts=8, first_seconds=0.5, longest_seconds=30.0)
"""Of a transaction that met another one: up to a minute."""

_RETRIED_CODES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        # Redshift runs so many statements and sessions at a time: there is room when others are over.
        "ActiveStatementsExceededException",
        "ActiveSessionsExceededException",
    }
)
_FIRST_SERVER_ERROR = 500

_CONFLICT_SIGNS = (
    "ERROR: 1023",
    "Serializable isolation violation",
    "ERROR: 1020",
    "conflict with concurrent transaction",
    "deadlock detected",
    "ERROR: 1018",
    "could not open relation with OID",
    "dropped by concurrent transaction",
)
"""1023: transactions on the same tables that cannot be put into an order. 1020: of those that create or drop. A
deadlock is ended by Redshift, which rolls one of the two back. 1018 and the last two: a table that another transaction
made, replaced or dropped meanwhile; whoever looks at `information_schema` meets all of them. In each case nothing of
the transaction is left."""


class StatementError(WarehouseError):
    """Redshift ran a statement, and it failed or was stopped; nothing of its transaction is left."""


class ConflictError(StatementError):
    """It failed because of another transaction: the same again may succeed."""


def error_class(said: str) -> type[StatementError]:
    """The class of the error of a statement, by what Redshift said."""
    return ConflictError if any(sign in said for sign in _CONFLICT_SIGNS) else StatementError


def is_passing(error: Exception) -> bool:
    """Whether a call that failed may go well another time."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in _RETRIED_CODES or status >= _FIRST_SERVER_ERROR
    return isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)


@contextmanager
def exchange_errors(what: str) -> Generator[None]:
    """Tell errors of S3 and of files as `WarehouseError`.

    Args:
        what: what was being done, as in "The files of the unload".
    """
    import pyarrow as pa
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
        raise WarehouseError(f"{what} failed: {error}") from error
    except pa.ArrowException as error:
        raise WarehouseError(f"{what} failed: the Parquet file cannot be read or written: {error}") from error
