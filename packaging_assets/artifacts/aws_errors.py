"""What an error of AWS's clients is, and what to do without."""

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


def error_code(error: Any) -> str:
    """The code of a botocore ClientError, by which AWS knows it; "" for other errors."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


@contextmanager
def excused() -> Generator[None]:
    """What AWS refuses in the block does no harm."""
    from botocore.exceptions import BotoCoreError, ClientError

    with contextlib.suppress(BotoCoreError, ClientError, PermissionError):
        yield
